export { hidePublicAddresses } from "./public-address.ts";
export { guardRequests, type RequestGuardOptions } from "./request-guard.ts";
export { SallyportTransport, type SallyportTransportOptions } from "./transport.ts";
export { type BroadcastUnreliableOptions, broadcastUnreliable, sendUnreliable } from "./unreliable.ts";
