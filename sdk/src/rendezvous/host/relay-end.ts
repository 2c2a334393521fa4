/** A host on public relays: it listens, and publishes nothing but answers. */
import { randomBytes } from "node:crypto";
import { type Clock, systemClock } from "../../net/clock.ts";
import { RelayPool } from "../mailbox/pool.ts";
import { rankRelays } from "../mailbox/ranking.ts";
import { isDefaultRelay } from "../mailbox/relay-list.ts";
import type { OpenRelaySocket } from "../mailbox/socket.ts";
import { EPOCH_MS, epochOf, hostTopic, type InviteKeys, keysOfCode, keysOfPass, rankOf } from "../mailbox/topics.ts";
import type { PublicIdentity } from "../sealed/public-identity.ts";
import { RendezvousError } from "../wire/errors.ts";
import { formatHint } from "../wire/hint.ts";
import { type Invite, publicInviteUrl } from "../wire/invite.ts";
import type { Topic } from "../wire/relay.ts";
import type { HostEnd, HostEndEvents } from "./host-end.ts";
import { type Heard, RelayIntroductions } from "./relay-introductions.ts";

/** Relays that a host holds: of five, one answers nearly always although a third of them is dead, full or unwilling. */
export const HELD_RELAYS = 5;
/** When no relay has been there for so long, the host is said to be lost, ms. */
const LOST_MS = 15_000;
/** What has been published still leaves, ms. */
const LEAVE_MS = 200;

export interface RelayEndOptions {
  identity: PublicIdentity;
  /** All that are known, in their normal form. */
  relays: readonly string[];
  /** What the relays' holders learn besides an invite's code: see SALLYPORT_STUN_URLS. */
  stunServers: readonly string[];
  /** Nobody comes by code. */
  linkOnly: boolean;
  /** The page of the link. */
  page: () => string | undefined;
  openSocket: OpenRelaySocket;
  timeoutMs: number;
  signal: AbortSignal;
  clock?: Clock;
}

/** Answers when the first relay listens. @throws RendezvousError `unreachable`, `aborted` */
export async function openRelayEnd(options: RelayEndOptions): Promise<RelayEnd> {
  const { timeoutMs, signal, clock = systemClock } = options;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const end = new RelayEnd(options, resolve);
  const cancel = clock.after(timeoutMs, () =>
    reject(new RendezvousError("unreachable", `None of ${end.tried} relays answers: is this computer online?`)),
  );
  const onAbort = (): void =>
    reject(new RendezvousError("aborted", "Given up by the caller.", { cause: signal.reason }));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await promise;
    return end;
  } catch (error) {
    await end.leave();
    throw error;
  } finally {
    cancel();
    signal.removeEventListener("abort", onAbort);
  }
}

export class RelayEnd implements HostEnd {
  readonly #options: RelayEndOptions;
  readonly #clock: Clock;
  readonly #keys: readonly InviteKeys[];
  readonly #pool: RelayPool;
  readonly #ranked: readonly string[];
  /** What a topic of ours means. */
  #topics = new Map<Topic, Heard>();
  #introductions: RelayIntroductions | undefined;
  #events: HostEndEvents | undefined;
  #cancelEpoch: () => void;
  #cancelLost: () => void = () => undefined;
  #epoch: number;
  #isClosed = false;

  /** @param onFirst a relay listens */
  constructor(options: RelayEndOptions, onFirst: () => void) {
    this.#options = options;
    const { identity, relays, linkOnly, openSocket, clock = systemClock } = options;
    this.#clock = clock;
    const link = keysOfPass(identity.pass);
    this.#keys = linkOnly ? [link] : [link, keysOfCode(identity.codeSecret)];
    this.#ranked = rankRelays(rankOf(identity.codeSecret), relays, true);
    this.#epoch = epochOf(clock.unixNow());
    this.#cancelEpoch = this.#nextEpoch();
    this.#pool = new RelayPool({
      ranked: this.#ranked,
      wanted: HELD_RELAYS,
      topicsOf: (relay) => this.#topicsOf(relay),
      openSocket,
      clock,
      random: randomBytes,
      onReady: () => {
        this.#cancelLost();
        onFirst();
      },
      onLost: () => this.#onLost(),
      onMessage: (_relay, topic, content) => {
        const heard = this.#topics.get(topic);
        if (heard !== undefined && !this.#isClosed) this.#introductions?.receive(heard, content);
      },
    });
  }

  get isOpen(): boolean {
    return !this.#isClosed && this.#pool.ready.length > 0;
  }

  /** How many relays there are. */
  get tried(): number {
    return this.#ranked.length;
  }

  start(events: HostEndEvents): void {
    const { identity, stunServers } = this.#options;
    this.#events = events;
    this.#introductions = new RelayIntroductions({
      identity,
      events,
      relays: () => this.#pool.publishable,
      publish: (relay, topic, content, sender) => this.#pool.publish(relay, topic, content, sender),
      clock: this.#clock,
      random: randomBytes,
    });
    events.onRegistered(this.#invite());
    events.onServers({ stun: [...stunServers], turn: [] });
  }

  /** Relays show nothing to anybody. */
  update(): void {}

  changePage(): void {
    this.#events?.onRegistered(this.#invite());
  }

  closeIntroductions(reason: string): void {
    this.#introductions?.close(reason);
  }

  loseIntroductions(reason: string): void {
    this.#introductions?.lose(reason);
  }

  async leave(): Promise<void> {
    this.#isClosed = true;
    this.#cancelEpoch();
    this.#cancelLost();
    if (this.#introductions !== undefined) {
      await new Promise<void>((resolve) => void setTimeout(resolve, LEAVE_MS));
    }
    this.#pool.close();
  }

  #invite(): Invite {
    const { code, seal, codeSecret } = this.#options.identity;
    // The best ones first: a link has room for a few.
    const relays = this.#ranked.filter((relay) => !isDefaultRelay(relay));
    const hint = formatHint({ rank: rankOf(codeSecret), relays });
    return { code, url: publicInviteUrl(this.#options.page(), code, seal, hint) };
  }

  #topicsOf(relay: string): Topic[] {
    const topics: Topic[] = [];
    // Clocks may differ by as much as an epoch.
    for (const epoch of [this.#epoch, this.#epoch - 1, this.#epoch + 1]) {
      for (const keys of this.#keys) {
        const topic = hostTopic(keys, relay, epoch);
        this.#topics.set(topic, { relay, keys, epoch });
        topics.push(topic);
      }
    }
    return topics;
  }

  /** By the clock on the wall; looked at now and then, since a machine may sleep. */
  #nextEpoch(): () => void {
    const untilNext = EPOCH_MS - (this.#clock.unixNow() % EPOCH_MS);
    return this.#clock.after(Math.min(untilNext, 60_000), () => {
      const epoch = epochOf(this.#clock.unixNow());
      if (epoch !== this.#epoch) {
        this.#epoch = epoch;
        this.#topics = new Map();
        this.#pool.resubscribe();
        this.#introductions?.forgetBefore(epoch - 1);
      }
      this.#cancelEpoch = this.#nextEpoch();
    });
  }

  #onLost(): void {
    if (this.#isClosed || this.#events === undefined || this.#pool.ready.length > 0) return;
    this.#cancelLost();
    this.#cancelLost = this.#clock.after(LOST_MS, () => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      this.#cancelEpoch();
      this.#pool.close();
      this.#events?.onClosed(new RendezvousError("unreachable", "No relay answers: is this computer online?"));
    });
  }
}
