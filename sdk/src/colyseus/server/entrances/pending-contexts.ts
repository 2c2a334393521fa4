import type { AuthContext } from "@colyseus/core";

/** More players than these do not join within one token's lifetime. */
const MAX_PENDING = 4096;

/**
 * Headers, token and address of the HTTP request by which a player asked in, kept for `onAuth` until the session stands: they do
 * not fit into a connect token.
 */
export class PendingContexts {
  readonly #lifetimeMs: number;
  /** In order of arrival, hence of expiry. */
  readonly #pending = new Map<bigint, { context: AuthContext; expiresAt: number }>();

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs;
  }

  get size(): number {
    return this.#pending.size;
  }

  set(clientId: bigint, context: AuthContext, now: number): void {
    for (const [oldest, { expiresAt }] of this.#pending) {
      if (expiresAt > now && this.#pending.size < MAX_PENDING) break;
      this.#pending.delete(oldest);
    }
    this.#pending.set(clientId, { context, expiresAt: now + this.#lifetimeMs });
  }

  take(clientId: bigint, now: number): AuthContext | undefined {
    const pending = this.#pending.get(clientId);
    this.#pending.delete(clientId);
    return pending && pending.expiresAt > now ? pending.context : undefined;
  }
}
