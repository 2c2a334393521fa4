/** One secure, reliable conversation: netcode and message channels over a path. */
export type { DeliveryMode, NetworkConditions, SendOptions } from "../channel/index.ts";
export { type ConnectProgress, type ConnectSessionOptions, connectSession } from "./connect.ts";
export { SessionError, type SessionErrorCode } from "./errors.ts";
export type { SessionLimits } from "./limits.ts";
export type { SessionPath, SessionPathKind, SessionPathState } from "./path.ts";
export { UDPSessionServer, type UDPSessionServerOptions } from "./server.ts";
export type { CloseReason, Session, SessionMode, SessionServer, SessionStats, SessionTokenOptions } from "./types.ts";
