import type { Clock } from "../../net/clock.ts";
import { traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import type { Gateways, SharedSearch } from "../discovery/gateways.ts";
import { isUnsaid, whyNotPublic } from "../external-address.ts";
import { type Finding, type Gateway, GatewayError, type Lease, OTHER_DEVICE } from "../gateway.ts";
import type { LeaseKeeper } from "../journal/lease-keeper.ts";
import type { MapRequest, Transport } from "../types.ts";
import { type Asked, HEDGE_ROUTER_MS, waitMs } from "./hedge.ts";
import { noMapping } from "./no-mapping-error.ts";
import { PortPlan } from "./ports.ts";

const trace = traceOf("gateway");

/**
 * What a slower protocol may have made is given back within this, or in the background. Routers answer within milliseconds, and one
 * that shares its table among protocols takes the winner's mapping along.
 */
const CONTEST_MS = 300;
/** External ports that a router of a limited range is asked to have for TCP too, after it chose them for UDP. */
const MAX_CHOSEN_PAIRS = 4;

/** A request with its defaults filled in. */
export type FullRequest = {
  [Key in Exclude<keyof MapRequest, "publicAddress">]-?: NonNullable<MapRequest[Key]>;
} & Pick<MapRequest, "publicAddress"> & {
    /** Seeds the alternative ports. */
    machine: string;
  };

/** What a gateway granted: one lease, or two on the same external port. */
export interface Grant {
  gateway: Gateway;
  leases: readonly Lease[];
  /** The public address that was seen from outside, where the gateway does not tell its own. */
  seenAddress?: string | undefined;
  /** What the gateway told meanwhile that may have cost us the leases: they are to be checked. */
  recheckReason?: string | undefined;
  /**
   * Other protocols of the same router were asked for the same port. Resolves when what they may have made was given back, which
   * may have taken this mapping along: it is to be asked for again.
   */
  contested?: Promise<void> | undefined;
}

/** What obtaining a mapping needs. */
export interface ObtainDeps {
  clock: Clock;
  keeper: LeaseKeeper;
  gateways: Gateways;
}

/**
 * Asks every gateway, best first, and those that are still being found, until one grants the request. A protocol that is silent
 * delays the other protocols of its router by a moment only. Nothing is left at those that did not win.
 * @throws {NoMappingError} no gateway granted it, none is being asked, and the search is over
 */
export async function obtain(
  deps: ObtainDeps,
  request: FullRequest,
  signal: AbortSignal,
  report: (finding: Finding) => void,
  preferredPort?: number,
): Promise<Grant> {
  const attempts = new Attempts(deps, request, signal, report, preferredPort);
  let search: SharedSearch | undefined;
  let unsubscribe: (() => void) | undefined;
  try {
    while (attempts.won === undefined) {
      signal.throwIfAborted();
      const next = attempts.next(search?.isSettled ?? false);
      if (next?.waitMs === 0) {
        attempts.start(next.gateway);
        continue;
      }
      const searchInMs = search === undefined ? attempts.searchInMs : Number.POSITIVE_INFINITY;
      if (searchInMs === 0) {
        search = deps.gateways.search();
        unsubscribe = search.subscribe(report);
        continue;
      }
      if (search?.isSettled && attempts.running.size === 0 && next === undefined) break;
      using pause = abortable();
      const dueMs = Math.min(next?.waitMs ?? Number.POSITIVE_INFINITY, searchInMs);
      const due = Number.isFinite(dueMs) ? [sleep(dueMs, pause.signal, deps.clock)] : [];
      const settled = search === undefined || search.isSettled ? [] : [search.settled];
      const happened = [attempts.aborted, attempts.progress, deps.gateways.arrival];
      await Promise.race([...happened, ...settled, ...attempts.running, ...due]);
    }
  } finally {
    unsubscribe?.();
    await attempts.end();
  }
  if (attempts.won) return attempts.settle(attempts.won);
  throw noMapping(attempts.failures, search?.findings ?? []);
}

/** A signal that aborts when it is disposed. */
function abortable(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  return { signal: controller.signal, [Symbol.dispose]: () => controller.abort() };
}

/** One request at several gateways at once. The first grant wins; later ones are given back. */
class Attempts {
  won: Grant | undefined;
  readonly failures: GatewayError[] = [];
  readonly running = new Set<Promise<void>>();
  /** Resolves when the caller gives up. */
  readonly aborted: Promise<void>;
  readonly #deps: ObtainDeps;
  readonly #request: FullRequest;
  readonly #report: (finding: Finding) => void;
  readonly #preferredPort: number | undefined;
  readonly #losers = new AbortController();
  readonly #caller: AbortSignal;
  readonly #signal: AbortSignal;
  readonly #tried = new Set<Gateway>();
  readonly #asked = new Map<Gateway, Asked>();
  #progress = Promise.withResolvers<void>();
  /** One for each router: its protocols share it. */
  readonly #locks = new Map<string, Promise<Disposable>>();

  constructor(
    deps: ObtainDeps,
    request: FullRequest,
    signal: AbortSignal,
    report: (finding: Finding) => void,
    preferredPort: number | undefined,
  ) {
    this.#deps = deps;
    this.#request = request;
    this.#report = report;
    this.#preferredPort = preferredPort;
    this.#caller = signal;
    this.#signal = AbortSignal.any([signal, this.#losers.signal]);
    this.aborted = new Promise((resolve) => {
      this.#signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /**
   * The gateway to ask next, and in how many milliseconds; `Infinity`: when something else has happened.
   * @param isSearched every gateway that is here has answered, as far as can be told
   */
  next(isSearched: boolean): { gateway: Gateway; waitMs: number } | undefined {
    const now = this.#deps.clock.now();
    let first: { gateway: Gateway; waitMs: number } | undefined;
    for (const gateway of this.#deps.gateways.inOrder(this.#tried, this.#request.family)) {
      const candidate = { gateway, waitMs: waitMs(gateway, this.#asked, now, isSearched) };
      if (first === undefined || candidate.waitMs < first.waitMs) first = candidate;
    }
    return first;
  }

  /** Milliseconds until more gateways are to be searched for. */
  get searchInMs(): number {
    const last = Math.max(Number.NEGATIVE_INFINITY, ...[...this.#asked.values()].map(({ startedAt }) => startedAt));
    return Math.max(0, last + HEDGE_ROUTER_MS - this.#deps.clock.now());
  }

  /** Resolves when a gateway's turn has come. */
  get progress(): Promise<void> {
    return this.#progress.promise;
  }

  /** Asks a gateway, until it has granted or refused. */
  start(gateway: Gateway): void {
    this.#tried.add(gateway);
    const startedAt = this.#deps.clock.now();
    this.#asked.set(gateway, { startedAt, askedAt: startedAt });
    const hold = this.#deps.gateways.hold(gateway);
    const running: Promise<void> = this.#ask(gateway).then((grant) => {
      hold[Symbol.dispose]();
      this.#asked.delete(gateway);
      this.running.delete(running);
      if (grant && !this.won) this.won = grant;
      else if (grant) for (const lease of grant.leases) this.#deps.keeper.releaseLater(gateway, lease);
    });
    this.running.add(running);
  }

  /** Breaks off what is still running. What that may have made is given back; only a caller who gave up waits for it. */
  async end(): Promise<void> {
    const { gateways, keeper } = this.#deps;
    const losers = [...this.#asked.keys()];
    this.#losers.abort();
    const over = Promise.all(this.running).then(async () => {
      for (const lock of this.#locks.values()) await lock.then((held) => held[Symbol.dispose]()).catch(() => undefined);
    });
    const { won } = this;
    if (won === undefined) {
      await over;
      await keeper.settled();
      return;
    }
    const rivals = losers.filter(({ info }) => info.address === won.gateway.info.address);
    for (const rival of rivals) gateways.demote(rival);
    if (rivals.length > 0) this.won = { ...won, contested: over.then(() => keeper.settled()) };
  }

  /** Has a mapping that other protocols of its router contested made again, if what they had is given back soon. */
  async settle(won: Grant): Promise<Grant> {
    const { clock, keeper } = this.#deps;
    const { gateway, leases, contested } = won;
    if (contested === undefined) return won;
    using pause = abortable();
    const isOver = await Promise.race([contested.then(() => true), sleep(CONTEST_MS, pause.signal, clock)]);
    if (isOver !== true) return won;
    try {
      const again: Lease[] = [];
      for (const lease of leases) {
        again.push(await keeper.renew(gateway, lease, this.#request.lifetimeSeconds, this.#caller));
      }
      return { ...won, leases: again, contested: undefined };
    } catch {
      // The mapping looks after itself.
      return won;
    }
  }

  async #ask(gateway: Gateway): Promise<Grant | undefined> {
    const step = gateway.info.via;
    try {
      const grant = await this.#establish(gateway);
      this.#report({ step, outcome: "ok", reason: describeSuccess(grant) });
      return grant;
    } catch (error) {
      if (this.#signal.aborted) return undefined;
      if (!(error instanceof GatewayError)) throw error;
      const { kind, message, code } = error;
      this.failures.push(error);
      if (kind === "unreachable") this.#deps.gateways.markUnreachable(gateway);
      this.#report({
        step,
        outcome: kind === "unreachable" ? "failed" : "refused",
        reason: `${gateway.info.name}: ${message}`,
        ...(code === undefined ? {} : { code }),
      });
      return undefined;
    }
  }

  /** Gets the leases from one gateway. Nothing is left behind where that fails. @throws {GatewayError} */
  async #establish(gateway: Gateway): Promise<Grant> {
    const { via, externalAddress } = gateway.info;
    // PCP tells its external address only with a mapping.
    if (!(via === "pcp" && externalAddress === "")) await this.#requirePublic(gateway, externalAddress);
    const begun = this.#deps.clock.now();
    this.#noteAsked(gateway, Number.POSITIVE_INFINITY);
    await this.#lock(gateway);
    if (trace.on) {
      trace.event("gateway-asked", { via, address: gateway.info.address, lockMs: this.#deps.clock.now() - begun });
    }
    this.#signal.throwIfAborted();
    this.#noteAsked(gateway, this.#deps.clock.now());
    using restarts = watchingForRestarts(gateway);
    const leases = await this.#tryPorts(gateway);
    const seenAddress = await this.#seenAddress(leases[0]?.externalAddress ?? "");
    return { gateway, leases, seenAddress, recheckReason: restarts.reason };
  }

  /** @param askedAt `Infinity` while it waits for its router's turn */
  #noteAsked(gateway: Gateway, askedAt: number): void {
    const asked = this.#asked.get(gateway);
    if (asked) this.#asked.set(gateway, { ...asked, askedAt });
    this.#progress.resolve();
    this.#progress = Promise.withResolvers();
  }

  /** The first protocol of a router takes its lock; the others share it. */
  async #lock(gateway: Gateway): Promise<void> {
    const { address } = gateway.info;
    const held = this.#locks.get(address);
    if (held === undefined) {
      const lock = this.#deps.keeper.lock(gateway, this.#signal);
      this.#locks.set(address, lock);
      await lock;
      return;
    }
    await held;
    await this.#deps.keeper.removeOrphans(gateway, this.#signal);
  }

  async #tryPorts(gateway: Gateway): Promise<readonly Lease[]> {
    const plan = new PortPlan(this.#request, gateway.info.address, this.#preferredPort);
    let hasMadeRoom = false;
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        return await this.#tryPort(gateway, plan.port, plan.isExact);
      } catch (error) {
        if (!(error instanceof GatewayError)) throw error;
        if (trace.on) {
          const { kind, code, message: reason } = error;
          trace.event("port-refused", { via: gateway.info.via, port: plan.port, kind, code, reason });
        }
        const mayHelp = (error.kind === "full" || error.kind === "unexplained") && !hasMadeRoom;
        if (mayHelp && (await this.#deps.keeper.removeOrphans(gateway, this.#signal))) hasMadeRoom = true;
        else plan.next(error);
      }
    }
  }

  /** The leases of one external port: half a pair is given back. A router that chooses is asked for the next one too. */
  async #tryPort(gateway: Gateway, port: number, isExact: boolean): Promise<readonly Lease[]> {
    const { keeper } = this.#deps;
    const { protocol, internalPort, lifetimeSeconds, description } = this.#request;
    if (trace.on) {
      const { via, address } = gateway.info;
      trace.event("port-tried", { via, gateway: address, protocol, port, internalPort, isExact, lifetimeSeconds });
    }
    const ask = (transport: Transport, externalPort: number, exact: boolean): Promise<Lease> => {
      const request = { transport, internalPort, externalPort, exact, lifetimeSeconds, description };
      return keeper.request(gateway, request, this.#signal);
    };
    for (let chosen = 1; ; chosen++) {
      // NAT-PMP has no way to refuse a port: it gives another one, which is as good.
      const isOpen = !isExact || gateway.info.via === "nat-pmp";
      const first = await ask(protocol === "tcp" ? "tcp" : "udp", port, !isOpen);
      try {
        await this.#requirePublic(gateway, first.externalAddress);
        return protocol === "both" ? [first, await ask("tcp", first.externalPort, true)] : [first];
      } catch (error) {
        await keeper.release(gateway, first);
        const isTaken = error instanceof GatewayError && error.kind === "conflict";
        if (!isOpen || !isTaken || chosen >= MAX_CHOSEN_PAIRS || first.externalPort >= 65_535) throw error;
        port = first.externalPort + 1;
      }
    }
  }

  /**
   * What the router does not tell, somebody outside may know. What it tells and is private, leads nowhere.
   * @throws {GatewayError} `private`, unless the caller takes such an address
   */
  async #requirePublic(gateway: Gateway, externalAddress: string): Promise<void> {
    const why = whyNotPublic(externalAddress);
    if (why === undefined || this.#request.acceptPrivateAddress) return;
    if ((await this.#seenAddress(externalAddress)) !== undefined) return;
    const problem = isUnsaid(externalAddress) ? gateway.addressProblem : undefined;
    if (problem === undefined) throw new GatewayError("private", why);
    throw new GatewayError("private", `${why} (it answered: ${problem.message})`, {
      code: problem.code || undefined,
      cause: problem,
    });
  }

  /** The public address as it is seen from outside, where the router does not tell one. */
  async #seenAddress(told: string): Promise<string | undefined> {
    if (!isUnsaid(told)) return undefined;
    return Promise.race([seenFromOutside(this.#request), this.aborted.then(() => undefined)]);
  }
}

/** What the caller knows of the public address; `undefined` where that is no public one. */
export async function seenFromOutside({
  publicAddress,
}: Pick<MapRequest, "publicAddress">): Promise<string | undefined> {
  const seen = await Promise.resolve(publicAddress?.()).catch(() => undefined);
  return seen !== undefined && whyNotPublic(seen) === undefined ? seen : undefined;
}

/** A gateway may restart between two leases, or between a lease and its being kept: remembers what it tells until disposed. */
function watchingForRestarts(gateway: Gateway): Disposable & { readonly reason: string | undefined } {
  const events = ["suspect", "gone", "announced"] as const;
  let reason: string | undefined;
  const onEvent = (told: string): void => {
    reason ??= told;
  };
  for (const event of events) gateway.on(event, onEvent);
  return {
    get reason() {
      return reason;
    },
    [Symbol.dispose]() {
      for (const event of events) gateway.off(event, onEvent);
    },
  };
}

/** A success in words. */
export function describeSuccess({ gateway, leases, seenAddress }: Grant): string {
  const [first] = leases;
  const transports = leases.map(({ transport }) => transport.toUpperCase()).join(" and ");
  const address = seenAddress ?? (first?.externalAddress || "its external address");
  const stranger =
    gateway.rank === OTHER_DEVICE
      ? `; ${gateway.info.address} is not this network's default gateway, and only a packet from outside can prove that it leads here`
      : "";
  return `${gateway.info.name} forwards ${transports} port ${first?.externalPort} of ${address} to ${first?.internalAddress}:${first?.internalPort}${stranger}`;
}
