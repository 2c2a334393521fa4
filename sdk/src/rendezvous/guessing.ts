import type { IceMux } from "../ice/mux.ts";
import type { IcePeer } from "../ice/peer.ts";
import { guessPorts } from "../ice/port-guessing.ts";
import type { NatView } from "../ice/port-prediction.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import type { Introduction } from "./sealed/introduction.ts";
import { sendInviteTunnelMessage } from "./trickle.ts";
import type { InviteTunnelMessage } from "./wire/invite-tunnel.ts";

const trace = traceOf("rendezvous");

/** Other ways get so long to be found before ports are guessed, ms. */
const RELAYED_FOR_MS = 2_000;
const LOOK_MS = 250;
/** One round meets in most cases; three in all but one in a hundred thousand (see ice/port-prediction.ts). */
const ROUNDS = 3;
/** Both sides are there as long as the introduction is kept. */
const GIVE_UP_MS = 90_000;
const MAX_REMOTE = 8;

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
}

/**
 * While a path is relayed since one side's NAT is symmetric and the other's filters by port: both sides guess ports at the same
 * time, in the background and bounded. The introduction carries what each must know of the other.
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
    else if (message.type === "guess" && !this.#options.leads) void this.#guess();
  }

  #look(): void {
    const { peer, introduction, id, leads, nat, examine, signal } = this.#options;
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
    if (!leads || this.#running || !this.#theirs || !this.#told || this.#rounds >= ROUNDS) return;
    if (sendInviteTunnelMessage(introduction, { type: "guess", id })) void this.#guess();
  }

  async #guess(): Promise<void> {
    const { peer, mux, nat, signal } = this.#options;
    const ours = nat();
    const theirs = this.#theirs;
    if (!ours || !theirs || this.#running || this.#rounds >= ROUNDS) return;
    this.#running = true;
    this.#rounds++;
    const remote = this.#remote;
    const begun = performance.now();
    if (trace.on) trace.event("guessing", { round: this.#rounds, ours: ours.mapping, theirs: theirs.mapping, remote });
    const found = await guessPorts(mux, peer, { ours, theirs, remote, ...(signal && { signal }) });
    if (trace.on) trace.event("guessed", { round: this.#rounds, found, ms: performance.now() - begun });
    // Nothing to guess: two symmetric NATs, or no need to.
    if (!found && remote.length === 0) this.#rounds = ROUNDS;
    this.#running = false;
  }
}
