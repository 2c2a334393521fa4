import type { CloseReason } from "./types.ts";

/** The close codes of RFC 6455 section 7.4.1 that a session uses as WebSocket does. */
export const CLOSE_NORMAL = 1000;
export const CLOSE_GOING_AWAY = 1001;
export const CLOSE_PROTOCOL_ERROR = 1002;
export const CLOSE_NO_STATUS = 1005;
export const CLOSE_ABNORMAL = 1006;
export const CLOSE_TOO_BIG = 1009;
/** IANA's registry of close codes. */
export const CLOSE_TRY_AGAIN_LATER = 1013;

/** The code that a WebSocket would have ended with, for those above who think in its codes. */
export function webSocketCloseCode(reason: CloseReason, code: number): number {
  if (reason === "local" || reason === "remote" || reason === "limit") return code || CLOSE_NO_STATUS;
  return reason === "shutdown" ? CLOSE_GOING_AWAY : CLOSE_ABNORMAL;
}
