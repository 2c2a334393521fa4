/**
 * Why an invite did not lead to a host, or a host to a lobby.
 *
 * - `invalid-invite`: the text is not an invite (wrong letters, wrong length).
 * - `unknown-invite`: the lobby knows no host with this invite: mistyped, or the host has gone.
 * - `no-lobby`: a bare code was given and no lobby to ask; or a game that has no lobby was asked for another invite.
 * - `unreachable`: the lobby did not answer, or is no lobby.
 * - `rate-limited`: too many requests from this address.
 * - `refused`: the lobby answered and said no.
 * - `invalid`: something sent or received is malformed or too large.
 * - `forged`: the lobby names another host than the invite does, or what it relays is not what was said.
 * - `no-relay`: addresses stay hidden (`relayOnly`), and no TURN server is known.
 * - `missing-package`: the lobby needs `@colyseus/sdk`, which is not installed.
 * - `aborted`: the caller's signal, or `close()`.
 */
export type RendezvousErrorCode =
  | "invalid-invite"
  | "unknown-invite"
  | "no-lobby"
  | "unreachable"
  | "rate-limited"
  | "refused"
  | "invalid"
  | "forged"
  | "no-relay"
  | "missing-package"
  | "aborted";

/** For a trace. What is no invite and no URL may hold anything, and the message repeats it. */
export function traceableFailure(error: unknown): { code: RendezvousErrorCode | "unknown"; reason?: string } {
  if (!(error instanceof RendezvousError)) return { code: "unknown" };
  const { code, message } = error;
  return code === "invalid-invite" || code === "invalid" ? { code } : { code, reason: message };
}

/** A join by invite, or a registration, that failed. Its message is for people. */
export class RendezvousError extends Error {
  override readonly name = "RendezvousError";
  /** What failed. */
  readonly code: RendezvousErrorCode;

  constructor(code: RendezvousErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
