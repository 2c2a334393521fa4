import type { Clock } from "../../net/clock.ts";
import { traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import type { Gateways, SharedSearch } from "../discovery/gateways.ts";
import { isKnownToBePrivate, whyNotPublic } from "../external-address.ts";
import { type Finding, type Gateway, GatewayError, type Lease } from "../gateway.ts";
import type { LeaseKeeper } from "../journal/lease-keeper.ts";
import type { MapRequest, Transport } from "../types.ts";
import { noMapping } from "./no-mapping-error.ts";
import { PortPlan } from "./ports.ts";

const trace = traceOf("gateway");

/** A gateway that takes longer than this is not waited for alone: the next one is asked too. */
const HEDGE_AFTER_MS = 1000;

/** A request with its defaults filled in. */
export type FullRequest = { [Key in keyof Required<MapRequest>]: NonNullable<MapRequest[Key]> } & {
  /** Seeds the alternative ports. */
  machine: string;
};

/** What a gateway granted: one lease, or two on the same external port. */
export interface Grant {
  gateway: Gateway;
  leases: readonly Lease[];
  /** What the gateway told meanwhile that may have cost us the leases: they are to be checked. */
  recheckReason?: string | undefined;
}

/** What obtaining a mapping needs. */
export interface ObtainDeps {
  clock: Clock;
  keeper: LeaseKeeper;
  gateways: Gateways;
}

/**
 * Asks every gateway, best first, and those that are still being found, until one grants the request. Nothing is left at the
 * others.
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
      const next = attempts.next();
      if (next) {
        // Hedge: if this gateway takes over 1 s, ask the next one too.
        await Promise.race([attempts.start(next), sleep(HEDGE_AFTER_MS, signal, deps.clock)]);
        continue;
      }
      if (search === undefined) {
        search = deps.gateways.search();
        unsubscribe = search.subscribe(report);
      }
      if (search.isSettled && attempts.running.size === 0 && !attempts.next()) break;
      const settled = search.isSettled ? [] : [search.settled];
      await Promise.race([attempts.aborted, deps.gateways.arrival, ...settled, ...attempts.running]);
    }
  } finally {
    unsubscribe?.();
    await attempts.end();
  }
  if (attempts.won) return attempts.won;
  throw noMapping(attempts.failures, search?.findings ?? []);
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
  readonly #signal: AbortSignal;
  readonly #tried = new Set<Gateway>();

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
    this.#signal = AbortSignal.any([signal, this.#losers.signal]);
    this.aborted = new Promise((resolve) => {
      this.#signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** The best gateway that was not asked yet. */
  next(): Gateway | undefined {
    return this.#deps.gateways.best(this.#tried, this.#request.family);
  }

  /** Asks a gateway. Resolves when it has granted or refused. */
  start(gateway: Gateway): Promise<void> {
    this.#tried.add(gateway);
    const running: Promise<void> = this.#ask(gateway).then((grant) => {
      this.running.delete(running);
      if (grant && !this.won) this.won = grant;
      else if (grant) void Promise.all(grant.leases.map((lease) => this.#deps.keeper.release(gateway, lease)));
    });
    this.running.add(running);
    return running;
  }

  /** Breaks off what is still running, and waits until nothing of it is left. */
  async end(): Promise<void> {
    this.#losers.abort();
    await Promise.all(this.running);
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
    const { info } = gateway;
    if (isKnownToBePrivate(info)) this.#refusePrivate(info.externalAddress);
    const begun = this.#deps.clock.now();
    using _lock = await this.#deps.keeper.lock(gateway, this.#signal);
    const lockMs = this.#deps.clock.now() - begun;
    if (trace.on) trace.event("gateway-asked", { via: info.via, address: info.address, lockMs });
    using restarts = watchingForRestarts(gateway);
    const leases = await this.#tryPorts(gateway);
    return { gateway, leases, recheckReason: restarts.reason };
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
        const mayHelp = error.kind === "full" && !hasMadeRoom;
        if (mayHelp && (await this.#deps.keeper.removeOrphans(gateway, this.#signal))) hasMadeRoom = true;
        else plan.next(error);
      }
    }
  }

  /** The leases of one external port: half a pair is given back. */
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
    const first = await ask(protocol === "tcp" ? "tcp" : "udp", port, isExact);
    try {
      this.#refusePrivate(first.externalAddress);
      return protocol === "both" ? [first, await ask("tcp", first.externalPort, true)] : [first];
    } catch (error) {
      await keeper.release(gateway, first);
      throw error;
    }
  }

  /** @throws {GatewayError} `private`, unless the caller takes such an address */
  #refusePrivate(externalAddress: string): void {
    const why = this.#request.acceptPrivateAddress ? undefined : whyNotPublic(externalAddress);
    if (why !== undefined) throw new GatewayError("private", why);
  }
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
export function describeSuccess({ gateway, leases }: Grant): string {
  const [first] = leases;
  const transports = leases.map(({ transport }) => transport.toUpperCase()).join(" and ");
  return `${gateway.info.name} forwards ${transports} port ${first?.externalPort} of ${first?.externalAddress || "its external address"} to ${first?.internalAddress}:${first?.internalPort}`;
}
