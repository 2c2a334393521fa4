/** What may be sent to an address that has not proved itself, per byte that came from there (RFC 9000 section 8). */
export const AMPLIFICATION_LIMIT = 3;

/**
 * Bytes to and from an address that has not proved itself: whose packets come from there may be somebody else, who wants the
 * address flooded. Counted are UDP's payloads, both ways, whatever is in them.
 */
export class UnprovenAddress {
  #received = 0;
  #sent = 0;

  /** An authentic datagram came from there. */
  received(bytes: number): void {
    this.#received += bytes;
  }

  /** Whether a datagram of this size may leave. */
  allows(bytes: number): boolean {
    return this.#sent + bytes <= AMPLIFICATION_LIMIT * this.#received;
  }

  /** Notes a datagram that is to leave. False, and nothing is noted, if so much must not be sent there. */
  take(bytes: number): boolean {
    if (!this.allows(bytes)) return false;
    this.#sent += bytes;
    return true;
  }
}
