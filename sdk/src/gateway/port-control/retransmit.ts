/** When a request is sent again. */
export interface RetransmitOptions {
  /** Milliseconds before the first retry. */
  initialMs: number;
  /** Multiplies the pause after each retry. */
  factor: number;
  maxMs: number;
  /** How often it is sent in all. */
  tries: number;
  /** RFC 6887's RAND: pauses vary by this share either way. */
  jitter: number;
}

/** RFC 6886 section 3.1: 250 ms, doubled, nine times. */
export const NAT_PMP_RETRANSMIT: RetransmitOptions = { initialMs: 250, factor: 2, maxMs: 64_000, tries: 9, jitter: 0 };
/**
 * RFC 6887 section 8.1.1 begins at 3 s, for servers across a provider's network. A home router on the same link answers in
 * milliseconds or lost the packet: the retries begin as NAT-PMP's do, and end with pauses of 3 s.
 */
export const PCP_RETRANSMIT: RetransmitOptions = { initialMs: 250, factor: 2, maxMs: 3000, tries: 9, jitter: 0.1 };

/** The retries of one request. No I/O: asked with the time, it says what is due. */
export class Retransmission {
  readonly #options: RetransmitOptions;
  readonly #random: () => number;
  #sent = 0;
  #due: number;
  #pause: number;

  constructor(options: RetransmitOptions, now: number, random: () => number) {
    this.#options = options;
    this.#random = random;
    this.#due = now;
    this.#pause = options.initialMs;
  }

  /** When to poll next. */
  get due(): number {
    return this.#due;
  }

  /** `send` when the request is to go out now, `wait` when not yet, `over` when it was sent often enough. */
  poll(now: number): "send" | "wait" | "over" {
    if (now < this.#due) return "wait";
    const { tries, factor, maxMs, jitter } = this.#options;
    if (this.#sent >= tries) return "over";
    this.#sent++;
    this.#due = now + this.#pause * (1 + jitter * (2 * this.#random() - 1));
    this.#pause = Math.min(this.#pause * factor, maxMs);
    return "send";
  }
}
