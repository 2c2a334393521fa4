import { EventEmitter } from "node:events";
import { traceOf } from "../../net/trace.ts";
import { sleep, whileAwaited } from "../../net/wait.ts";
import { isUnsaid, whyNotPublic } from "../external-address.ts";
import { type Gateway, GatewayError, type GatewayErrorKind, type Lease, OTHER_DEVICE } from "../gateway.ts";
import type { GatewayInfo, MapProtocol, MappingEvent, MappingEvents, PortMapping, Proof, Via } from "../types.ts";
import { LeaseSchedule } from "./lease-schedule.ts";
import { type FullRequest, type Grant, type ObtainDeps, obtain, seenFromOutside } from "./obtain.ts";

const trace = traceOf("gateway");

/** What a mapping needs of the mapper that keeps it. */
export interface MappingDeps extends ObtainDeps {
  /** 0 <= n < 1. */
  random: () => number;
  /** Milliseconds between two looks at the gateway's table. */
  renewIntervalMs: number;
  /** Hears every event after the mapping's own listeners; `unmapped` is the last. */
  onEvent: (event: MappingEvent) => void;
}

/** Milliseconds between attempts to get a lost mapping back. The last one repeats without end. */
const RETRY_PAUSES_MS: readonly number[] = [500, 1000, 2000, 4000, 8000, 15_000];

/** Refusals to prolong a lease that may pass while it runs. */
const MAY_AGREE_LATER: ReadonlySet<GatewayErrorKind> = new Set(["refused", "forbidden", "unexplained", "full"]);

/** A mapping and its life: it is renewed, looked after, made again and given back. */
export class ManagedMapping extends EventEmitter<MappingEvents> implements PortMapping {
  readonly request: FullRequest;
  readonly #deps: MappingDeps;
  readonly #startedAt: number;
  readonly #end = new AbortController();
  readonly #schedule: LeaseSchedule;
  #grant: Grant;
  #state: "mapped" | "lost" | "unmapped" = "mapped";
  /** Why the next look does not wait for its time. */
  #recheckReason: string | undefined;
  /** The entry is to be deleted and added again. */
  #remaking: (PromiseWithResolvers<boolean> & { reason: string }) | undefined;
  /** Another protocol of the router gave back what it had: the mapping is asked for again, and nothing is told of it. */
  #isContested = false;
  /** When the gateway was last asked to make it. */
  #assuredAt: number;
  /** Why the mapping is lost without a look. */
  #forcedLoss: string | undefined;
  /** The router told of a restart: if it is silent now, it is at another address. */
  #hasRestarted = false;
  #wake: () => void = () => undefined;
  #ending: Promise<void> | undefined;
  readonly #life: Promise<void>;
  readonly #onSuspect = (reason: string): void => {
    this.#hasRestarted = true;
    this.recheck(reason);
  };
  readonly #onAnnounced = (reason: string): void => this.recheck(reason);

  constructor(deps: MappingDeps, request: FullRequest, grant: Grant, startedAt: number) {
    super();
    this.#deps = deps;
    this.request = request;
    this.#startedAt = startedAt;
    this.#schedule = new LeaseSchedule(deps.renewIntervalMs, deps.random);
    this.#grant = grant;
    this.#assuredAt = startedAt;
    this.#adopt(grant);
    this.#life = this.#live();
  }

  get state(): "mapped" | "lost" | "unmapped" {
    return this.#state;
  }
  get via(): Via {
    return this.#grant.gateway.info.via;
  }
  get gateway(): GatewayInfo {
    return this.#grant.gateway.info;
  }
  /** The driver behind it. */
  get source(): Gateway {
    return this.#grant.gateway;
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
    const told = this.#first.externalAddress;
    return isUnsaid(told) ? (this.#grant.seenAddress ?? told) : told;
  }
  get externalPort(): number {
    return this.#first.externalPort;
  }
  get expiresAt(): number {
    const ends = this.#grant.leases.map(({ expiresAt }) => expiresAt).filter((end) => end > 0);
    return ends.length > 0 ? Math.min(...ends) : 0;
  }
  get verified(): boolean {
    return this.proof !== "none";
  }
  get proof(): Proof {
    // What is not the default gateway is not believed.
    if (this.#state !== "mapped" || this.#grant.gateway.rank === OTHER_DEVICE) return "none";
    return this.#grant.leases.every(({ verified }) => verified) ? "router" : "none";
  }

  get #first(): Lease {
    const lease = this.#grant.leases[0];
    if (!lease) throw new Error("a mapping holds at least one lease");
    return lease;
  }

  /** Milliseconds, `undefined` for a permanent entry. */
  get #leftMs(): number | undefined {
    return this.expiresAt === 0 ? undefined : this.expiresAt - this.#deps.clock.unixNow();
  }

  /** Something happened that may have cost us the mapping: looks now. */
  recheck(reason: string): void {
    if (trace.on && this.#recheckReason === undefined) trace.event("recheck", { port: this.externalPort, reason });
    this.#recheckReason ??= reason;
    this.#wake();
  }

  /** Looks at the router's table now, as a matter of routine. */
  inspect(): void {
    this.#schedule.lookNow(this.#deps.clock.now());
    this.#wake();
  }

  /** The gateway cannot be asked any more: the mapping is lost without a look. */
  forceLost(reason: string): void {
    this.#schedule.giveUp();
    this.#forcedLoss = reason;
    this.recheck(reason);
  }

  remake(reason: string): Promise<boolean> {
    this.#remaking ??= { reason, ...Promise.withResolvers<boolean>() };
    const { promise } = this.#remaking;
    if (this.#state !== "mapped") this.#remade(false);
    else this.#wake();
    return promise;
  }

  unmap(): Promise<void> {
    this.#ending ??= whileAwaited(this.#release("it was given back"));
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.unmap();
  }

  async #live(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#end;
    while (!signal.aborted) {
      if (this.#recheckReason === undefined && this.#remaking === undefined) {
        await this.#sleep(this.#schedule.waitMs(clock.now()));
      }
      if (signal.aborted) break;
      const restMs = this.#schedule.restMs(clock.now());
      if (restMs > 0) await sleep(restMs, signal, clock);
      if (signal.aborted) break;
      const reason = this.#recheckReason;
      this.#recheckReason = undefined;
      this.#schedule.onLook(clock.now());
      try {
        if (this.#remaking === undefined) await this.#attend(reason);
        else this.#remade(await this.#remake(this.#remaking.reason));
      } catch {
        // Refusals are handled where the gateway was asked: this is an error of ours, and must not end the watch.
        if (!signal.aborted) this.#schedule.retry(clock.now());
        this.#remade(false);
      }
    }
    this.#remade(false);
  }

  /** Waits until the time is over, or {@link recheck} or {@link inspect} wakes it. */
  async #sleep(ms: number): Promise<void> {
    const waking = new AbortController();
    this.#wake = () => waking.abort();
    await sleep(ms, AbortSignal.any([this.#end.signal, waking.signal]), this.#deps.clock);
    this.#wake = () => undefined;
  }

  /** Looks at the mapping, or renews it where that is due, and draws the consequences. */
  async #attend(reason: string | undefined): Promise<void> {
    const forcedLoss = this.#forcedLoss;
    this.#forcedLoss = undefined;
    if (forcedLoss !== undefined) return this.#lose(forcedLoss);
    const hasRestarted = this.#hasRestarted;
    this.#hasRestarted = false;
    const isContested = this.#isContested;
    this.#isContested = false;
    const now = this.#deps.clock.now();
    const isRenewing = isContested || this.#schedule.isRenewalDue(now);
    const before = { ...this.#grant, address: this.externalAddress, port: this.externalPort };
    try {
      const leases = await this.#refresh(before.leases, isRenewing, reason);
      this.#grant = { ...this.#grant, leases };
    } catch (error) {
      if (this.#end.signal.aborted || !(error instanceof GatewayError)) throw error;
      if (error.kind !== "unreachable") this.#schedule.onAnswer();
      if (this.#mayRecover(error, isRenewing, hasRestarted)) return;
      const { kind, message } = error;
      return this.#lose(kind === "unreachable" ? `the router does not answer any more: ${message}` : message);
    }
    this.#schedule.onSuccess(this.#deps.clock.now(), this.#leftMs, isRenewing);
    if (isUnsaid(this.#first.externalAddress)) {
      // An address that nobody sees for the moment is no new one.
      const seenAddress = (await seenFromOutside(this.request)) ?? this.#grant.seenAddress;
      this.#grant = { ...this.#grant, seenAddress };
    }
    const why = this.request.acceptPrivateAddress ? undefined : whyNotPublic(this.externalAddress);
    if (why !== undefined) return this.#lose(why);
    if (before.address !== this.externalAddress || before.port !== this.externalPort) {
      this.#tell("changed", reason ?? "the router gave another address or port");
      return;
    }
    // A look by PCP or NAT-PMP prolongs the lease by the way: that is told where somebody asked why.
    const isTold = (isRenewing && !isContested) || reason !== undefined;
    if (isTold && this.#isProlonged(before.leases)) {
      this.#tell("renewed", reason === undefined ? "the lease was prolonged" : `it was asked for again: ${reason}`);
    }
  }

  /** Whether every lease lasts longer than before; a permanent one cannot. */
  #isProlonged(before: readonly Lease[]): boolean {
    return this.#grant.leases.every(
      ({ expiresAt }, index) => expiresAt > 0 && expiresAt > (before[index]?.expiresAt ?? 0),
    );
  }

  /** The leases as they are now. @throws {GatewayError} one of them does not hold */
  async #refresh(before: readonly Lease[], isRenewing: boolean, reason: string | undefined): Promise<Lease[]> {
    const leases: Lease[] = [];
    for (const lease of before) {
      leases.push(isRenewing ? await this.#renew(lease) : await this.#look(lease, reason));
    }
    if (leases.some(({ externalPort }) => externalPort !== leases[0]?.externalPort)) {
      throw new GatewayError("conflict", "the router gave UDP and TCP different ports");
    }
    return leases;
  }

  #renew(lease: Lease): Promise<Lease> {
    this.#assuredAt = this.#deps.clock.now();
    return this.#deps.keeper.renew(this.#grant.gateway, lease, this.request.lifetimeSeconds, this.#end.signal);
  }

  async #look(lease: Lease, reason: string | undefined): Promise<Lease> {
    const { keeper } = this.#deps;
    const { state, lease: current } = await keeper.check(this.#grant.gateway, lease, this.#end.signal);
    const name = `the entry for ${lease.transport.toUpperCase()} port ${lease.externalPort}`;
    const because = reason ? `: ${reason}` : "";
    if (state === "gone") throw new GatewayError("refused", `${name} is gone from the router${because}`);
    if (state === "taken") throw new GatewayError("conflict", `${name} belongs to somebody else now${because}`);
    if (state === "unknown") throw new GatewayError("unreachable", `it could not be asked for ${name}`);
    // That a router cannot tell is no loss. Asking again brings back what is lost, if anything is.
    const { clock, renewIntervalMs } = this.#deps;
    const isDue = reason !== undefined || clock.now() >= this.#assuredAt + renewIntervalMs;
    return state === "unreadable" && isDue ? this.#renew(lease) : current;
  }

  /** Deletes the entry and adds it again. True: it is where it was. */
  async #remake(reason: string): Promise<boolean> {
    const { keeper } = this.#deps;
    const { gateway, leases: before } = this.#grant;
    const port = this.externalPort;
    try {
      for (const lease of before) await keeper.release(gateway, lease);
      this.#grant = { ...this.#grant, leases: await this.#refresh(before, true, reason) };
    } catch (error) {
      if (this.#end.signal.aborted || !(error instanceof GatewayError)) throw error;
      this.#remade(false);
      await this.#lose(`${reason}, and adding it again failed: ${error.message}`);
      return false;
    }
    this.#schedule.onSuccess(this.#deps.clock.now(), this.#leftMs, true);
    const isSame = port === this.externalPort;
    this.#tell(isSame ? "renewed" : "changed", `it was deleted and added again: ${reason}`);
    return isSame;
  }

  /** Answers those who wait for {@link remake}. */
  #remade(isMade: boolean): void {
    this.#remaking?.resolve(isMade);
    this.#remaking = undefined;
  }

  /** Whether the lease may outlast this failure; then the next attempt has its time. */
  #mayRecover({ kind }: GatewayError, isRenewing: boolean, hasRestarted: boolean): boolean {
    const now = this.#deps.clock.now();
    // Counted in any case: a gateway that is silent is not asked to release anything.
    if (kind === "unreachable") return this.#schedule.onSilence(now, this.#leftMs) && !hasRestarted;
    const mayAgreeLater = isRenewing && MAY_AGREE_LATER.has(kind);
    return mayAgreeLater && this.#schedule.onRefusal(now, this.#leftMs);
  }

  /** Says that it is lost, and tries until it is back: at the same gateway, or at any that answers. */
  async #lose(reason: string): Promise<void> {
    const { keeper, gateways } = this.#deps;
    const { signal } = this.#end;
    const { gateway, leases } = this.#grant;
    this.#state = "lost";
    this.#tell("lost", reason);
    if (signal.aborted) return;
    // What may be left of it goes first: half of a pair, or an entry at an address that leads nowhere.
    if (this.#schedule.isSilent) gateways.markUnreachable(gateway);
    else for (const lease of leases) await keeper.release(gateway, lease);
    for (let attempt = 0; !signal.aborted; attempt++) {
      // From here on, what the gateway tells counts for what it will grant.
      this.#recheckReason = undefined;
      if (await this.#obtainAgain(reason)) return;
      if (signal.aborted) return;
      const pauseMs = RETRY_PAUSES_MS[Math.min(attempt, RETRY_PAUSES_MS.length - 1)] ?? 0;
      // Something moves: try at once.
      if (this.#recheckReason !== undefined) continue;
      await this.#sleep(pauseMs * (0.9 + 0.2 * this.#deps.random()));
    }
  }

  async #obtainAgain(reason: string): Promise<boolean> {
    const before = { address: this.externalAddress, port: this.externalPort };
    try {
      this.#adopt(await obtain(this.#deps, this.request, this.#end.signal, () => undefined, before.port));
    } catch {
      return false;
    }
    this.#state = "mapped";
    this.#tell("mapped", `it was made again after it was lost: ${reason}`);
    if (before.address !== this.externalAddress || before.port !== this.externalPort) {
      this.#tell("changed", `it is at ${this.externalAddress}:${this.externalPort} now`);
    }
    return true;
  }

  #adopt(grant: Grant): void {
    this.#stopListening();
    this.#grant = grant;
    this.#assuredAt = this.#deps.clock.now();
    // It was said of the gateway before.
    this.#forcedLoss = undefined;
    const { gateway, recheckReason, contested } = grant;
    gateway.on("suspect", this.#onSuspect);
    gateway.on("gone", this.#onSuspect);
    gateway.on("announced", this.#onAnnounced);
    gateway.subscribe?.();
    // What it told while the leases were being made.
    if (recheckReason !== undefined) this.recheck(recheckReason);
    void contested?.then(() => {
      if (this.#grant.contested !== contested || this.#state !== "mapped") return;
      this.#isContested = true;
      this.inspect();
    });
    this.#schedule.onSuccess(this.#deps.clock.now(), this.#leftMs, true);
  }

  #stopListening(): void {
    const { gateway } = this.#grant;
    gateway.off("suspect", this.#onSuspect);
    gateway.off("gone", this.#onSuspect);
    gateway.off("announced", this.#onAnnounced);
  }

  #tell(event: MappingEvent["event"], reason: string): void {
    const ms = Math.round(this.#deps.clock.now() - this.#startedAt);
    const told: MappingEvent = { event, mapping: this, reason, ms };
    if (trace.on) traceMapping(told);
    this.emit(event, told);
    this.#deps.onEvent(told);
  }

  async #release(reason: string): Promise<void> {
    this.#end.abort();
    await this.#life;
    const { gateway, leases } = this.#grant;
    this.#stopListening();
    const gone = await Promise.all(leases.map((lease) => this.#deps.keeper.release(gateway, lease)));
    this.#state = "unmapped";
    const isSure = gone.every(Boolean);
    this.#tell("unmapped", isSure ? reason : `${reason}, but the router did not confirm that the entry is gone`);
    this.removeAllListeners();
  }
}

/** One line for each thing that happens to a mapping. */
export function traceMapping({ event, mapping, reason, ms }: MappingEvent): void {
  const { via, protocol, verified, expiresAt } = mapping;
  const external = { address: mapping.externalAddress, port: mapping.externalPort };
  const internal = { address: mapping.internalAddress, port: mapping.internalPort };
  const leftSeconds = expiresAt === 0 ? null : Math.round((expiresAt - Date.now()) / 1000);
  trace.event(event, { via, protocol, external, internal, verified, leftSeconds, reason, ms });
}
