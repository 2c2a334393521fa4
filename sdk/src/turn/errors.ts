/** Why there is no relay, or none any more. */
export type TurnFailure =
  /** Nothing came back in time: the server is not there, or the network blocks it. */
  | "timeout"
  /** The name has no address that can be reached from here. */
  | "unresolvable"
  /** The text names no TURN server, or the transport that it names cannot be used here. */
  | "invalid-server"
  /** The TCP connection or the TLS handshake failed; `cause` is the system's error. */
  | "unreachable"
  /** Username or credential are wrong or have expired (401, 441). */
  | "unauthorized"
  /** The server refused; `stunCode` says how. */
  | "refused"
  /** The server sent us to another (300), see `alternate`. */
  | "redirected"
  /** The server answered without what was asked for, or broke the framing. */
  | "malformed"
  /** The allocation is gone: it lapsed, or the server restarted (437). */
  | "expired"
  /** The connection to the server ended. */
  | "disconnected"
  /** The caller lost interest, or the game's socket was closed. */
  | "aborted";

interface TurnErrorOptions extends ErrorOptions {
  stunCode?: number | undefined;
}

/** A TURN exchange that failed. Its message is for people. */
export class TurnError extends Error {
  override readonly name: string = "TurnError";
  /** What failed. */
  readonly failure: TurnFailure;
  /** ERROR-CODE of a server that refused (RFC 8489 section 14.8, RFC 8656 section 19). */
  readonly stunCode: number | undefined;

  constructor(failure: TurnFailure, message: string, options: TurnErrorOptions = {}) {
    super(message, options);
    this.failure = failure;
    this.stunCode = options.stunCode;
  }
}
