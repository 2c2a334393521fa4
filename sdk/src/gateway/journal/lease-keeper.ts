import { type Gateway, GatewayError, type Lease, type LeaseCheck, type PortRequest, type ShownAs } from "../gateway.ts";
import { Turns } from "./turns.ts";

/** Giving a port back must not hold up an exit for longer. */
export const RELEASE_TIMEOUT_MS = 4000;

/** The record of a lease that is prolonged all the time is written no more often. */
const MAX_RECORD_LAG_MS = 300_000;

/**
 * Asks gateways for leases and gives them back, with a record of both: what is asked for is on record before the gateway hears of
 * it, so that the next start can remove what a crash left.
 */
export abstract class LeaseKeeper {
  /** How routers show what this process has there. */
  readonly #shown = new Map<string, ShownAs>();
  /** When the leases on record end, as `Date.now()` counts. */
  readonly #recordedUntil = new Map<string, number>();
  /** Ports that were given back without a confirmation: they stay on record. */
  readonly #unconfirmed = new Set<string>();
  /** Ports that are being given back while others are asked for. */
  readonly #releases = new Map<string, Promise<unknown>>();

  /**
   * Serialises the making of mappings at one router among everything on this computer, and removes what earlier starts left at
   * this gateway. @throws the signal's reason
   */
  abstract lock(gateway: Gateway, signal: AbortSignal): Promise<Disposable>;
  /** A gateway was found: removes what earlier starts left there. True: the gateway did not confirm that all of it is gone. */
  abstract cleanUpOrphans(gateway: Gateway, signal: AbortSignal): Promise<boolean>;
  /** Removes it, for the holder of the lock. True: something was removed. */
  abstract removeOrphans(gateway: Gateway, signal: AbortSignal): Promise<boolean>;
  /** Why the record is not kept, for the person who hosts; `undefined` when all is well. */
  get problem(): string | undefined {
    return undefined;
  }

  /** Records a request. False: another program on this computer has the port. */
  abstract claim(gateway: Gateway, request: PortRequest): boolean;
  /** Records what was granted, in place of what was recorded for `asked`. */
  abstract granted(gateway: Gateway, lease: Lease, asked: Pick<PortRequest, "externalPort">): void;
  /** Crosses out what was refused or given back. */
  abstract forget(gateway: Gateway, port: Pick<PortRequest, "transport" | "externalPort">): void;

  /** Resolves when everything that is being given back is gone, or was not confirmed to be. */
  async settled(): Promise<void> {
    await Promise.all(this.#releases.values());
  }

  /**
   * Asks for a lease. What may be left where that fails is given back in the background: see {@link settled}.
   * @throws {GatewayError}
   */
  async request(gateway: Gateway, wanted: PortRequest, signal: AbortSignal): Promise<Lease> {
    // A port that the same protocol gives back right now would be deleted again.
    await this.#releases.get(internalKey(gateway, wanted));
    signal.throwIfAborted();
    const nonce = gateway.nonceFor?.(wanted.transport, wanted.internalPort);
    const request: PortRequest = { ...wanted, nonce, shownAs: this.#shown.get(externalKey(gateway, wanted)) };
    const port = `${request.transport.toUpperCase()} port ${request.externalPort}`;
    if (!this.claim(gateway, request)) {
      throw new GatewayError("conflict", `${port} belongs to another program on this computer`);
    }
    let lease: Lease;
    try {
      lease = await gateway.request(request, signal);
    } catch (error) {
      const left = error instanceof GatewayError ? error.left : undefined;
      if (left !== undefined) this.granted(gateway, left, request);
      const isAnswered = error instanceof GatewayError && error.kind !== "unreachable" && left === undefined;
      // A request that was not answered, or not waited for, may still have made an entry.
      if (isAnswered && !this.#unconfirmed.has(externalKey(gateway, request))) this.forget(gateway, request);
      if (!isAnswered) this.releaseLater(gateway, left ?? asLease(gateway, request));
      throw error;
    }
    this.#keep(gateway, lease, request);
    if (request.exact && lease.externalPort !== request.externalPort) {
      await this.release(gateway, lease);
      throw new GatewayError("conflict", `the router gave ${lease.externalPort} in place of ${request.externalPort}`);
    }
    return lease;
  }

  /** Prolongs a lease. @throws {GatewayError} */
  async renew(gateway: Gateway, lease: Lease, lifetimeSeconds: number, signal: AbortSignal): Promise<Lease> {
    const renewed = await gateway.renew(lease, lifetimeSeconds, signal);
    this.#keep(gateway, renewed, lease);
    return renewed;
  }

  /** Looks whether a lease holds. Of a router that gives another port meanwhile, that is recorded. */
  async check(gateway: Gateway, lease: Lease, signal: AbortSignal): Promise<LeaseCheck> {
    const found = await gateway.check(lease, signal);
    if (found.state !== "held") return found;
    const isMoved = found.lease.externalPort !== lease.externalPort;
    const recorded = this.#recordedUntil.get(externalKey(gateway, lease)) ?? 0;
    // A look by PCP or NAT-PMP prolongs the lease.
    if (isMoved || found.lease.expiresAt > recorded + MAX_RECORD_LAG_MS) this.#keep(gateway, found.lease, lease);
    return found;
  }

  /** Gives a port back in the background: see {@link settled}. */
  releaseLater(gateway: Gateway, lease: Lease): void {
    const key = internalKey(gateway, lease);
    const release = Promise.resolve(this.#releases.get(key))
      .then(() => this.release(gateway, lease))
      .then(() => {
        if (this.#releases.get(key) === release) this.#releases.delete(key);
      });
    this.#releases.set(key, release);
  }

  /** Gives a port back. It stays on record unless it is certain to be gone, which is what `true` means. */
  async release(gateway: Gateway, lease: Lease): Promise<boolean> {
    const gone = await gateway.release(lease, AbortSignal.timeout(RELEASE_TIMEOUT_MS)).catch(() => false);
    const key = externalKey(gateway, lease);
    if (gone) {
      this.forget(gateway, lease);
      this.#shown.delete(key);
      this.#recordedUntil.delete(key);
      this.#unconfirmed.delete(key);
    } else {
      this.#unconfirmed.add(key);
    }
    return gone;
  }

  #keep(gateway: Gateway, lease: Lease, asked: Pick<PortRequest, "externalPort">): void {
    this.granted(gateway, lease, asked);
    this.#recordedUntil.set(externalKey(gateway, lease), lease.expiresAt);
    if (lease.shownAs !== undefined) this.#shown.set(externalKey(gateway, lease), lease.shownAs);
  }
}

function externalKey(
  { info }: Gateway,
  { transport, externalPort }: Pick<PortRequest, "transport" | "externalPort">,
): string {
  return `${info.via} ${info.address} ${transport} ${externalPort}`;
}

function internalKey(
  { info, localAddress }: Gateway,
  { transport, internalPort }: Pick<PortRequest, "transport" | "internalPort">,
): string {
  return `${info.via} ${info.address} ${localAddress} ${transport} ${internalPort}`;
}

/** What would have been granted, as far as giving it back needs it. */
function asLease(gateway: Gateway, request: PortRequest): Lease {
  return {
    ...request,
    internalAddress: gateway.localAddress,
    externalAddress: gateway.info.externalAddress,
    expiresAt: 0,
    verified: false,
  };
}

/** Keeps no record. Requests to one router still take turns, so that two protocols do not take the same port twice. */
export class UnjournaledKeeper extends LeaseKeeper {
  readonly #turns = new Turns();

  async lock({ info }: Gateway, signal: AbortSignal): Promise<Disposable> {
    const turn = await this.#turns.take(info.address);
    if (signal.aborted) turn[Symbol.dispose]();
    signal.throwIfAborted();
    return turn;
  }

  async cleanUpOrphans(): Promise<boolean> {
    return false;
  }

  async removeOrphans(): Promise<boolean> {
    return false;
  }

  claim(): boolean {
    return true;
  }

  granted(): void {}

  forget(): void {}
}
