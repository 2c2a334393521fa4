/**
 * Port mapping by PCP, NAT-PMP and UPnP: asked at once, renewed, and given back.
 *
 * @module sallyport/gateway
 */

export type { LocalInterface } from "../gateway/interfaces.ts";
export type { MapOptions, PortMapperEvents, PortMapperOptions } from "../gateway/mapper/options.ts";
export { PortMapper } from "../gateway/mapper/port-mapper.ts";
export {
  type GatewayInfo,
  type GatewayStep,
  type MapProtocol,
  type MappingEvent,
  type MappingEvents,
  type MapRequest,
  PortMapError,
  type PortMapErrorKind,
  type PortMapping,
  type Proof,
  type Transport,
  type Via,
} from "../gateway/types.ts";
