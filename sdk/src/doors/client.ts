/**
 * The game client in Node and Electron: Colyseus' own client and rooms, over UDP.
 *
 * @module sallyport/client
 */

export type { NetworkConditions } from "../channel/line-model.ts";
export { NETWORK_PRESETS, type NetworkPreset, networkConditions, networkPreset } from "../channel/network-presets.ts";
export type { AvailableRoom } from "../colyseus/client/available-room.ts";
export { type InviteOptions, SallyportClient, type SallyportClientOptions } from "../colyseus/client/client.ts";
export type { DiscoverOptions, FoundGame } from "../colyseus/client/found-game.ts";
export type { JoinSettings } from "../colyseus/client/join.ts";
export type { JoinProgress, PathKind, PathRecord, RoomPath } from "../colyseus/client/path.ts";
export type { RelayForOthers } from "../colyseus/client/relaying.ts";
export { SallyportRoom } from "../colyseus/client/room.ts";
export type { ConnectSession } from "../colyseus/client/udp-attempt.ts";
export type { ClientLimits, TrafficLimits } from "../colyseus/wire/traffic-limits.ts";
export type { RelayingLimits, RelayingState } from "../connectivity/relaying/player-relay.ts";
