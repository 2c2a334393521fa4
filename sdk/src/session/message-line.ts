import { LineModel, type NetworkConditions } from "../channel/line-model.ts";

/** The clock and the timer of a {@link MessageLine}. */
export interface MessageLineOptions {
  /** A monotonic clock, ms. */
  now: () => number;
  /** Runs `work` once, after `ms`. */
  later: (work: () => void, ms: number) => void;
  /** The same seed makes the same line. Default: at random. */
  seed?: number;
}

/** A message on its way, and when it arrives. */
interface Arrival {
  dueAt: number;
  deliver: () => void;
}

/**
 * What TCP needs to notice a loss, beside a round trip, ms: the packets behind the lost one, and their acknowledgements.
 * Whatever is lost a second time waits for a timeout (RFC 6298: 200 ms at least in Linux, doubled each time).
 */
const NOTICED_MS = 20;
const TIMEOUT_MS = 200;
const MAX_RETRANSMISSIONS = 6;

/**
 * A bad line for messages whose packets are somebody else's to send: a WebSocket's. One that is lost is sent again, as TCP does it, and
 * all behind it wait. One direction.
 */
export class MessageLine {
  readonly #model: LineModel;
  readonly #options: MessageLineOptions;
  /** In their order. */
  readonly #queue: Arrival[] = [];
  #lastDue = Number.NEGATIVE_INFINITY;
  #armed = false;

  constructor(conditions: NetworkConditions, options: MessageLineOptions) {
    this.#options = options;
    this.#model = new LineModel(conditions, options.seed ?? Math.trunc(Math.random() * 2 ** 32));
  }

  /** May be changed at any time, for the messages that follow. */
  get conditions(): NetworkConditions {
    return this.#model.conditions;
  }

  set conditions(conditions: NetworkConditions) {
    this.#model.conditions = conditions;
  }

  /** A message that arrives once, behind those before it. */
  send(bytes: number, deliver: () => void): void {
    const now = this.#options.now();
    let sentAt = now;
    let dueAt = this.#model.dueAt(bytes, sentAt);
    for (let times = 0; Number.isNaN(dueAt) && times < MAX_RETRANSMISSIONS; times++) {
      const { delayMs = 0, jitterMs = 0 } = this.conditions;
      const roundTripMs = 2 * delayMs + jitterMs;
      sentAt += times === 0 ? roundTripMs + NOTICED_MS : Math.max(TIMEOUT_MS, 2 * roundTripMs) << (times - 1);
      dueAt = this.#model.dueAt(bytes, sentAt);
    }
    if (Number.isNaN(dueAt)) dueAt = sentAt;
    if (dueAt <= now && this.#queue.length === 0) return deliver();
    this.#lastDue = Math.max(dueAt, this.#lastDue);
    this.#queue.push({ dueAt: this.#lastDue, deliver });
    this.#arm(now);
  }

  #arm(now: number): void {
    const [first] = this.#queue;
    if (first === undefined || this.#armed) return;
    this.#armed = true;
    this.#options.later(this.#deliverDue, Math.max(0, first.dueAt - now));
  }

  readonly #deliverDue = (): void => {
    this.#armed = false;
    const now = this.#options.now();
    // Timers fire up to 1 ms early.
    for (let [first] = this.#queue; first !== undefined && first.dueAt <= now + 1; [first] = this.#queue) {
      this.#queue.shift();
      first.deliver();
    }
    this.#arm(now);
  };
}
