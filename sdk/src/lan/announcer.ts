/** Makes a hosted game known on the local network. */
import { randomBytes } from "node:crypto";
import { traceOf } from "../net/trace.ts";
import { type LanNetwork, type LanNetworkState, UDPLanNetwork } from "./network.ts";
import {
  DEFAULT_APPLICATION,
  ID_BYTES,
  type LanDetails,
  MAX_APPLICATION_BYTES,
  MAX_NAME_BYTES,
  shortened,
} from "./packet.ts";
import { LanResponder } from "./responder.ts";

const trace = traceOf("lan");

/** What a {@link LanAnnouncer} tells; what is left out has its default. */
export interface LanAnnouncerDetails extends Partial<LanDetails> {
  /** Shown to players. Up to 128 bytes; what is longer is shortened. */
  name: string;
  /** Of the game, UDP and TCP: 1-65535. */
  port: number;
}

/** Options of a {@link LanAnnouncer}. */
export interface LanAnnouncerOptions {
  /** Default: multicast on all interfaces. */
  network?: LanNetwork;
  /** UDP port of announcements, for all of one application. Default 28772. */
  announcePort?: number | undefined;
  /** Announce only on the interface that has this address. Default: on all that lead to a local network. */
  address?: string | undefined;
  /**
   * Whether the internet knows this host by this address, `203.0.113.7:7777`: players of the same house who were given it are told
   * where the host is, since not every router lets them in by it. Default: nobody knows.
   */
  isKnownAs?: ((endpoint: string) => boolean) | undefined;
}

/** Announces one game on the local network, until it is closed: answers searches, and says goodbye. */
export class LanAnnouncer implements AsyncDisposable {
  /** Stays the same for this announcer; players know the game by it. */
  readonly id: string = randomBytes(ID_BYTES).toString("hex");

  readonly #network: LanNetwork;
  readonly #responder: LanResponder;
  #details: LanDetails;
  #timer: NodeJS.Timeout | undefined;
  /** What the trace said last. */
  #traced = "";
  #closing: Promise<void> | undefined;

  /**
   * Begins at once, and does not keep the process alive.
   * @throws RangeError for an empty application or name, or a port that is none
   */
  constructor(details: LanAnnouncerDetails, options: LanAnnouncerOptions = {}) {
    const { announcePort: port, address, isKnownAs } = options;
    this.#details = checked({ application: DEFAULT_APPLICATION, players: 0, maxPlayers: 0, version: "", ...details });
    this.#network = options.network ?? new UDPLanNetwork({ port, address, unref: true });
    const responder = { id: this.id, details: this.#details, random: Math.random, isKnownAs };
    this.#responder = new LanResponder(responder, performance.now());
    this.#network.onPacket = (datagram, remote) => {
      const answer = this.#responder.handlePacket(datagram, remote.address, performance.now());
      if (answer === undefined) return;
      if (trace.on) trace.event("answered", { to: remote });
      this.#network.unicast(answer, remote);
    };
    this.#schedule();
  }

  /** Where it is announced, and what stands in the way. */
  get state(): LanNetworkState {
    return this.#network.state;
  }

  /** @throws RangeError as the constructor does */
  update(details: Partial<LanDetails>): void {
    this.#details = checked({ ...this.#details, ...details });
    this.#responder.update(this.#details, performance.now());
    this.#schedule();
  }

  /** Says goodbye. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes, for `await using`: says goodbye. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Once, and again when something is different. */
  #traceState(): void {
    const { addresses, problem } = this.#network.state;
    const { port } = this.#details;
    const state = JSON.stringify([addresses, problem, port]);
    if (state === this.#traced) return;
    this.#traced = state;
    trace.event("announced", { port, from: addresses, problem: problem || undefined });
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    if (trace.on) trace.event("goodbye", { port: this.#details.port });
    this.#network.multicast(this.#responder.goodbye());
    // What is sent leaves in this turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    await this.#network.close();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#closing !== undefined) return;
    const wait = Math.max(0, this.#responder.nextTimeout - performance.now());
    this.#timer = setTimeout(() => {
      const packet = this.#responder.handleTimeout(performance.now());
      this.#network.refresh();
      if (packet !== undefined) this.#network.multicast(packet);
      if (trace.on) this.#traceState();
      this.#schedule();
    }, wait);
    this.#timer.unref();
  }
}

function checked(details: LanDetails): LanDetails {
  const { application, name, port } = details;
  if (shortened(application, MAX_APPLICATION_BYTES) === "") throw new RangeError("application must not be empty");
  if (shortened(name, MAX_NAME_BYTES) === "") throw new RangeError("name must not be empty");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RangeError(`port must be 1-65535, not ${port}`);
  return { ...details, application: shortened(application, MAX_APPLICATION_BYTES) };
}
