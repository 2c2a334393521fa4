import { Deque } from "./deque.ts";
import type { OutgoingMessage } from "./outgoing-message.ts";

/** A copy in the same breath would be lost with the original. */
const COPY_AFTER_MS = 4;
/** The loss of a message this old has been found out otherwise. */
const COPY_BEFORE_MS = 150;

/** Small reliable messages worth sending once more before it is known whether they arrived, in the order of sending. */
export class CopyQueue {
  readonly #messages: Deque<OutgoingMessage> = new Deque<OutgoingMessage>();
  readonly #serials: Deque<number> = new Deque<number>();

  push(message: OutgoingMessage): void {
    this.#messages.push(message);
    this.#serials.push(message.serial);
  }

  shift(): void {
    this.#messages.shift();
    this.#serials.shift();
  }

  /** The first that is still waited for; those that are not are taken off. */
  first(now: number): OutgoingMessage | undefined {
    for (let message = this.#messages.at(0); message; message = this.#messages.at(0)) {
      const waitedFor = message.serial === this.#serials.at(0) && !message.acked && !message.resending;
      if (waitedFor && now <= message.firstSentAt + COPY_BEFORE_MS) return message;
      this.shift();
    }
    return undefined;
  }

  /** As {@link first}, if it was not sent just now. */
  due(now: number): OutgoingMessage | undefined {
    const message = this.first(now);
    return message && message.lastSentAt + COPY_AFTER_MS <= now ? message : undefined;
  }

  clear(): void {
    this.#messages.clear();
    this.#serials.clear();
  }
}
