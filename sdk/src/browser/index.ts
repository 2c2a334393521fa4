export type { AvailableRoom } from "../client/available-room.ts";
export type { JoinSettings } from "../client/join.ts";
export type { JoinProgress, PathKind, PathRecord, RoomPath } from "../client/path.ts";
export { SallyportRoom } from "../client/room.ts";
export { type BrowserInviteOptions, SallyportBrowserClient, type SallyportBrowserClientOptions } from "./client.ts";
