import { isKnownToBePrivate, whyNotPublic } from "../external-address.ts";
import { type Gateway, GatewayError, type Lease, type PortRequest } from "../gateway.ts";
import type { Transport } from "../types.ts";
import { candidatePorts } from "./ports.ts";
import type { FullRequest } from "./request.ts";

/** What holds: one lease, or two on the same external port. */
export interface Grant {
  gateway: Gateway;
  leases: readonly Lease[];
  /** What the gateway told meanwhile that may have cost them. */
  doubt?: string | undefined;
}

/** Hooks around a lease's making: the journal, and the lock among the servers on this host. */
export interface LeaseKeeper {
  /** Serialises the making of mappings at one gateway among everything on this host. */
  exclusively<T>(gateway: Gateway, work: () => Promise<T>, signal: AbortSignal): Promise<T>;
  /** Whether another program on this host has the port there, whatever the gateway may say. */
  isTaken(gateway: Gateway, wish: PortRequest): boolean;
  /** Before the gateway is asked. */
  intend(gateway: Gateway, wish: PortRequest): Promise<void>;
  /** It was granted. */
  granted(gateway: Gateway, wish: PortRequest, lease: Lease): Promise<void>;
  /** It was refused, or given back. */
  forget(gateway: Gateway, wish: { transport: Transport; externalPort: number }): Promise<void>;
  /** A gateway was found: removes what earlier starts left there. */
  welcome(gateway: Gateway, signal: AbortSignal): Promise<void>;
  /** The table is full: removes what earlier starts left there. Whether anything was removed. */
  makeRoom(gateway: Gateway, signal: AbortSignal): Promise<boolean>;
}

/** Ports that are asked for exactly, before the gateway may choose. */
const EXACT_TRIES = 8;

/**
 * Gets the request from one gateway: the wished port, or another when it is taken, the same for UDP and TCP.
 * @throws {GatewayError} why not; nothing is left behind then.
 */
export async function establishAt(
  gateway: Gateway,
  request: FullRequest,
  keeper: LeaseKeeper,
  signal: AbortSignal,
  preferred?: number,
): Promise<Grant> {
  const why = isKnownToBePrivate(gateway.info) ? whyNotPublic(gateway.info.externalAddress) : undefined;
  if (why !== undefined && !request.acceptPrivateAddress) throw new GatewayError("private", why);
  return keeper.exclusively(
    gateway,
    () => attentively(gateway, () => tryPorts(gateway, request, keeper, signal, preferred)),
    signal,
  );
}

/** A gateway may restart between two leases, or between a lease and its being kept. */
async function attentively(gateway: Gateway, work: () => Promise<Grant>): Promise<Grant> {
  let doubt: string | undefined;
  const hear = (reason: string): void => {
    doubt ??= reason;
  };
  for (const event of ["suspect", "gone", "announced"] as const) gateway.on(event, hear);
  try {
    const held = await work();
    return { ...held, doubt };
  } finally {
    for (const event of ["suspect", "gone", "announced"] as const) gateway.off(event, hear);
  }
}

async function tryPorts(
  gateway: Gateway,
  request: FullRequest,
  keeper: LeaseKeeper,
  signal: AbortSignal,
  preferred?: number,
): Promise<Grant> {
  const seed = { machine: request.machine, application: request.application, gateway: gateway.info.address };
  const wish = preferred ?? request.externalPort;
  // Most wishes are granted, and the first hash of a process takes milliseconds: the others are worked out when it comes to that.
  let ports = [wish];
  const addAlternatives = (): void => {
    const all = candidatePorts(request.externalPort, request.internalPort, seed);
    ports = [wish, ...all.filter((port) => port !== wish)];
  };
  let conflict: GatewayError | undefined;
  let madeRoom = false;
  for (let index = 0; index < ports.length; index++) {
    signal.throwIfAborted();
    const port = ports[index] ?? 0;
    try {
      return { gateway, leases: await tryPort(gateway, request, port, index < EXACT_TRIES, keeper, signal) };
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      if (index === 0) addAlternatives();
      if (error.kind === "full" && !madeRoom && (await keeper.makeRoom(gateway, signal))) {
        madeRoom = true;
        index--;
      } else if (error.kind === "same-port" && port !== request.internalPort && conflict?.kind !== "same-port") {
        // One chance left: the game's own number outside.
        ports = [...ports.slice(0, index + 1), request.internalPort];
        conflict = error;
      } else if (error.kind === "conflict") {
        conflict ??= error;
        if (conflict.kind === "same-port") {
          throw new GatewayError(
            "refused",
            `the router maps a port to the same number only, and there ${error.message}: let the game listen on another port`,
            { code: 724 },
          );
        }
      } else {
        throw error;
      }
    }
  }
  throw new GatewayError(
    "conflict",
    `${ports.length} ports were tried, none was to be had: ${conflict?.message ?? ""}`,
    { code: conflict?.code },
  );
}

async function tryPort(
  gateway: Gateway,
  request: FullRequest,
  port: number,
  exact: boolean,
  keeper: LeaseKeeper,
  signal: AbortSignal,
): Promise<Lease[]> {
  const { protocol } = request;
  const wish = (transport: Transport, externalPort: number, mustBeExact: boolean): PortRequest => ({
    transport,
    internalPort: request.internalPort,
    externalPort,
    exact: mustBeExact,
    lifetimeSeconds: request.lifetimeSeconds,
    description: request.description,
  });
  const first = await take(gateway, wish(protocol === "tcp" ? "tcp" : "udp", port, exact), keeper, signal);
  const why = whyNotPublic(first.externalAddress);
  if (why !== undefined && !request.acceptPrivateAddress) {
    await giveBack(gateway, first, keeper);
    throw new GatewayError("private", why);
  }
  if (protocol !== "both") return [first];
  try {
    return [first, await take(gateway, wish("tcp", first.externalPort, true), keeper, signal)];
  } catch (error) {
    // Half a pair is no use: the number is given up whole.
    await giveBack(gateway, first, keeper);
    throw error;
  }
}

async function take(gateway: Gateway, wanted: PortRequest, keeper: LeaseKeeper, signal: AbortSignal): Promise<Lease> {
  const wish: PortRequest = { ...wanted, nonce: gateway.nonceFor?.(wanted.transport, wanted.internalPort) };
  if (keeper.isTaken(gateway, wish)) {
    throw new GatewayError(
      "conflict",
      `${wish.transport.toUpperCase()} port ${wish.externalPort} belongs to another program on this computer`,
    );
  }
  await keeper.intend(gateway, wish);
  let lease: Lease;
  try {
    lease = await gateway.request(wish, signal);
  } catch (error) {
    const answered = error instanceof GatewayError && error.kind !== "unreachable";
    // Asked and not answered, or no longer waited for: it may have been made all the same.
    if (answered) await keeper.forget(gateway, wish);
    else await giveBack(gateway, asLease(gateway, wish), keeper);
    throw error;
  }
  await keeper.granted(gateway, wish, lease);
  if (wish.exact && lease.externalPort !== wish.externalPort) {
    await giveBack(gateway, lease, keeper);
    throw new GatewayError("conflict", `the router gave ${lease.externalPort} in place of ${wish.externalPort}`);
  }
  return lease;
}

/** What would have been granted, as far as it takes to give it back. */
function asLease(gateway: Gateway, wish: PortRequest): Lease {
  return {
    ...wish,
    internalAddress: gateway.localAddress,
    externalAddress: gateway.info.externalAddress,
    expiresAt: 0,
    verified: false,
  };
}

/** Milliseconds for giving a port back: it must not hold up an exit. */
export const RELEASE_TIMEOUT = 4000;

/** Gives a port back and forgets it, if it is sure to be gone. */
export async function giveBack(gateway: Gateway, lease: Lease, keeper: LeaseKeeper): Promise<boolean> {
  const gone = await gateway.release(lease, AbortSignal.timeout(RELEASE_TIMEOUT)).catch(() => false);
  if (gone) await keeper.forget(gateway, lease);
  return gone;
}

/** Keeps nothing; one after another at a gateway all the same, so that two protocols do not get into each other's way. */
export class UnjournaledKeeper implements LeaseKeeper {
  readonly #queues = new Map<string, Promise<unknown>>();

  exclusively<T>(gateway: Gateway, work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { address } = gateway.info;
    const turn = (this.#queues.get(address) ?? Promise.resolve()).then(() => {
      signal.throwIfAborted();
      return work();
    });
    this.#queues.set(
      address,
      turn.catch(() => undefined),
    );
    return turn;
  }

  isTaken(): boolean {
    return false;
  }
  async intend(): Promise<void> {}
  async granted(): Promise<void> {}
  async forget(): Promise<void> {}
  async welcome(): Promise<void> {}
  async makeRoom(): Promise<boolean> {
    return false;
  }
}
