/**
 * The game client in web pages: Colyseus' own client and rooms, over WebRTC.
 *
 * @module sallyport/browser
 */

export type { NetworkConditions } from "../channel/line-model.ts";
export { NETWORK_PRESETS, type NetworkPreset, networkConditions, networkPreset } from "../channel/network-presets.ts";
export {
  type BrowserInviteOptions,
  SallyportBrowserClient,
  type SallyportBrowserClientOptions,
} from "../colyseus/browser/client.ts";
export type { AvailableRoom } from "../colyseus/client/available-room.ts";
export type { JoinSettings } from "../colyseus/client/join.ts";
export type { JoinProgress, PathKind, PathRecord, RoomPath } from "../colyseus/client/path.ts";
export { SallyportRoom } from "../colyseus/client/room.ts";
export type { ClientLimits, TrafficLimits } from "../colyseus/wire/traffic-limits.ts";
