export type { DiagnosticsChannels, PlayerConnection } from "./diagnostics.ts";
export type { LanListing, LanListingOptions } from "./lan-listing.ts";
export { type Distribution, formatPrometheus, type TransportMetrics } from "./metrics.ts";
export type { Traffic } from "./players.ts";
export { hidePublicAddresses } from "./public-address.ts";
export { guardRequests, type RequestGuardOptions } from "./request-guard.ts";
export { SallyportTransport } from "./transport.ts";
export type { SallyportTransportOptions } from "./transport-options.ts";
export { type BroadcastUnreliableOptions, broadcastUnreliable, sendUnreliable } from "./unreliable.ts";
