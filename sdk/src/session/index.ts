/** One secure, reliable conversation: netcode and message channels over a path. */
export { type ConnectProgress, type ConnectSessionOptions, connectSession } from "./connect.ts";
export { SessionError, type SessionErrorCode } from "./errors.ts";
export { UDPSessionServer, type UDPSessionServerOptions } from "./server.ts";
export type { CloseReason, Session, SessionMode, SessionServer, SessionStats, SessionTokenOptions } from "./types.ts";
