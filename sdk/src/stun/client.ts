import { lookup } from "node:dns/promises";
import { canonicalAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import type { UDPSocket } from "../net/udp-socket.ts";
import { abortable } from "../net/wait.ts";
import { StunAttribute } from "./constants.ts";
import { StunError } from "./errors.ts";
import { parseStunServer } from "./server-url.ts";
import { StunBindingSession } from "./session.ts";
import { DEFAULT_TIMEOUT_MS } from "./transaction.ts";

const trace = traceOf("stun");

/** What became of one server's Binding. Either `mapped` or `error` is there. */
export interface StunServerOutcome {
  /** As the caller named it. */
  server: string;
  /** The address that was asked. */
  address?: Endpoint;
  /** Our address and port as the server saw them. */
  mapped?: Endpoint;
  /** Milliseconds from the first request to the answer. */
  rttMs?: number;
  /** RFC 5780: the server's other address, where it can be asked about the NAT's behaviour. */
  otherAddress?: Endpoint;
  /** Why there is no answer. */
  error?: StunError;
}

/** Options of `stunBinding`. */
export interface StunBindingOptions {
  /** Milliseconds for names and answers together. Default 3000. */
  timeoutMs?: number;
  /** Ends the wait early: servers that have not answered get `aborted`. */
  signal?: AbortSignal;
  /** Called as each server answers or fails. */
  onOutcome?: (outcome: StunServerOutcome) => void;
  /** Asked before each packet to a server, where somebody else named the servers: false keeps it back. */
  maySend?: ((address: string, bytes: number) => boolean) | undefined;
  /** Which family to ask over where a name has both. Default: IPv4 first, since that is what NATs translate. */
  family?: 4 | 6;
}

/**
 * Asks several STUN servers at once for this socket's public address, while the game goes on over the same socket: only
 * answers that are expected, from where they are expected, are taken from it. Never rejects; the result has one outcome
 * for each server, in their order.
 *
 * @param servers `host:port`, or URLs of RFC 7064 (`stun:host:port`)
 */
export async function stunBinding(
  socket: UDPSocket,
  servers: readonly string[],
  options: StunBindingOptions = {},
): Promise<StunServerOutcome[]> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, signal, onOutcome, maySend } = options;
  const deadline = performance.now() + timeoutMs;
  using session = new StunBindingSession(socket, { signal });
  const over = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]);
  // A look-up cannot itself be cancelled.
  const givenUp = (cause: unknown): StunError =>
    signal?.aborted === true
      ? new StunError("aborted", "Given up before an answer came.", { cause })
      : new StunError("unresolvable", `The name had no answer within ${timeoutMs} ms: check the DNS.`);
  const ask = async (server: string): Promise<StunServerOutcome> => {
    const outcome: StunServerOutcome = { server };
    try {
      const address = await abortable(resolveStunServer(server, socket, options.family), over, givenUp);
      outcome.address = address;
      const answer = await session.ask(address, {
        timeoutMs: Math.max(1, deadline - performance.now()),
        ...(maySend && { maySend: (bytes) => maySend(address.address, bytes) }),
      });
      if (answer.mapped !== undefined) outcome.mapped = answer.mapped;
      if (answer.rttMs !== undefined) outcome.rttMs = answer.rttMs;
      if (answer.error !== undefined) outcome.error = answer.error;
      const other = answer.response?.address(StunAttribute.OTHER_ADDRESS) ?? null;
      if (other !== null) outcome.otherAddress = other;
    } catch (error) {
      outcome.error = error instanceof StunError ? error : new StunError("aborted", String(error), { cause: error });
      // The text that names no server may hold anything.
      const { failure, message } = outcome.error;
      if (trace.on) trace.event("not-asked", { failure, reason: failure === "invalid-server" ? undefined : message });
    }
    onOutcome?.(outcome);
    return outcome;
  };
  return await Promise.all(servers.map(ask));
}

/** @throws {StunError} */
export async function resolveStunServer(
  server: string,
  socket: Pick<UDPSocket, "canReach">,
  family?: 4 | 6,
): Promise<Endpoint> {
  const parsed = parseStunServer(server);
  if (parsed === null) {
    const message = `"${server}" names no STUN server: write stun:HOST:PORT or HOST:PORT.`;
    throw new StunError("invalid-server", message);
  }
  const { host, port } = parsed;
  const literal = canonicalAddress(host);
  if (literal !== undefined) return { address: literal, port };
  try {
    const found = await lookup(host, { all: true, order: "ipv4first", family: family ?? 0 });
    const usable = found.find(({ address }) => socket.canReach(address));
    if (usable !== undefined) return { address: usable.address, port };
  } catch (error) {
    throw new StunError("unresolvable", `The name ${host} has no address: check the name and the DNS.`, {
      cause: error,
    });
  }
  throw new StunError("unresolvable", `The name ${host} has no address of a family that this socket carries.`);
}
