/** The host's state machine: when to announce, and whom to answer. No I/O. */
import { callerKey } from "../net/caller-key.ts";
import { RateLimiter, TokenBucket } from "../net/token-bucket.ts";
import { decodeLanPacket, encodeAnnouncement, encodeGoodbye, encodeLocated, type LanDetails } from "./packet.ts";

/** Between announcements that nobody asked for, ms; each is between half of and the whole of it. */
export const ANNOUNCE_MS = 10_000;
/** The first ones follow sooner, since Wi-Fi loses multicast. */
const FIRST_MS: readonly number[] = [250, 1000];
/** After a change, ms. */
const CHANGE_MS = 250;
const MAX_SOURCES = 256;

export interface LanResponderOptions {
  id: string;
  details: LanDetails;
  random: () => number;
  /** Whether the internet knows this host by `203.0.113.7:7777`. Default: nobody knows. */
  isKnownAs?: ((endpoint: string) => boolean) | undefined;
}

export class LanResponder {
  readonly #id: string;
  readonly #random: () => number;
  readonly #isKnownAs: (endpoint: string) => boolean;
  /** A player asks a few times in its first seconds; whoever asks more, or all together, waits for announcements. */
  readonly #perSource = new RateLimiter({ burst: 4, perSecond: 1, maxKeys: MAX_SOURCES });
  readonly #all = new TokenBucket(40, 20);
  #details: LanDetails;
  #packet: Uint8Array;
  #announced = 0;
  #next: number;

  constructor(options: LanResponderOptions, now: number) {
    this.#id = options.id;
    this.#random = options.random;
    this.#isKnownAs = options.isKnownAs ?? (() => false);
    this.#details = options.details;
    this.#packet = encodeAnnouncement(options.id, options.details);
    this.#next = now;
  }

  /** When {@link handleTimeout} wants to be called. */
  get nextTimeout(): number {
    return this.#next;
  }

  update(details: LanDetails, now: number): void {
    this.#details = details;
    this.#packet = encodeAnnouncement(this.#id, details);
    this.#next = Math.min(this.#next, now + CHANGE_MS);
  }

  /** What to multicast now. */
  handleTimeout(now: number): Uint8Array | undefined {
    if (now < this.#next) return undefined;
    this.#next = now + (FIRST_MS[this.#announced++] ?? ANNOUNCE_MS * (0.5 + this.#random() / 2));
    return this.#packet;
  }

  /** What to answer, to the address and port from which it came, which must be on a network of ours. */
  handlePacket(datagram: Uint8Array, address: string, now: number): Uint8Array | undefined {
    const answer = this.#answerTo(datagram);
    if (answer === undefined || !this.#perSource.take(callerKey(address), now) || !this.#all.take(now))
      return undefined;
    return answer;
  }

  /** What to multicast at last. */
  goodbye(): Uint8Array {
    return encodeGoodbye(this.#id, this.#details.application);
  }

  #answerTo(datagram: Uint8Array): Uint8Array | undefined {
    const packet = decodeLanPacket(datagram);
    if (packet?.kind === "query" && packet.application === this.#details.application) return this.#packet;
    if (packet?.kind === "lookup" && this.#isKnownAs(packet.endpoint)) {
      return encodeLocated(this.#id, this.#details.port, packet.endpoint);
    }
    return undefined;
  }
}
