export type { LocalInterface } from "./interfaces.ts";
export { type MapOptions, PortMapper, type PortMapperEvents, type PortMapperOptions } from "./port-mapper.ts";
export {
  type GatewayInfo,
  type GatewayStep,
  type MapProtocol,
  type MapRequest,
  type MappingEvent,
  type MappingEvents,
  PortMapError,
  type PortMapErrorKind,
  type PortMapping,
  type Transport,
  type Via,
} from "./types.ts";
