/** Why a STUN server gave no answer that can be used. */
export type StunFailure =
  /** Nothing came back in time: the server is not there, or UDP is blocked. */
  | "timeout"
  /** The name has no address that this socket reaches. */
  | "unresolvable"
  /** The text names no STUN server over UDP. */
  | "invalid-server"
  /** The socket is closed or does not carry this family of addresses. */
  | "unsendable"
  /** The server refused; `stunCode` says how. */
  | "refused"
  /** The server answered without what was asked for. */
  | "malformed"
  /** The caller lost interest, or the socket was closed. */
  | "aborted";

/** A STUN exchange that failed. Its message is for people. */
export class StunError extends Error {
  override readonly name: string = "StunError";
  /** What failed. */
  readonly failure: StunFailure;
  /** ERROR-CODE of a server that refused. */
  readonly stunCode: number | undefined;

  constructor(failure: StunFailure, message: string, options: ErrorOptions & { stunCode?: number } = {}) {
    super(message, options);
    this.failure = failure;
    this.stunCode = options.stunCode;
  }
}
