import { type GuessingLimits, PROCESS_GUESSING } from "../ice/guessing-limits.ts";
import { type IceMux } from "../ice/mux.ts";
import { type IcePeer } from "../ice/peer.ts";
import { guessPorts, type PortGuessingOptions } from "../ice/port-guessing.ts";
import { guessingSide, type NatView } from "../ice/port-prediction.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import type { Introduction } from "./sealed/introduction.ts";
import { sendInviteTunnelMessage } from "./trickle.ts";
import type { InviteTunnelMessage } from "./wire/invite-tunnel.ts";

const trace = traceOf("rendezvous");

/** Other ways get so long to be found before ports are guessed, ms: on both sides, whatever the other one says. */
const RELAYED_FOR_MS = 2_000;
const LOOK_MS = 250;
/** One round meets in most cases; three in all but one in a hundred thousand (see ice/port-prediction.ts). */
const ROUNDS = 3;
/** Both sides are there as long as the introduction is kept. */
const GIVE_UP_MS = 90_000;
const MAX_REMOTE = 8;
/** The leader's round lasts longer; a follower that may not begin at once begins within this time, or not at all. */
const JOIN_WITHIN_MS = 8_000;

export interface GuessingOptions {
  introduction: Introduction;
  id: number;
  mux: IceMux;
  peer: IcePeer;
  /** The player says when both begin. */
  leads: boolean;
  /** How our NAT behaves; undefined while that is not known. */
  nat: () => NatView | undefined;
  /** Called when guessing needs to know how our NAT behaves. */
  examine?: () => void;
  signal?: AbortSignal;
  /** Default: the process's. */
  limits?: GuessingLimits;
}

/**
 * While a path is relayed since one side's NAT is symmetric and the other's filters by port: both sides guess ports at the same
 * time, in the background and bounded. The introduction carries what each must know of the other.
 *
 * Nobody is guessed at on the peer's word: our own path has to be relayed, and the peer must have answered us, over the relay, at the
 * very address that gets the packets.
 */
export class Guessing {
  readonly #options: GuessingOptions;
  readonly #timer: NodeJS.Timeout;
  readonly #began: number = performance.now();
  #theirs: NatView | undefined;
  #told = false;
  readonly #remote: Endpoint[] = [];
  #relayedSince: number | null = null;
  #rounds = 0;
  /** The leader has begun: until when to follow. */
  #followUntil = Number.NEGATIVE_INFINITY;
  #running = false;

  constructor(options: GuessingOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
    options.introduction.onClose(() => clearInterval(this.#timer));
  }

  receive(message: InviteTunnelMessage): void {
    if (message.type === "path" || message.type === "candidates") {
      const seen = message.candidates.filter(({ type }) => type === "reflexive");
      this.#remote.push(...seen.slice(0, MAX_REMOTE - this.#remote.length));
    }
    if (message.type === "nat") this.#theirs = { mapping: message.mapping, filtering: message.filtering };
    else if (message.type === "guess" && !this.#options.leads) {
      this.#followUntil = performance.now() + JOIN_WITHIN_MS;
      this.#look();
    }
  }

  #look(): void {
    const { peer, introduction, id, leads, nat, examine, signal, limits = PROCESS_GUESSING } = this.#options;
    const now = performance.now();
    if (introduction.closed || signal?.aborted || peer.state === "closed" || now - this.#began > GIVE_UP_MS) {
      clearInterval(this.#timer);
      return;
    }
    if (peer.path?.kind !== "relayed") {
      this.#relayedSince = null;
      return;
    }
    this.#relayedSince ??= now;
    if (now - this.#relayedSince < RELAYED_FOR_MS) return;
    const ours = nat();
    if (!ours) {
      examine?.();
      return;
    }
    if (!this.#told) this.#told = sendInviteTunnelMessage(introduction, { type: "nat", id, ...ours });
    const theirs = this.#theirs;
    if (this.#running || limits.busy || !theirs || !this.#told || this.#rounds >= ROUNDS) return;
    const remote = this.#remote.filter(({ address }) => peer.agent.hasAnswered(address));
    if (remote.length === 0 || guessingSide(ours, theirs) === null) return;
    const begins = leads ? sendInviteTunnelMessage(introduction, { type: "guess", id }) : now < this.#followUntil;
    if (begins) void this.#guess({ ours, theirs, remote, limits, ...(signal && { signal }) });
  }

  async #guess(options: PortGuessingOptions): Promise<void> {
    const { peer, mux } = this.#options;
    this.#followUntil = Number.NEGATIVE_INFINITY;
    this.#running = true;
    this.#rounds++;
    const { ours, theirs, remote } = options;
    const begun = performance.now();
    if (trace.on) trace.event("guessing", { round: this.#rounds, ours: ours.mapping, theirs: theirs.mapping, remote });
    const found = await guessPorts(mux, peer, options);
    if (trace.on) trace.event("guessed", { round: this.#rounds, found, ms: performance.now() - begun });
    this.#running = false;
  }
}
