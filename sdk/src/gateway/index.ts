export type { LocalInterface } from "./interfaces.ts";
export type { MapOptions, PortMapperEvents, PortMapperOptions } from "./mapper/options.ts";
export { PortMapper } from "./mapper/port-mapper.ts";
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
  type Transport,
  type Via,
} from "./types.ts";
