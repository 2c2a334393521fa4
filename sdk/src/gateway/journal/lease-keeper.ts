import { type Gateway, GatewayError, type Lease, type PortRequest } from "../gateway.ts";
import { Turns } from "./turns.ts";

/** Giving a port back must not hold up an exit for longer. */
export const RELEASE_TIMEOUT_MS = 4000;

/**
 * Asks gateways for leases and gives them back, with a record of both: what is asked for is on record before the gateway hears of
 * it, so that the next start can remove what a crash left.
 */
export abstract class LeaseKeeper {
  /** Serialises the making of mappings at one router among everything on this computer. @throws the signal's reason */
  abstract lock(gateway: Gateway, signal: AbortSignal): Promise<Disposable>;
  /** A gateway was found: removes what earlier starts left there. */
  abstract cleanUpOrphans(gateway: Gateway, signal: AbortSignal): Promise<void>;
  /** The same, for the holder of the lock. True: something was removed. */
  abstract removeOrphans(gateway: Gateway, signal: AbortSignal): Promise<boolean>;
  /** Records a request. False: another program on this computer has the port. */
  abstract claim(gateway: Gateway, request: PortRequest): boolean;
  /** Records what was granted in answer to `asked`. */
  abstract granted(gateway: Gateway, lease: Lease, asked: Pick<PortRequest, "externalPort">): void;
  /** Crosses out what was refused or given back. */
  abstract forget(gateway: Gateway, port: Pick<PortRequest, "transport" | "externalPort">): void;

  /** Asks for a lease. Nothing of it is left where that fails. @throws {GatewayError} */
  async request(gateway: Gateway, wanted: PortRequest, signal: AbortSignal): Promise<Lease> {
    const request: PortRequest = { ...wanted, nonce: gateway.nonceFor?.(wanted.transport, wanted.internalPort) };
    const port = `${request.transport.toUpperCase()} port ${request.externalPort}`;
    if (!this.claim(gateway, request)) {
      throw new GatewayError("conflict", `${port} belongs to another program on this computer`);
    }
    let lease: Lease;
    try {
      lease = await gateway.request(request, signal);
    } catch (error) {
      const isAnswered = error instanceof GatewayError && error.kind !== "unreachable";
      // A request that was not answered, or not waited for, may still have made an entry.
      if (isAnswered) this.forget(gateway, request);
      else await this.release(gateway, asLease(gateway, request));
      throw error;
    }
    this.granted(gateway, lease, request);
    if (request.exact && lease.externalPort !== request.externalPort) {
      await this.release(gateway, lease);
      throw new GatewayError("conflict", `the router gave ${lease.externalPort} in place of ${request.externalPort}`);
    }
    return lease;
  }

  /** Prolongs a lease. @throws {GatewayError} */
  async renew(gateway: Gateway, lease: Lease, lifetimeSeconds: number, signal: AbortSignal): Promise<Lease> {
    const renewed = await gateway.renew(lease, lifetimeSeconds, signal);
    this.granted(gateway, renewed, renewed);
    return renewed;
  }

  /** Gives a port back. It stays on record unless it is certain to be gone, which is what `true` means. */
  async release(gateway: Gateway, lease: Lease): Promise<boolean> {
    const gone = await gateway.release(lease, AbortSignal.timeout(RELEASE_TIMEOUT_MS)).catch(() => false);
    if (gone) this.forget(gateway, lease);
    return gone;
  }
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

  async lock(gateway: Gateway, signal: AbortSignal): Promise<Disposable> {
    const turn = await this.#turns.take(gateway.info.address);
    if (signal.aborted) turn[Symbol.dispose]();
    signal.throwIfAborted();
    return turn;
  }

  async cleanUpOrphans(): Promise<void> {}

  async removeOrphans(): Promise<boolean> {
    return false;
  }

  claim(): boolean {
    return true;
  }

  granted(): void {}

  forget(): void {}
}
