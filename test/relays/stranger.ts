/** Who listens at every relay, and says all that is said again: copies, old ones, in another order, to other topics, altered. */
import type { NostrRelay, SeenEvent } from "./nostr-relay.ts";

/** How often it looks, ms. */
const LOOK_MS = 5;
/** Each message is said again so long after it was seen, ms: at once, into the next one's time, and when the guest may be gone. */
const AGAIN_MS: readonly number[] = [0, 200, 1500];
/** Of the newest subscriptions, so many are written to. */
const SUBSCRIPTIONS = 4;

export class Stranger implements Disposable {
  readonly #relays: readonly NostrRelay[];
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #looking: NodeJS.Timeout;
  /** Of each relay's events. */
  readonly #seen: number[];
  /** Messages that were delivered to relays. */
  said = 0;

  /** Begins; what was published before is not said again. */
  constructor(relays: readonly NostrRelay[]) {
    this.#relays = relays;
    this.#seen = relays.map(({ events }) => events.length);
    this.#looking = setInterval(() => this.#look(), LOOK_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#looking);
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #look(): void {
    const fresh = this.#relays.flatMap(({ events }, i) => {
      const known = this.#seen[i];
      this.#seen[i] = events.length;
      return events.slice(known);
    });
    if (fresh.length === 0) return;
    for (const ms of AGAIN_MS) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#spread(fresh);
      }, ms);
      this.#timers.add(timer);
    }
  }

  /** The last first, to each topic that was listened to of late, over each relay. */
  #spread(events: readonly SeenEvent[]): void {
    for (const relay of this.#relays) {
      for (const topic of new Set(relay.subscribed.slice(-SUBSCRIPTIONS).flat())) {
        for (const event of events.toReversed()) {
          const tags = [["x", topic]];
          const bytes = Buffer.from(event.content, "base64");
          // The name of a conversation stays, the number or the sealed part does not.
          for (const at of [bytes.length >> 1, 9]) {
            const forged = Buffer.from(bytes);
            forged[at] = (forged[at] ?? 0) ^ 1;
            relay.deliver({ ...event, tags, content: forged.toString("base64") });
          }
          relay.deliver({ ...event, tags });
          this.said += 3;
        }
      }
    }
  }
}
