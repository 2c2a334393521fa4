/** The host's side of all introductions that come through one mailbox. */

import { TokenBucket } from "../../net/token-bucket.ts";
import { traceOf } from "../../net/trace.ts";
import { TraceLimiter } from "../../net/trace-limiter.ts";
import type { HostMail, HostMailbox } from "../mailbox/mailbox.ts";
import { SealedIntroduction } from "../sealed/introduction.ts";
import { NoiseResponder } from "../sealed/noise.ts";
import type { HostIdentity } from "../sealed/secret.ts";
import { type EndReason, HELLO, type IntroducedDetails, prologueOf } from "../wire/protocol.ts";
import type { TraversalServers } from "../wire/servers.ts";

const trace = traceOf("rendezvous");
/** A lobby, or strangers through it, may ask as often as they like. */
const limiter = new TraceLimiter();

/** At one time; a lobby that sends more is ill or evil. */
const MAX_OPEN = 128;
/** Each costs the host two multiplications on the curve. */
const HANDSHAKES = { burst: 64, perSecond: 32 } as const;
/** How long a player may take to prove that it is there, ms. */
const CONFIRM_MS = 15_000;

export interface HostIntroductionsOptions {
  identity: HostIdentity;
  /** Refuse players who have but the code. */
  linkOnly: boolean;
  /** What players are told. */
  details: () => IntroducedDetails;
  servers: () => TraversalServers;
  mailbox: Pick<HostMailbox, "send" | "end">;
  /** False if nobody wants it. */
  onIntroduction: (introduction: SealedIntroduction) => boolean;
  /** A player speaks another version, and cannot be introduced. */
  onOutdated: (protocol: number, sentence: string) => void;
  /** Monotonic, ms. */
  now: () => number;
}

interface Entry {
  introduction: SealedIntroduction;
  /** Runs until the player has sealed something itself: its first message could be a copy of another's. */
  unconfirmed: NodeJS.Timeout | undefined;
}

export class HostIntroductions {
  readonly #options: HostIntroductionsOptions;
  readonly #limiter = new TokenBucket(HANDSHAKES.burst, HANDSHAKES.perSecond);
  readonly #open = new Map<number, Entry>();

  constructor(options: HostIntroductionsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Mail of other types is somebody else's. */
  receive(mail: HostMail): void {
    if (mail.type === "introduction") this.#onHello(mail.id, mail.hello, mail.attested ?? false);
    else if (mail.type === "relay") this.#onRecord(mail.id, mail.data);
    else if (mail.type === "end") this.#open.get(mail.id)?.introduction.lose("The player has gone.");
  }

  /** The mailbox has been lost. */
  lose(reason: string): void {
    for (const { introduction } of this.#open.values()) introduction.lose(reason);
  }

  /** Tells all players, sealed. */
  close(reason: string): void {
    for (const { introduction } of this.#open.values()) introduction.close(reason);
  }

  #onHello(id: number, hello: Uint8Array, attested: boolean): void {
    const { identity, linkOnly, mailbox, now } = this.#options;
    const refuse = (reason: EndReason): void => {
      const count = trace.on ? limiter.take(reason, now()) : 0;
      if (count > 0) trace.event("introduction-refused", { id, reason, count });
      mailbox.end(id, reason);
    };
    if (this.#open.has(id)) return;
    if (this.#open.size >= MAX_OPEN || !this.#limiter.take(now())) return refuse("limit");
    const [mode] = hello;
    if (mode !== HELLO.code && mode !== HELLO.link) return refuse("unreadable");
    if (mode === HELLO.code && linkOnly) return refuse("link-required");
    const responder = new NoiseResponder({
      key: identity.key,
      prologue: prologueOf(identity.code, mode),
      psk: mode === HELLO.link ? identity.psk : undefined,
    });
    if (responder.read(hello.subarray(1)) === undefined) return refuse("unreadable");
    const answer = responder.write();
    if (answer === undefined || responder.remoteKey === undefined) return refuse("unreadable");
    mailbox.send(id, answer.message);
    const { details, servers } = this.#options;
    const introduction = new SealedIntroduction({
      code: identity.code,
      details: details(),
      remoteKey: responder.remoteKey,
      authenticated: mode === HELLO.link,
      attested,
      servers,
      transport: answer.transport,
      wire: {
        relay: (record) => mailbox.send(id, record),
        end: () => this.#forget(id),
      },
      now,
    });
    const unconfirmed = setTimeout(() => introduction.lose("The player says nothing."), CONFIRM_MS);
    unconfirmed.unref();
    this.#open.set(id, { introduction, unconfirmed });
    if (trace.on) trace.event("introduction-begun", { id, withLink: mode === HELLO.link });
    introduction.sendDetails(details());
  }

  #onRecord(id: number, data: Uint8Array): void {
    const entry = this.#open.get(id);
    if (entry === undefined) return;
    const { introduction } = entry;
    if (!introduction.receive(data) || entry.unconfirmed === undefined) return;
    clearTimeout(entry.unconfirmed);
    entry.unconfirmed = undefined;
    if (trace.on) trace.event("introduction-confirmed", { id });
    const { outdated } = introduction;
    if (outdated) this.#options.onOutdated(outdated.protocol, outdated.sentence);
    if (introduction.closed === undefined && !this.#options.onIntroduction(introduction)) {
      introduction.close("This host takes no introductions.");
    }
  }

  #forget(id: number): void {
    const entry = this.#open.get(id);
    if (entry === undefined) return;
    clearTimeout(entry.unconfirmed);
    if (trace.on) trace.event("introduction-ended", { id, ...entry.introduction.closed });
    this.#open.delete(id);
    this.#options.mailbox.end(id, "left");
  }
}
