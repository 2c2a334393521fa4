import type { StunMessage } from "../stun/message.ts";
import type { CandidatePair } from "./pair.ts";
import type { IceRole } from "./types.ts";

/** How long an answer is waited for. */
const TRANSACTION_MS = 8_000;
const MAX_TRANSACTIONS = 256;

export interface Transaction {
  readonly pair: CandidatePair;
  readonly sentAt: number;
  readonly role: IceRole;
}

/**
 * Checks that may still be answered. Each check is a transaction of its own, where RFC 8489 would repeat one, so that an
 * answer tells the round trip of the very check that it answers.
 */
export class Transactions {
  readonly #pending: Map<string, Transaction> = new Map();

  add(id: Uint8Array, transaction: Transaction): void {
    if (this.#pending.size >= MAX_TRANSACTIONS) {
      const [oldest] = this.#pending.keys();
      if (oldest !== undefined) this.#pending.delete(oldest);
    }
    this.#pending.set(Buffer.from(id).toString("latin1"), transaction);
  }

  /**
   * The check that a response answers, which must come from where the check went (RFC 8445 section 7.2.5.2.1). It is
   * forgotten only when `accepts` says that the response is genuine: a forger must not be able to end it.
   */
  take(
    response: StunMessage,
    via: string,
    address: string,
    port: number,
    accepts: () => boolean,
  ): Transaction | undefined {
    const key = response.transactionKey;
    const transaction = this.#pending.get(key);
    if (transaction === undefined) return undefined;
    const { pair } = transaction;
    if (pair.via !== via || pair.address !== address || pair.port !== port || !accepts()) return undefined;
    this.#pending.delete(key);
    return transaction;
  }

  expire(now: number): void {
    for (const [key, { sentAt }] of this.#pending) {
      if (now - sentAt < TRANSACTION_MS) break;
      this.#pending.delete(key);
    }
  }

  clear(): void {
    this.#pending.clear();
  }
}
