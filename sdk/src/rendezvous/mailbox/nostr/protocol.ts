/** What we say to a Nostr relay, and read of what it says (NIP-01). No I/O. */
import { fromBase64, toBase64, toHex } from "../../wire/base64.ts";
import {
  MAX_CONTENT_BYTES,
  type RelayProtocol,
  type RelayProtocolEvents,
  type RelaySender,
  type Topic,
} from "../../wire/relay.ts";
import { EVENT_KIND, parseEvent, signEvent, TOPIC_TAG } from "./event.ts";

/** Names of our subscriptions: the topics, the question whether the relay is there, the question what time it is. */
const TOPICS = "t";
const PING = "p";
const TIME = "c";
/** Longer messages are not parsed. */
const MAX_TEXT = 16_384;
/** base64 */
const MAX_CONTENT_TEXT: number = Math.ceil(MAX_CONTENT_BYTES / 3) * 4;
/**
 * Events older than this are not wanted, s. Some relays keep ephemeral ones for minutes, so that a hello may be waiting for us. It is this
 * long since our clock may be ahead of the relay's.
 */
const LOOK_BACK_S = 86_400;
/** Of what was published, so much is kept until the relay has answered. */
const MAX_UNANSWERED = 16;
/** A clock is taken for wrong from this difference on, s. strfry refuses from 60 s behind on. */
const CLOCK_S = 20;

/** NIP-01: machine-readable beginnings of refusals. These mean that the relay is not for us. */
const LASTING = /^(?:auth-required|restricted|blocked|pow)\b/;
/** strfry's "ephemeral event expired" and "created_at too late", and other relays' words. */
const OF_TIME = /expired|created_at|timestamp|too (?:late|early|old|far)|in the (?:future|past)/i;
const TOO_MUCH = /rate|limit|too (?:many|fast|much)|slow down|blocked/i;

interface Publication {
  topic: Topic;
  content: Uint8Array;
  sender: RelaySender;
  again: boolean;
}

export interface NostrOptions {
  /** Milliseconds since 1970. */
  unixNow: () => number;
  random: (bytes: number) => Uint8Array;
}

export class NostrProtocol implements RelayProtocol {
  readonly #events: RelayProtocolEvents;
  readonly #options: NostrOptions;
  readonly #unanswered = new Map<string, Publication>();
  #topics: readonly Topic[] = [];
  /** What our clock is behind the relay's, s. */
  #offset = 0;
  /** Refused because of the time, and to be said again once that is known. */
  #waiting: Publication[] = [];

  constructor(events: RelayProtocolEvents, options: NostrOptions) {
    this.#events = events;
    this.#options = options;
  }

  start(topics: readonly Topic[]): void {
    this.subscribe(topics);
  }

  subscribe(topics: readonly Topic[]): void {
    this.#topics = topics;
    this.#request();
  }

  publish(topic: Topic, content: Uint8Array, sender: RelaySender): void {
    this.#publish({ topic, content, sender, again: false });
  }

  ping(): void {
    const nobodys = toHex(this.#options.random(32));
    this.#tell("REQ", PING, { kinds: [EVENT_KIND], [`#${TOPIC_TAG}`]: [nobodys], limit: 1 });
  }

  receive(data: string | Uint8Array): void {
    if (typeof data !== "string" || data.length > MAX_TEXT) return;
    let message: unknown;
    try {
      message = JSON.parse(data);
    } catch {
      return;
    }
    if (!Array.isArray(message)) return;
    const [verb, first, second, third] = message as unknown[];
    switch (verb) {
      case "EVENT":
        return first === TIME ? this.#onTime(second) : this.#onEvent(second);
      case "EOSE":
        return this.#onEnd(first);
      case "OK":
        return this.#onAnswer(first, second === true, textOf(third));
      case "CLOSED":
        if (first === TOPICS) this.#events.onFailed(textOf(second), LASTING.test(textOf(second)));
        else this.#onEnd(first);
        return;
      case "NOTICE":
        if (TOO_MUCH.test(textOf(first))) this.#events.onRefused(textOf(first));
        return;
    }
  }

  #request(): void {
    const since = this.#now() - LOOK_BACK_S;
    this.#tell("REQ", TOPICS, { kinds: [EVENT_KIND], [`#${TOPIC_TAG}`]: this.#topics, since });
  }

  #publish(publication: Publication): void {
    const { topic, content, sender } = publication;
    const event = signEvent(topic, toBase64(content), this.#now(), sender);
    this.#unanswered.set(event.id, publication);
    if (this.#unanswered.size > MAX_UNANSWERED) {
      const oldest = this.#unanswered.keys().next();
      if (!oldest.done) this.#unanswered.delete(oldest.value);
    }
    this.#tell("EVENT", event);
  }

  #onEvent(value: unknown): void {
    const event = parseEvent(value);
    if (event === undefined || event.content.length > MAX_CONTENT_TEXT) return;
    const topic = event.topics.find((each) => this.#topics.includes(each));
    const content = topic === undefined ? undefined : fromBase64(event.content);
    if (topic !== undefined && content !== undefined) this.#events.onMessage(topic, content);
  }

  #onEnd(subscription: unknown): void {
    if (subscription === TOPICS) this.#events.onSubscribed();
    else if (subscription === PING) {
      this.#tell("CLOSE", PING);
      this.#events.onAlive();
    } else if (subscription === TIME) {
      this.#tell("CLOSE", TIME);
      // It has told no time: then we cannot say it better.
      if (this.#waiting.length > 0) this.#events.onRefused("The clock of this computer is wrong.");
      this.#waiting = [];
    }
  }

  #onAnswer(id: unknown, isTaken: boolean, reason: string): void {
    const publication = typeof id === "string" ? this.#unanswered.get(id) : undefined;
    if (publication === undefined) return;
    this.#unanswered.delete(id as string);
    if (isTaken || reason.startsWith("duplicate")) return;
    if (LASTING.test(reason)) this.#events.onFailed(reason, true);
    else if (OF_TIME.test(reason) && !publication.again) {
      if (this.#waiting.length === 0) this.#tell("REQ", TIME, { kinds: [1], limit: 1 });
      if (this.#waiting.length < MAX_UNANSWERED) this.#waiting.push({ ...publication, again: true });
    } else this.#events.onRefused(reason);
  }

  /** The relay's newest note was written a moment ago: that is the time, as others see it. */
  #onTime(value: unknown): void {
    const at = (value as { created_at?: unknown } | null)?.created_at;
    if (this.#waiting.length === 0 || typeof at !== "number" || !Number.isSafeInteger(at)) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    const offset = at - this.#options.unixNow() / 1000;
    if (Math.abs(offset) < CLOCK_S) return this.#events.onRefused("The relay says that it is another time.");
    this.#offset = offset;
    this.#request();
    for (const publication of waiting) this.#publish(publication);
  }

  #now(): number {
    return Math.floor(this.#options.unixNow() / 1000 + this.#offset);
  }

  #tell(...message: unknown[]): void {
    this.#events.send(JSON.stringify(message));
  }
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value.slice(0, 200) : "";
}
