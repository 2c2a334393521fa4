import type { CloseReason } from "./types.ts";

/** Why a session could not be opened. */
export type SessionErrorCode = CloseReason | "aborted" | "invalid-token";

const ADVICE: Partial<Record<SessionErrorCode, string>> = {
  timeout: "No answer came over UDP: the address may be wrong, or a firewall on the way drops UDP.",
  refused: "The server did not accept the connect token.",
  full: "The server has no free place: try again later.",
  expired: "The connect token expired before the server answered: ask for a new one, and check both clocks.",
  "invalid-token": "The connect token is damaged or of another version: ask the server for a new one.",
};

/** A session could not be opened: `code` says why, the message says what can be done. */
export class SessionError extends Error {
  override readonly name = "SessionError";
  /** Why there is no session. */
  readonly code: SessionErrorCode;

  constructor(code: SessionErrorCode, detail = "") {
    super([detail, ADVICE[code]].filter(Boolean).join(" ") || `The session ended: ${code}.`);
    this.code = code;
  }
}
