/**
 * Sallyport: host a multiplayer game from anywhere.
 *
 * @module sallyport
 */

export type { NetworkConditions } from "../channel/line-model.ts";
export { NETWORK_PRESETS, type NetworkPreset, networkConditions, networkPreset } from "../channel/network-presets.ts";
export { type DeliveryMode, type SendOptions } from "../channel/wire/types.ts";
export type { AnnounceOptions } from "../connectivity/announced.ts";
export { type EnvironmentOptions, optionsFromEnvironment } from "../connectivity/environment.ts";
export { type ConnectivityEvents, ConnectivityManager } from "../connectivity/manager/manager.ts";
export type { ConnectivityOptions } from "../connectivity/options.ts";
export type {
  EndpointKind,
  EndpointVia,
  NatBehaviour,
  NatDescription,
  Reachability,
  ReachableEndpoint,
  ReachableGateway,
  Step,
  StepOutcome,
  Verdict,
} from "../connectivity/reachability.ts";
export { PortMapError, type PortMapErrorKind, type Via } from "../gateway/types.ts";
export { type Endpoint, formatEndpoint, normalizeAddress } from "../net/endpoint.ts";
export type { NAT64Prefix } from "../net/nat64.ts";
export {
  listenToTrace,
  TRACE_ROOMS,
  type TraceEvent,
  type TraceFields,
  type TraceRoom,
} from "../net/trace.ts";
export { TraceFile, type TraceFileOptions } from "../net/trace-file.ts";
export { UDPSocketError } from "../net/udp-error.ts";
export {
  type DatagramHandler,
  type DatagramTap,
  UDPSocket,
  type UDPSocketCounters,
  type UDPSocketOptions,
} from "../net/udp-socket.ts";
export { netcodeReady } from "../netcode/sodium.ts";
export { type ConnectProgress, type ConnectSessionOptions, connectSession } from "../session/connect.ts";
export { SessionError, type SessionErrorCode } from "../session/errors.ts";
export { type SessionLimits } from "../session/limits.ts";
export { type SessionPathPair } from "../session/path.ts";
export { UDPSessionServer, type UDPSessionServerOptions } from "../session/server.ts";
export {
  type CloseReason,
  type Session,
  type SessionMode,
  type SessionServer,
  type SessionStats,
  type SessionTokenOptions,
} from "../session/types.ts";
export { GodotError } from "../udp/godot-error.ts";
export { PacketPeerUDP, type PacketPeerUDPEvents, type PacketPeerUDPOptions } from "../udp/packet-peer-udp.ts";
export { UDPServer, type UDPServerEvents, type UDPServerOptions } from "../udp/udp-server.ts";
export { GodotFloat, type Variant, type VariantFormat, type VariantOptions } from "../udp/variant.ts";
