/** Why somebody does not get what it asked for. */
export interface Refusal {
  /** 429: it has taken its share. 503: all together have. */
  readonly status: 429 | 503;
  /** What happened, and what to do. */
  readonly error: string;
  /** When asking again may help, ms; undefined where waiting does not. */
  readonly retryAfterMs: number | undefined;
}

/** @param cause begins a sentence that ends in how long to wait */
export function waitFor(status: Refusal["status"], cause: string, ms: number): Refusal {
  const seconds = secondsOf(ms);
  const error = `${cause}: wait ${seconds === 1 ? "a second" : `${seconds} seconds`}.`;
  return { status, error, retryAfterMs: ms };
}

/** As `Retry-After` says it (RFC 9110 section 10.2.3): whole seconds, at least one. */
export function secondsOf(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000));
}
