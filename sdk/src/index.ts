/** Sallyport: host a multiplayer game from anywhere. */
export * from "./connectivity/index.ts";
export { PortMapError, type PortMapErrorKind, type Via } from "./gateway/types.ts";
export { type Endpoint, formatEndpoint, normalizeAddress } from "./net/endpoint.ts";
export { UDPSocketError } from "./net/udp-error.ts";
export {
  type DatagramHandler,
  type DatagramTap,
  UDPSocket,
  type UDPSocketCounters,
  type UDPSocketOptions,
} from "./net/udp-socket.ts";
export { netcodeReady } from "./netcode/index.ts";
export {
  type CloseReason,
  type ConnectProgress,
  type ConnectSessionOptions,
  connectSession,
  type DeliveryMode,
  type NetworkConditions,
  type SendOptions,
  type Session,
  SessionError,
  type SessionErrorCode,
  type SessionLimits,
  type SessionMode,
  type SessionServer,
  type SessionStats,
  type SessionTokenOptions,
  UDPSessionServer,
  type UDPSessionServerOptions,
} from "./session/index.ts";
export { GodotError } from "./udp/godot-error.ts";
export { PacketPeerUDP, type PacketPeerUDPEvents, type PacketPeerUDPOptions } from "./udp/packet-peer-udp.ts";
export { UDPServer, type UDPServerEvents, type UDPServerOptions } from "./udp/udp-server.ts";
export type { Variant, VariantFormat } from "./udp/variant.ts";
