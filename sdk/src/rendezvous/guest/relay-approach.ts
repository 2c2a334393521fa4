/** A guest's way through relays to its host: hello over several at once, and the first answer that is the host's. */
import type { Clock } from "../../net/clock.ts";
import { traceOf } from "../../net/trace.ts";
import { TraceLimiter } from "../../net/trace-limiter.ts";
import { Conversation } from "../mailbox/conversation.ts";
import { RelayPool } from "../mailbox/pool.ts";
import type { OpenRelaySocket } from "../mailbox/socket.ts";
import { epochOf, guestTopic, hostTopic, type InviteKeys, publicPrologue, SEED_BYTES } from "../mailbox/topics.ts";
import { type Introduction, readyText } from "../sealed/introduction.ts";
import { NoiseInitiator, type NoiseTransport, TAG_BYTES } from "../sealed/noise.ts";
import { encodeGuestOpening, parseRecords, recordsThatFit } from "../sealed/opening.ts";
import { OPENING, PARCEL } from "../sealed/parcel.ts";
import { RECORD, SEALED_ON_THE_WAY, sealRecords } from "../sealed/records.ts";
import { RendezvousError } from "../wire/errors.ts";
import { MAX_CONTENT_BYTES } from "../wire/relay.ts";
import type { TraversalServers } from "../wire/servers.ts";

const trace = traceOf("rendezvous");
const limiter = new TraceLimiter();

/** Relays that are asked at once, and after so long without an answer, ms. */
const ASKED = { atOnce: 5, later: 10, afterMs: 2000 } as const;
/** The hello is sent again at these times, ms since the first. */
const AGAIN_MS: readonly number[] = [700, 1700, 3500];
/** So long after the first hello nobody is expected to answer, ms. */
const NO_ANSWER_MS = 6000;
/** Without a single relay, ms. */
const NO_RELAY_MS = 8000;
/** Answers whose key is checked against the code, which takes a slow hash each. Others with the code can make some. */
const MAX_CHECKS = 3;
/** What has been published still leaves, ms. */
const LEAVE_MS = 200;
/** Before the records of a hello: first byte, ephemeral key, tag, and the opening's own fields. */
const HELLO_OVERHEAD: number = 1 + 32 + TAG_BYTES + SEED_BYTES + 4;

export interface RelayApproachOptions {
  code: string;
  keys: InviteKeys;
  /** Ranked. */
  relays: readonly string[];
  /** So many of them, the first, are the host's own: the others are asked when these do not answer. */
  named: number;
  servers: TraversalServers;
  /** Whether this key is the host's that the invite names. */
  isHost: (publicKey: Uint8Array) => boolean | Promise<boolean>;
  /** Messages that go along with the hello. */
  opening: () => readonly Uint8Array[];
  openSocket: OpenRelaySocket;
  clock: Clock;
  random: (bytes: number) => Uint8Array;
}

/** Needs noise to be ready. Begins at once. */
export class RelayApproach {
  readonly #options: RelayApproachOptions;
  readonly #introduced = Promise.withResolvers<Introduction>();
  readonly #seed: Uint8Array;
  readonly #sender: Uint8Array;
  readonly #pool: RelayPool;
  readonly #timers: (() => void)[] = [];
  readonly #epoch: number;
  #hello: { bytes: Uint8Array; initiator: NoiseInitiator; records: number } | undefined;
  /** What had no room in the hello. */
  #left: Uint8Array[] = [];
  #conversation: Conversation | undefined;
  #checks = 0;
  #isChecking = false;
  #isOver = false;

  constructor(options: RelayApproachOptions) {
    this.#options = options;
    const { clock, random, relays, named, openSocket } = options;
    this.introduced.catch(() => undefined);
    this.#seed = random(SEED_BYTES);
    this.#sender = random(32);
    this.#epoch = epochOf(clock.unixNow());
    this.#timers.push(clock.after(NO_RELAY_MS, () => this.#onNoRelay()));
    this.#timers.push(clock.after(ASKED.afterMs, () => this.#pool.widen(ASKED.later)));
    this.#pool = new RelayPool({
      ranked: relays,
      wanted: named > 0 ? Math.min(named, ASKED.atOnce) : ASKED.atOnce,
      topicsOf: (relay) => [guestTopic(this.#seed, relay)],
      openSocket,
      clock,
      random,
      onReady: (relay) => this.#onReady(relay),
      onMessage: (relay, _topic, content) => this.#onMessage(relay, content),
    });
  }

  get introduced(): Promise<Introduction> {
    return this.#introduced.promise;
  }

  /** Gives up. */
  close(): void {
    this.#fail(new RendezvousError("aborted", "Given up by the caller."));
  }

  #onReady(relay: string): void {
    if (this.#isOver || this.#conversation !== undefined) return;
    if (this.#hello === undefined) {
      this.#hello = this.#makeHello();
      const { clock } = this.#options;
      for (const ms of AGAIN_MS) this.#timers.push(clock.after(ms, () => this.#sayHello(this.#pool.publishable)));
      this.#timers.push(clock.after(NO_ANSWER_MS, () => this.#onNoAnswer()));
      if (trace.on) trace.event("hello", { withLink: this.#options.keys.mode === "link", relay: new URL(relay) });
    }
    this.#sayHello([relay]);
  }

  #makeHello(): { bytes: Uint8Array; initiator: NoiseInitiator; records: number } {
    const { keys, opening, clock } = this.#options;
    const prologue = publicPrologue(keys.mode, this.#epoch);
    const initiator = new NoiseInitiator({ prologue, psk: keys.psk });
    const records = [
      ...sealRecords(SEALED_ON_THE_WAY, RECORD.ready, readyText()),
      ...opening().flatMap((message) => sealRecords(SEALED_ON_THE_WAY, RECORD.message, message)),
    ];
    const along = records.slice(0, recordsThatFit(records, MAX_CONTENT_BYTES - HELLO_OVERHEAD));
    this.#left = records.slice(along.length);
    const unixSeconds = Math.floor(clock.unixNow() / 1000);
    const message = initiator.write(encodeGuestOpening({ seed: this.#seed, unixSeconds, records: along }));
    return { bytes: Uint8Array.of(OPENING, ...(message ?? [])), initiator, records: along.length };
  }

  #sayHello(relays: readonly string[]): void {
    if (this.#isOver || this.#conversation !== undefined || this.#hello === undefined) return;
    const { keys } = this.#options;
    for (const relay of relays) {
      this.#pool.publish(relay, hostTopic(keys, relay, this.#epoch), this.#hello.bytes, this.#sender);
    }
  }

  #onMessage(relay: string, content: Uint8Array): void {
    if (this.#isOver) return;
    if (content[0] === PARCEL) this.#conversation?.receive(relay, content);
    else if (content[0] === OPENING) this.#onAnswer(relay, content);
  }

  #onAnswer(relay: string, content: Uint8Array): void {
    if (this.#conversation !== undefined || this.#isChecking || this.#hello === undefined) return;
    const answer = this.#hello.initiator.read(content.subarray(1));
    const records = answer && parseRecords(answer.payload);
    if (records === undefined || answer === undefined) {
      const count = trace.on ? limiter.take("answer", this.#options.clock.now()) : 0;
      if (count > 0) trace.event("answer-dropped", { relay: new URL(relay), count });
      return;
    }
    const isHost = this.#options.isHost(answer.responderKey);
    if (typeof isHost === "boolean") {
      if (isHost) this.#begin(relay, answer, records);
      return;
    }
    if (++this.#checks > MAX_CHECKS) return;
    this.#isChecking = true;
    isHost.then(
      (is) => {
        this.#isChecking = false;
        // Others who have the code can answer; the host's own answer comes again.
        if (is && !this.#isOver) this.#begin(relay, answer, records);
      },
      (cause: unknown) => {
        // It takes 64 MiB at once, which a phone may not have.
        this.#isChecking = false;
        this.#fail(new RendezvousError("unreachable", "The host's answer could not be checked here.", { cause }));
      },
    );
  }

  #begin(relay: string, answer: NoiseTransport & { responderKey: Uint8Array }, records: readonly Uint8Array[]): void {
    const { code, keys, servers, clock } = this.#options;
    for (const cancel of this.#timers.splice(0)) cancel();
    const conversation = new Conversation({
      code,
      // Until the host's own come, the first of the records.
      details: { name: "", description: "", players: 0, maxPlayers: 0, version: "", endpoints: [] },
      remoteKey: answer.responderKey,
      authenticated: keys.mode === "link",
      servers: () => servers,
      clock,
      sender: this.#sender,
      relays: () => this.#pool.publishable,
      publish: (to, parcel, sender) => this.#pool.publish(to, hostTopic(keys, to, this.#epoch), parcel, sender),
      onEnd: () => this.#end(),
    });
    this.#conversation = conversation;
    conversation.hear(relay);
    conversation.begin(answer, { sent: this.#hello?.records ?? 0, received: records.length });
    conversation.sendRecords(this.#left);
    const { introduction } = conversation;
    for (const record of records) introduction.receive(record);
    if (trace.on) trace.event("answered", { relay: new URL(relay) });
    if (introduction.outdated) {
      this.#introduced.reject(new RendezvousError("refused", `${introduction.outdated.sentence}.`));
    } else if (introduction.closed !== undefined) {
      const { reason } = introduction.closed;
      this.#introduced.reject(new RendezvousError("refused", `The host ended the introduction: ${reason}`));
    } else if (introduction.hasDetails) this.#introduced.resolve(introduction);
    else {
      introduction.close("malformed");
      this.#introduced.reject(new RendezvousError("refused", "The host did not say what it is."));
    }
  }

  #onNoRelay(): void {
    if (this.#hello !== undefined) return;
    this.#fail(
      new RendezvousError(
        "unreachable",
        "None of the public relays answers. Is this computer online, and does its network let WebSockets out?",
      ),
    );
  }

  #onNoAnswer(): void {
    if (this.#isChecking || this.#conversation !== undefined) return;
    this.#fail(
      new RendezvousError(
        "unknown-invite",
        "Nobody answers to this invite: either a letter of it is wrong, or its host is off. Compare the code, and ask the host.",
      ),
    );
  }

  #fail(error: RendezvousError): void {
    this.#introduced.reject(error);
    this.#conversation?.introduction.lose(error.message);
    this.#end();
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const cancel of this.#timers.splice(0)) cancel();
    this.#options.clock.after(this.#conversation === undefined ? 0 : LEAVE_MS, () => this.#pool.close());
  }
}
