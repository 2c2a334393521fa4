/** The host's side of all introductions that come through relays. What is not of a guest of ours is dropped in silence. */
import type { Clock } from "../../net/clock.ts";
import { traceOf } from "../../net/trace.ts";
import { TraceLimiter } from "../../net/trace-limiter.ts";
import { Conversation } from "../mailbox/conversation.ts";
import { guestTopic, type InviteKeys, type InviteMode, publicPrologue } from "../mailbox/topics.ts";
import { NoiseResponder, TAG_BYTES } from "../sealed/noise.ts";
import { encodeRecords, type GuestOpening, parseGuestOpening, recordsThatFit } from "../sealed/opening.ts";
import { CONVERSATION_BYTES, OPENING, PARCEL } from "../sealed/parcel.ts";
import type { PublicIdentity } from "../sealed/public-identity.ts";
import { toHex } from "../wire/base64.ts";
import { MAX_CONTENT_BYTES, type RelaySender } from "../wire/relay.ts";
import { HelloLimits } from "./hello-limits.ts";
import type { HostEndEvents } from "./host-end.ts";
import { SeenHellos } from "./seen-hellos.ts";

const trace = traceOf("rendezvous");
const limiter = new TraceLimiter();

/** First byte, an ephemeral key, the tag: less is no hello. */
const HELLO_BYTES: number = 1 + 32 + TAG_BYTES;
/** Of an answer: first byte, ephemeral, sealed static key, tag. */
const ANSWER_OVERHEAD: number = 1 + 32 + 32 + 2 * TAG_BYTES;
/** How long a guest may take to prove that its hello was no copy, and how long it may say nothing afterwards, ms. */
const CONFIRM_MS = 15_000;
const SILENCE_MS = 60_000;
/** No introduction takes longer, ms. */
const LIFETIME_MS = 180_000;
/** A hello of this age is served at once; an older or younger one when its guest has proven that it is there, s. */
const FRESH_S = 120;
/** An answer is published so often at once, each time over another relay, and in all; the further ones after so long, ms. */
const ANSWERS = { atOnce: 2, inAll: 6, apartMs: 500 } as const;

/** Where a message came from. */
export interface Heard {
  relay: string;
  keys: InviteKeys;
  epoch: number;
}

export interface RelayIntroductionsOptions {
  identity: PublicIdentity;
  events: Pick<HostEndEvents, "details" | "servers" | "onIntroduction" | "onOutdated">;
  relays: () => readonly string[];
  publish: (relay: string, topic: string, content: Uint8Array, sender: RelaySender) => void;
  clock: Clock;
  random: (bytes: number) => Uint8Array;
}

interface Entry {
  mode: InviteMode;
  conversation: Conversation;
  seed: Uint8Array;
  sender: RelaySender;
  answer: Uint8Array;
  /** Over which relays, the last time at. */
  answers: string[];
  answeredAt: number;
  /** The guest has sealed something with the keys of this conversation. */
  isConfirmed: boolean;
  isServed: boolean;
  heardAt: number;
  cancel: () => void;
}

export class RelayIntroductions {
  readonly #options: RelayIntroductionsOptions;
  readonly #limits = new HelloLimits();
  readonly #seen = new SeenHellos<Entry>();
  readonly #open = new Map<string, Entry>();
  /** For each mode and epoch, ready to read: a flood of junk should cost little. */
  readonly #responders = new Map<string, NoiseResponder>();

  constructor(options: RelayIntroductionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  receive(heard: Heard, content: Uint8Array): void {
    const [type] = content;
    if (type === OPENING && content.length >= HELLO_BYTES) this.#onHello(heard, content);
    else if (type === PARCEL) this.#onParcel(heard.relay, content);
  }

  forgetBefore(epoch: number): void {
    this.#seen.forgetBefore(epoch);
    this.#responders.clear();
  }

  lose(reason: string): void {
    for (const { conversation } of this.#open.values()) conversation.introduction.lose(reason);
  }

  close(reason: string): void {
    for (const { conversation } of this.#open.values()) conversation.introduction.close(reason);
  }

  #onHello(heard: Heard, hello: Uint8Array): void {
    const { clock } = this.#options;
    const { keys, epoch } = heard;
    const name = SeenHellos.nameOf(hello);
    if (this.#seen.has(name)) return this.#answerAgain(this.#seen.get(name), heard.relay);
    const responder = this.#responderFor(heard).clone();
    const payload = responder.read(hello.subarray(1));
    const opening = payload && parseGuestOpening(payload);
    if (opening === undefined) return this.#drop("unreadable");
    const open = [...this.#open.values()].filter(({ mode }) => mode === keys.mode).length;
    // Not remembered: it will come again.
    if (!this.#limits.admits(keys.mode, open, clock.now())) return this.#drop("limit");
    const entry = this.#introduce(heard, responder, opening);
    this.#seen.add(name, epoch, entry);
    if (entry === undefined) return;
    clock.after(CONFIRM_MS, () => this.#seen.release(name));
    this.#answer(entry, heard.relay);
  }

  #responderFor({ keys, epoch }: Heard): NoiseResponder {
    const name = `${keys.mode} ${epoch}`;
    let responder = this.#responders.get(name);
    if (responder === undefined) {
      const { key } = this.#options.identity;
      responder = new NoiseResponder({ key, prologue: publicPrologue(keys.mode, epoch), psk: keys.psk, pattern: "NX" });
      this.#responders.set(name, responder);
    }
    return responder;
  }

  #introduce({ relay, keys }: Heard, responder: NoiseResponder, opening: GuestOpening): Entry | undefined {
    const { identity, events, relays, publish, clock, random } = this.#options;
    const { remoteKey } = responder;
    if (remoteKey === undefined) return undefined;
    const sender = random(32);
    const conversation = new Conversation({
      code: identity.code,
      details: events.details(),
      remoteKey,
      authenticated: keys.mode === "link",
      servers: events.servers,
      clock,
      sender,
      relays,
      publish: (to, parcel) => publish(to, guestTopic(opening.seed, to), parcel, sender),
      onEnd: () => this.#forget(entry),
    });
    const entry: Entry = {
      mode: keys.mode,
      conversation,
      seed: opening.seed,
      sender,
      answer: new Uint8Array(0),
      answers: [],
      answeredAt: 0,
      isConfirmed: false,
      isServed: false,
      heardAt: clock.now(),
      cancel: () => undefined,
    };
    conversation.hear(relay);
    const { introduction } = conversation;
    introduction.sendDetails(events.details());
    for (const record of opening.records) introduction.receive(record);
    // A copy that was kept, of which we have forgotten that we saw it, gets no work out of us.
    if (Math.abs(opening.unixSeconds - clock.unixNow() / 1000) <= FRESH_S) this.#serve(entry);
    const sent = recordsThatFit(conversation.before, MAX_CONTENT_BYTES - ANSWER_OVERHEAD);
    const answer = responder.write(encodeRecords(conversation.before.slice(0, sent)));
    if (answer === undefined) return undefined;
    entry.answer = Uint8Array.of(OPENING, ...answer.message);
    conversation.begin(answer.transport, { sent, received: opening.records.length });
    if (introduction.closed === undefined) {
      this.#open.set(conversation.name, entry);
      this.#watch(entry, CONFIRM_MS, clock.now());
      if (trace.on) trace.event("introduction-begun", { withLink: keys.mode === "link", relay: new URL(relay) });
    }
    return entry;
  }

  #serve(entry: Entry): void {
    if (entry.isServed) return;
    entry.isServed = true;
    const { introduction } = entry.conversation;
    const { outdated } = introduction;
    if (outdated) this.#options.events.onOutdated(outdated.protocol, outdated.sentence);
    if (introduction.closed === undefined && !this.#options.events.onIntroduction(introduction)) {
      introduction.close("This host takes no introductions.");
    }
  }

  #answer(entry: Entry, relay: string): void {
    entry.answers.push(relay);
    entry.answeredAt = this.#options.clock.now();
    this.#options.publish(relay, guestTopic(entry.seed, relay), entry.answer, entry.sender);
  }

  /** The same hello over another relay, or again since the answer was lost. Or a stranger's copy, for whom it is answered no oftener. */
  #answerAgain(entry: Entry | undefined, relay: string): void {
    if (entry === undefined || entry.isConfirmed || entry.answers.length >= ANSWERS.inAll) return;
    const isSoon = this.#options.clock.now() - entry.answeredAt < ANSWERS.apartMs;
    if (isSoon && (entry.answers.length >= ANSWERS.atOnce || entry.answers.includes(relay))) return;
    entry.conversation.hear(relay);
    this.#answer(entry, relay);
  }

  #onParcel(relay: string, content: Uint8Array): void {
    const entry = this.#open.get(toHex(content.subarray(1, 1 + CONVERSATION_BYTES)));
    if (entry === undefined || !entry.conversation.receive(relay, content)) return;
    entry.heardAt = this.#options.clock.now();
    if (entry.isConfirmed) return;
    entry.isConfirmed = true;
    if (trace.on) trace.event("introduction-confirmed", { relay: new URL(relay) });
    this.#serve(entry);
  }

  /** Ends what is not confirmed, silent, or too long. */
  #watch(entry: Entry, ms: number, begunAt: number): void {
    const { clock } = this.#options;
    entry.cancel = clock.after(ms, () => {
      const { introduction } = entry.conversation;
      const now = clock.now();
      if (!entry.isConfirmed) return introduction.lose("The player says nothing.");
      if (now - begunAt >= LIFETIME_MS) return introduction.close("An introduction takes no longer.");
      const silentUntil = entry.heardAt + SILENCE_MS;
      if (now >= silentUntil) introduction.lose("The player says nothing more.");
      else this.#watch(entry, Math.min(silentUntil, begunAt + LIFETIME_MS) - now, begunAt);
    });
  }

  #forget(entry: Entry): void {
    entry.cancel();
    if (this.#open.get(entry.conversation.name) !== entry) return;
    this.#open.delete(entry.conversation.name);
    if (trace.on) trace.event("introduction-ended", { ...entry.conversation.introduction.closed });
  }

  #drop(reason: string): void {
    const count = trace.on ? limiter.take(reason, this.#options.clock.now()) : 0;
    if (count > 0) trace.event("introduction-dropped", { reason, count });
  }
}
