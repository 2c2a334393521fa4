import { EventEmitter } from "node:events";
import type { Clock } from "../net/clock.ts";
import { sleep, whileAwaited } from "../net/wait.ts";
import { giveBack, type Held, type LeaseKeeper } from "./establish.ts";
import { whyNotPublic } from "./external-address.ts";
import { type Gateway, GatewayError, type Lease } from "./gateway.ts";
import type { FullRequest } from "./request.ts";
import type { GatewayInfo, MapProtocol, MappingEvent, MappingEvents, PortMapping, Via } from "./types.ts";

/** What a mapping needs of the mapper that keeps it. */
export interface MappingHost {
  readonly clock: Clock;
  readonly random: () => number;
  readonly keeper: LeaseKeeper;
  /** Milliseconds between two looks at the gateway's table. */
  readonly renewIntervalMs: number;
  /** Gets the request again, from whichever gateway there is; throws when none grants it now. */
  obtain(request: FullRequest, signal: AbortSignal, preferredPort: number): Promise<Held>;
  /** The gateway does not answer any more: it is looked for anew. */
  distrust(gateway: Gateway): void;
  announce(event: MappingEvent): void;
  ended(mapping: ManagedMapping): void;
}

/** RFC 6887 section 11.2.1: never ask for the same mapping more often than this. */
const MIN_RETRY = 4000;
/** Between two looks: whoever announces restarts to us all the time does not make us flood the router. */
const MIN_LOOK = 1000;
/** Between attempts to get a lost mapping back: soon at first, for ever at last. */
const RETRIES: readonly number[] = [500, 1000, 2000, 4000, 8000, 15_000];
/** Unanswered looks before the mapping counts as lost. */
const MAX_SILENT = 3;

/** A mapping and its life: renewed, looked after, made again, given back. */
export class ManagedMapping extends EventEmitter<MappingEvents> implements PortMapping {
  readonly request: FullRequest;
  readonly #host: MappingHost;
  readonly #startedAt: number;
  readonly #end = new AbortController();
  #held: Held;
  #state: "mapped" | "lost" | "unmapped" = "mapped";
  #nextLook = 0;
  #lastLook = Number.NEGATIVE_INFINITY;
  #nextRenewal = Number.POSITIVE_INFINITY;
  #silent = 0;
  #doubt: string | undefined;
  #hopeless: string | undefined;
  /** The router told of a restart: if it is silent now, it is at another address. */
  #restarted = false;
  #wake: () => void = () => undefined;
  #ending: Promise<void> | undefined;
  readonly #life: Promise<void>;
  readonly #onSuspect = (reason: string): void => {
    this.#restarted = true;
    this.doubt(reason);
  };
  readonly #onAnnounced = (reason: string): void => this.doubt(reason);

  constructor(host: MappingHost, request: FullRequest, held: Held, startedAt: number) {
    super();
    this.#host = host;
    this.request = request;
    this.#startedAt = startedAt;
    this.#held = held;
    this.#adopt(held);
    this.#life = this.#live();
  }

  get state(): "mapped" | "lost" | "unmapped" {
    return this.#state;
  }
  get via(): Via {
    return this.#held.gateway.info.via;
  }
  get gateway(): GatewayInfo {
    return this.#held.gateway.info;
  }
  /** The driver behind it. */
  get source(): Gateway {
    return this.#held.gateway;
  }
  get protocol(): MapProtocol {
    return this.request.protocol;
  }
  get internalAddress(): string {
    return this.#first.internalAddress;
  }
  get internalPort(): number {
    return this.request.internalPort;
  }
  get externalAddress(): string {
    return this.#first.externalAddress;
  }
  get externalPort(): number {
    return this.#first.externalPort;
  }
  get expiresAt(): number {
    const ends = this.#held.leases.map(({ expiresAt }) => expiresAt).filter((end) => end > 0);
    return ends.length > 0 ? Math.min(...ends) : 0;
  }
  get verified(): boolean {
    return this.#state === "mapped" && this.#held.leases.every(({ verified }) => verified);
  }

  get #first(): Lease {
    const lease = this.#held.leases[0];
    if (!lease) throw new Error("a mapping holds at least one lease");
    return lease;
  }

  /** Something happened that may have cost us the mapping: looks now. */
  doubt(reason: string): void {
    this.#doubt ??= reason;
    this.#wake();
  }

  /** Has a look at the router's table, for no particular reason. */
  inspect(): void {
    this.#nextLook = this.#host.clock.now();
    this.#wake();
  }

  /** The gateway cannot be asked any more: it is lost without asking. */
  abandon(reason: string): void {
    this.#silent = MAX_SILENT;
    this.#hopeless = reason;
    this.doubt(reason);
  }

  unmap(): Promise<void> {
    this.#ending ??= whileAwaited(this.#release("it was given back"));
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unmap();
  }

  async #live(): Promise<void> {
    const { clock } = this.#host;
    const { signal } = this.#end;
    while (!signal.aborted) {
      if (this.#doubt === undefined) {
        const wait = Math.max(0, Math.min(this.#nextLook, this.#nextRenewal) - clock.now());
        const waking = new AbortController();
        this.#wake = () => waking.abort();
        await sleep(wait, AbortSignal.any([signal, waking.signal]), clock);
        this.#wake = () => undefined;
      }
      if (signal.aborted) return;
      const rest = this.#lastLook + MIN_LOOK - clock.now();
      if (rest > 0) await sleep(rest, signal, clock);
      if (signal.aborted) return;
      const reason = this.#doubt;
      this.#doubt = undefined;
      this.#lastLook = clock.now();
      try {
        await this.#attend(reason);
      } catch (error) {
        // What a gateway could not do is handled where it was asked; this is an error of ours, and must not end the watch.
        if (!signal.aborted) this.#nextLook = clock.now() + MIN_RETRY;
        if (!(error instanceof GatewayError)) continue;
      }
    }
  }

  async #attend(reason: string | undefined): Promise<void> {
    const { clock } = this.#host;
    const hopeless = this.#hopeless;
    this.#hopeless = undefined;
    if (hopeless !== undefined) return this.#lose(hopeless);
    const restarted = this.#restarted;
    this.#restarted = false;
    const renewing = clock.now() >= this.#nextRenewal;
    const before = { address: this.externalAddress, port: this.externalPort };
    let prolonged = false;
    try {
      const leases: Lease[] = [];
      for (const lease of this.#held.leases)
        leases.push(await (renewing ? this.#renew(lease) : this.#look(lease, reason)));
      if (leases.some(({ externalPort }) => externalPort !== leases[0]?.externalPort)) {
        throw new GatewayError("conflict", "the router gave UDP and TCP different ports");
      }
      prolonged = leases.some(({ expiresAt }, index) => expiresAt > (this.#held.leases[index]?.expiresAt ?? 0));
      this.#held = { gateway: this.#held.gateway, leases };
    } catch (error) {
      if (this.#end.signal.aborted || !(error instanceof GatewayError)) throw error;
      if (error.kind === "unreachable" && this.#stillLeased() && !restarted) return this.#retryLater();
      // A router that refuses to prolong may think better of it while the lease runs.
      const runs = this.expiresAt > this.#host.clock.unixNow() + MIN_RETRY;
      if (renewing && runs && (error.kind === "refused" || error.kind === "full")) return this.#retryLater();
      return this.#lose(
        error.kind === "unreachable" ? `the router does not answer any more: ${error.message}` : error.message,
      );
    }
    this.#silent = 0;
    this.#schedule(renewing);
    const why = this.request.acceptPrivateAddress ? undefined : whyNotPublic(this.externalAddress);
    if (why !== undefined) return this.#lose(why);
    if (before.address !== this.externalAddress || before.port !== this.externalPort) {
      this.#tell("changed", reason ?? "the router gave another address or port");
    } else if (renewing || prolonged) {
      this.#tell("renewed", reason === undefined ? "the lease was prolonged" : `it was asked for again: ${reason}`);
    }
  }

  async #renew(lease: Lease): Promise<Lease> {
    const { gateway } = this.#held;
    const renewed = await gateway.renew(lease, this.request.lifetimeSeconds, this.#end.signal);
    await this.#host.keeper.granted(gateway, { ...renewed, exact: true }, renewed);
    return renewed;
  }

  async #look(lease: Lease, reason: string | undefined): Promise<Lease> {
    const { state, lease: current } = await this.#held.gateway.check(lease, this.#end.signal);
    const name = `the entry for ${lease.transport.toUpperCase()} port ${lease.externalPort}`;
    const because = reason ? `: ${reason}` : "";
    if (state === "gone") throw new GatewayError("refused", `${name} is gone from the router${because}`);
    if (state === "taken") throw new GatewayError("conflict", `${name} belongs to somebody else now${because}`);
    if (state === "unknown") throw new GatewayError("unreachable", `it could not be asked for ${name}`);
    return current;
  }

  /** Silence is not loss while the lease runs, unless it lasts. */
  #stillLeased(): boolean {
    this.#silent++;
    if (this.#silent >= MAX_SILENT) return false;
    return this.expiresAt === 0 || this.#host.clock.unixNow() < this.expiresAt;
  }

  #retryLater(): void {
    const { clock } = this.#host;
    const left = this.expiresAt === 0 ? 0 : this.expiresAt - clock.unixNow();
    this.#nextLook = clock.now() + MIN_RETRY;
    // RFC 6887 section 11.2.1: three quarters, seven eighths, and so on, no closer than 4 s.
    this.#nextRenewal = Math.max(
      this.#nextRenewal,
      this.#silent > 0 ? this.#nextLook : clock.now() + Math.max(MIN_RETRY, left / 4),
    );
  }

  /** Says so, and tries until it is back: first at the same gateway, then at whichever answers. */
  async #lose(reason: string): Promise<void> {
    const { clock, keeper } = this.#host;
    const { signal } = this.#end;
    const lost = this.#held;
    this.#state = "lost";
    this.#tell("lost", reason);
    if (signal.aborted) return;
    // What may be left of it goes first: half of a pair, or an entry at an address that leads nowhere.
    if (this.#silent === 0) for (const lease of lost.leases) await giveBack(lost.gateway, lease, keeper);
    else this.#host.distrust(lost.gateway);
    const before = { address: this.externalAddress, port: this.externalPort };
    for (let attempt = 0; !signal.aborted; attempt++) {
      // What is heard from here on counts for what will be granted.
      this.#doubt = undefined;
      try {
        const held = await this.#host.obtain(this.request, signal, before.port);
        this.#silent = 0;
        this.#adopt(held);
        this.#state = "mapped";
        this.#tell("mapped", `it was made again after it was lost: ${reason}`);
        if (before.address !== this.externalAddress || before.port !== this.externalPort) {
          this.#tell("changed", `it is at ${this.externalAddress}:${this.externalPort} now`);
        }
        return;
      } catch {
        if (signal.aborted) return;
      }
      const pause = RETRIES[Math.min(attempt, RETRIES.length - 1)] ?? 0;
      const waking = new AbortController();
      this.#wake = () => waking.abort();
      // A doubt while it is lost is a hint that something moves: try at once.
      if (this.#doubt === undefined) {
        await sleep(pause * (0.9 + 0.2 * this.#host.random()), AbortSignal.any([signal, waking.signal]), clock);
      }
      this.#wake = () => undefined;
    }
  }

  #adopt(held: Held): void {
    this.#stopListening();
    this.#held = held;
    // It was said of the one before.
    this.#hopeless = undefined;
    held.gateway.on("suspect", this.#onSuspect);
    held.gateway.on("gone", this.#onSuspect);
    held.gateway.on("announced", this.#onAnnounced);
    held.gateway.follow?.();
    // While it was being made, nobody listened for it.
    if (held.doubt !== undefined) this.doubt(held.doubt);
    this.#schedule(true);
  }

  #stopListening(): void {
    const { gateway } = this.#held;
    gateway.off("suspect", this.#onSuspect);
    gateway.off("gone", this.#onSuspect);
    gateway.off("announced", this.#onAnnounced);
  }

  #schedule(fresh: boolean): void {
    const { clock, random, renewIntervalMs } = this.#host;
    const now = clock.now();
    this.#nextLook = now + renewIntervalMs * (0.9 + 0.2 * random());
    const left = this.expiresAt === 0 ? 0 : this.expiresAt - clock.unixNow();
    if (this.expiresAt === 0) this.#nextRenewal = Number.POSITIVE_INFINITY;
    // RFC 6887 section 11.2.1: first at a random time between half and five eighths of what is left.
    else if (fresh || now + left < this.#nextRenewal) {
      this.#nextRenewal = now + Math.max(MIN_RETRY / 4, left * (1 / 2 + random() / 8));
    }
  }

  #tell(event: MappingEvent["event"], reason: string): void {
    const told: MappingEvent = {
      event,
      mapping: this,
      reason,
      ms: Math.round(this.#host.clock.now() - this.#startedAt),
    };
    this.emit(event, told);
    this.#host.announce(told);
  }

  async #release(reason: string): Promise<void> {
    this.#end.abort();
    await this.#life;
    const { gateway, leases } = this.#held;
    this.#stopListening();
    const gone = await Promise.all(leases.map((lease) => giveBack(gateway, lease, this.#host.keeper)));
    this.#state = "unmapped";
    const sure = gone.every(Boolean);
    this.#tell("unmapped", sure ? reason : `${reason}, but the router did not confirm that the entry is gone`);
    this.#host.ended(this);
    this.removeAllListeners();
  }
}
