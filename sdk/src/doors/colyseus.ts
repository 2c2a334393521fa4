/**
 * The server: Colyseus rooms over UDP, WebRTC and WebSocket, and a lobby's room.
 *
 * @module sallyport/colyseus
 */

export type { RendezvousLimits } from "../colyseus/lobby/limits.ts";
export { LobbyServers, type LobbyServersOptions } from "../colyseus/lobby/own-servers.ts";
export { defineRendezvous, type RendezvousOptions, RendezvousRoom } from "../colyseus/lobby/room.ts";
export {
  type LobbyServersSettings,
  lobbyServersFromEnvironment,
  type OwnTurnSettings,
} from "../colyseus/lobby/servers-environment.ts";
export type { AdmissionLimits } from "../colyseus/server/admission/admission-limits.ts";
export type { ConnectionLimits } from "../colyseus/server/admission/connection-limits.ts";
export type { TransportLimits } from "../colyseus/server/admission/limits.ts";
export {
  type BroadcastUnreliableOptions,
  broadcastUnreliable,
  sendUnreliable,
} from "../colyseus/server/clients/unreliable.ts";
export {
  type ConnectionLimitsOptions,
  createLimitedServer,
  limitConnections,
} from "../colyseus/server/entrances/connection-limits.ts";
export { OwnPages, type OwnPagesOptions } from "../colyseus/server/entrances/own-pages.ts";
export { guardRequests, type RequestGuardOptions } from "../colyseus/server/entrances/request-guard.ts";
export type { LanListing, LanListingOptions } from "../colyseus/server/listings/lan-listing.ts";
export type {
  ConnectionRefusal,
  DiagnosticsChannels,
  InspectedConnection,
  PlayerConnection,
  PlayerPair,
} from "../colyseus/server/observability/diagnostics.ts";
export { type LogLimits, limitLog } from "../colyseus/server/observability/limit-log.ts";
export {
  type Distribution,
  type TransportMetrics,
} from "../colyseus/server/observability/metrics.ts";
export type { Traffic } from "../colyseus/server/observability/players.ts";
export { formatPrometheus } from "../colyseus/server/observability/prometheus.ts";
export { hidePublicAddresses } from "../colyseus/server/replaced/room-query.ts";
export { SallyportTransport } from "../colyseus/server/transport.ts";
export type { SallyportTransportOptions } from "../colyseus/server/transport-options.ts";
export type { TrafficLimits } from "../colyseus/wire/traffic-limits.ts";
