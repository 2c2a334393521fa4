import { canonicalAddress, withoutZone } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { readInterfaces } from "../net/interfaces.ts";
import { traceOf } from "../net/trace.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import { UnprovenAddress } from "../net/unproven-address.ts";
import { newTransactionId, StunBuilder } from "../stun/builder.ts";
import { resolveStunServer } from "../stun/client.ts";
import { StunAttribute, StunMethod } from "../stun/constants.ts";
import { StunError } from "../stun/errors.ts";
import { isStun } from "../stun/message.ts";
import { StunBindingSession } from "../stun/session.ts";
import { DEFAULT_TIMEOUT_MS } from "../stun/transaction.ts";
import { discoverBehaviour, type NatAnswer, type NatAsk, type NatBehaviour } from "./behaviour.ts";

const trace = traceOf("nat");

/** Options of `natBehaviour`. */
export interface NatBehaviourOptions {
  /** Milliseconds to wait for an answer that must come. Default 3000. */
  timeoutMs?: number;
  /** Milliseconds after which silence is taken for a filter, or for no hairpin. Default 1500. */
  silenceMs?: number;
  /** Ends it early. */
  signal?: AbortSignal;
  /** Which family of addresses to examine. Default 4. */
  family?: 4 | 6;
}

const DEFAULT_SILENCE_MS = 1500;
/** Loss must not look like a missing hairpin. */
const HAIRPIN_SCHEDULE_MS = [0, 150, 400, 800];

/**
 * How the NAT before this socket behaves, found with the help of a STUN server that has two addresses (RFC 5780), while
 * the game goes on. Never rejects: what could not be found is `unknown` or `null`, and `error` says why.
 *
 * Takes about one round trip and `silenceMs`.
 */
export async function natBehaviour(
  socket: UDPSocket,
  server: string,
  options: NatBehaviourOptions = {},
): Promise<NatBehaviour> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, silenceMs = DEFAULT_SILENCE_MS, signal, family } = options;
  try {
    const address = await resolveStunServer(server, socket, family);
    await using fresh = UDPSocket.open({ address: address.address.includes(":") ? "::" : "0.0.0.0" });
    using game = new StunBindingSession(socket, { signal });
    using other = new StunBindingSession(fresh, { signal });
    // Its other address, and what it says is ours, may be somebody else's.
    const named = new UnprovenAddress();
    const asking: Asking = { server: address, timeoutMs, silenceMs, named };
    const behaviour = await discoverBehaviour(address, {
      askFromGame: asker(game, asking),
      askFromFresh: asker(other, asking),
      hairpin: (gameMapped, freshMapped) => hairpins(socket, gameMapped, fresh, freshMapped, silenceMs, named, signal),
      isLocal: isLocalEndpoint(socket),
      localPort: socket.localPort,
    });
    if (trace.on) traceBehaviour(behaviour, address);
    return behaviour;
  } catch (error) {
    const cause = error instanceof StunError ? error : new StunError("aborted", String(error), { cause: error });
    if (trace.on) trace.event("behaviour-unknown", { failure: cause.failure });
    return {
      mapping: "unknown",
      filtering: "unknown",
      hairpinning: null,
      portPreservation: null,
      mapped: null,
      error: cause,
    };
  }
}

function traceBehaviour({ error, ...behaviour }: NatBehaviour, server: Endpoint): void {
  trace.event("behaviour", { server, ...behaviour, failure: error?.failure });
}

/** Whether an endpoint is this socket's own by an address of one of the machine's interfaces: then there is no NAT. */
export function isLocalEndpoint(socket: UDPSocket): (endpoint: Endpoint) => boolean {
  const addresses = new Set([canonicalAddress(withoutZone(socket.localAddress))]);
  for (const each of Object.values(readInterfaces()).flat()) {
    if (each !== undefined) addresses.add(canonicalAddress(each.address));
  }
  return ({ address, port }) => port === socket.localPort && addresses.has(address);
}

interface Asking {
  readonly server: Endpoint;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  /** What the server said, and what went to addresses that it named. */
  readonly named: UnprovenAddress;
}

function asker(session: StunBindingSession, { server: asked, timeoutMs, silenceMs, named }: Asking): NatAsk {
  return async (server, { change, answersFrom, mayBeSilent } = {}) => {
    const { mapped, response, error } = await session.ask(server, {
      timeoutMs: mayBeSilent === true ? silenceMs : timeoutMs,
      ...(change === undefined ? {} : { change }),
      ...(answersFrom === undefined ? {} : { answersFrom }),
      ...(server.address === asked.address ? {} : { maySend: (bytes) => named.take(bytes) }),
    });
    if (server.address === asked.address) named.received(response?.bytes ?? 0);
    const other = response?.address(StunAttribute.OTHER_ADDRESS) ?? undefined;
    const answer: NatAnswer = {};
    if (mapped !== undefined) answer.mapped = mapped;
    if (other !== undefined) answer.other = other;
    if (error !== undefined) answer.error = error;
    return answer;
  };
}

/**
 * Two sockets behind the same NAT send to one another's public address, so that each opens its own filter for the
 * other; one arrival proves the hairpin. Indications, which nobody answers, with an id that only we know.
 */
async function hairpins(
  game: UDPSocket,
  gameMapped: Endpoint,
  fresh: UDPSocket,
  freshMapped: Endpoint,
  silenceMs: number,
  named: UnprovenAddress,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const knock = new StunBuilder(StunMethod.BINDING, "indication", newTransactionId()).fingerprint().build();
  const arrived = Promise.withResolvers<boolean>();
  const watch = (data: Buffer): boolean => {
    if (!isStun(data) || !data.equals(knock)) return false;
    arrived.resolve(true);
    return true;
  };
  const leave = [game.tap(watch), fresh.tap(watch)];
  const give = (): void => {
    arrived.resolve(false);
  };
  signal?.addEventListener("abort", give, { once: true });
  const timers = HAIRPIN_SCHEDULE_MS.filter((at) => at < silenceMs).map((at) =>
    setTimeout(() => {
      if (named.take(knock.length)) game.send(knock, freshMapped.port, freshMapped.address);
      if (named.take(knock.length)) fresh.send(knock, gameMapped.port, gameMapped.address);
    }, at).unref(),
  );
  timers.push(setTimeout(give, silenceMs).unref());
  try {
    return await arrived.promise;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    for (const each of leave) each();
    signal?.removeEventListener("abort", give);
  }
}
