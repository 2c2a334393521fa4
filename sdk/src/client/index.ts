export type { AvailableRoom } from "./available-room.ts";
export { type InviteOptions, SallyportClient, type SallyportClientOptions } from "./client.ts";
export type { DiscoverOptions, FoundGame } from "./found-game.ts";
export type { JoinSettings } from "./join.ts";
export type { JoinProgress, PathKind, PathRecord, RoomPath } from "./path.ts";
export { SallyportRoom } from "./room.ts";
export type { ConnectSession } from "./udp-attempt.ts";
