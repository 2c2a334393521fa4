import type { Endpoint } from "../net/endpoint.ts";
import { CHANGE_IP, CHANGE_PORT } from "../stun/constants.ts";
import type { StunError } from "../stun/errors.ts";

/** RFC 4787's words. `none`: no NAT on the path, or no filter. */
export type NatDependence =
  | "none"
  | "endpoint-independent"
  | "address-dependent"
  | "address-and-port-dependent"
  | "unknown";

/** How a NAT behaves, in the words of RFC 4787. */
export interface NatBehaviour {
  /** RFC 4787 section 4.1: does the public address stay the same towards every peer? */
  mapping: NatDependence;
  /** RFC 4787 section 5: who may answer through a mapping? `none` is never told from `endpoint-independent`. */
  filtering: NatDependence;
  /** RFC 4787 section 6: do two hosts behind the NAT reach one another by its public address? `null`: not known. */
  hairpinning: boolean | null;
  /** RFC 4787 section 4.2.1: is the public port the private one? `null`: not known, or no NAT. */
  portPreservation: boolean | null;
  /** The game socket's public address. */
  mapped: Endpoint | null;
  /** Why there is no more to say. */
  error?: StunError;
}

/** How a Binding request is to be answered. */
export interface NatProbe {
  /** CHANGE-REQUEST's flags. */
  change?: number;
  /** Where the answer comes from, if not from where the request went. */
  answersFrom?: Endpoint;
  /** A question whose silence is an answer, and waits less. */
  mayBeSilent?: boolean;
}

/** What a STUN server said. */
export interface NatAnswer {
  /** Our address as the server saw it. */
  mapped?: Endpoint;
  /** OTHER-ADDRESS. */
  other?: Endpoint;
  /** Why there is no answer. */
  error?: StunError;
}

/** Asks a STUN server from one socket. Never rejects. */
export type NatAsk = (server: Endpoint, probe?: NatProbe) => Promise<NatAnswer>;

/** Who asks, when the NAT before a game is examined. */
export interface NatSubject {
  /** From the socket that the game uses: its mapping is the one that counts. */
  askFromGame: NatAsk;
  /** From a socket that has sent nothing to anybody, so that its filter is still closed. */
  askFromFresh: NatAsk;
  /** Whether a packet sent to the game's public address from the fresh socket comes back in. */
  hairpin: (gameMapped: Endpoint, freshMapped: Endpoint) => Promise<boolean>;
  /** The game's own addresses, as interfaces have them, with its port. */
  isLocal: (endpoint: Endpoint) => boolean;
  /** The game's own port. */
  localPort: number;
}

/**
 * Discovers how the NAT behaves, by RFC 5780 sections 4.3 and 4.4 and, for the hairpin, two sockets. I/O is handed in.
 * The game is not disturbed: its socket sends three Binding requests; all that depends on closed filters is done from
 * another socket.
 *
 * What silence means is only guessed from silence: a path that loses every retransmission looks like a filter.
 */
export async function discoverBehaviour(server: Endpoint, subject: NatSubject): Promise<NatBehaviour> {
  const behaviour: NatBehaviour = {
    mapping: "unknown",
    filtering: "unknown",
    hairpinning: null,
    portPreservation: null,
    mapped: null,
  };
  const [game, fresh] = await Promise.all([subject.askFromGame(server), subject.askFromFresh(server)]);
  const { mapped, other } = game;
  if (mapped === undefined) {
    if (game.error !== undefined) behaviour.error = game.error;
    return behaviour;
  }
  const open = subject.isLocal(mapped);
  behaviour.mapped = mapped;
  behaviour.portPreservation = open ? null : mapped.port === subject.localPort;
  const freshMapped = fresh.mapped;
  [behaviour.mapping, behaviour.filtering, behaviour.hairpinning] = await Promise.all([
    open ? "none" : mappingBehaviour(server, mapped, other, subject.askFromGame),
    freshMapped === undefined ? "unknown" : filteringBehaviour(server, fresh.other, subject.askFromFresh),
    open || freshMapped === undefined ? null : subject.hairpin(mapped, freshMapped),
  ]);
  return behaviour;
}

/** RFC 5780 section 4.3. Tests II and III at once: neither changes what the other finds. */
async function mappingBehaviour(
  server: Endpoint,
  first: Endpoint,
  other: Endpoint | undefined,
  ask: NatAsk,
): Promise<NatDependence> {
  if (other === undefined || !isAlternate(other, server)) return "unknown";
  const [second, third] = await Promise.all([ask({ address: other.address, port: server.port }), ask(other)]);
  if (second.mapped === undefined) return "unknown";
  if (same(second.mapped, first)) return "endpoint-independent";
  if (third.mapped === undefined) return "unknown";
  return same(third.mapped, second.mapped) ? "address-dependent" : "address-and-port-dependent";
}

/** RFC 5780 section 4.4. Tests II and III at once: an answer that is filtered opens nothing for the other. */
async function filteringBehaviour(server: Endpoint, other: Endpoint | undefined, ask: NatAsk): Promise<NatDependence> {
  if (other === undefined || !isAlternate(other, server)) return "unknown";
  const otherPort = { address: server.address, port: other.port };
  const [stranger, neighbour] = await Promise.all([
    ask(server, { change: CHANGE_IP | CHANGE_PORT, answersFrom: other, mayBeSilent: true }),
    ask(server, { change: CHANGE_PORT, answersFrom: otherPort, mayBeSilent: true }),
  ]);
  for (const [answer, verdict] of [
    [stranger, "endpoint-independent"],
    [neighbour, "address-dependent"],
  ] as const) {
    if (answer.mapped !== undefined) return verdict;
    if (answer.error?.failure !== "timeout") return "unknown";
  }
  return "address-and-port-dependent";
}

/** RFC 5780 section 7.4 wants both to differ; a server that cannot do so proves nothing. */
function isAlternate(other: Endpoint, server: Endpoint): boolean {
  return other.address !== server.address && other.port !== server.port && other.port > 0;
}

function same(a: Endpoint, b: Endpoint): boolean {
  return a.address === b.address && a.port === b.port;
}

/**
 * What answers of several servers say about the mapping without RFC 5780: the same public address towards servers on
 * different addresses is endpoint-independent; different ones depend on more, and the worst is taken for true.
 */
export function mappingFromBindings(
  bindings: readonly { address?: Endpoint; mapped?: Endpoint }[],
  isLocal: (endpoint: Endpoint) => boolean,
): NatDependence {
  const known = bindings.filter((binding) => binding.address !== undefined && binding.mapped !== undefined);
  const family = known[0]?.mapped?.address.includes(":");
  const alike = known.filter(({ mapped }) => mapped?.address.includes(":") === family);
  if (alike.some(({ mapped }) => mapped !== undefined && isLocal(mapped))) return "none";
  const publics = new Set(alike.map(({ mapped }) => JSON.stringify([mapped?.address, mapped?.port])));
  if (publics.size > 1) return "address-and-port-dependent";
  return new Set(alike.map(({ address }) => address?.address)).size > 1 ? "endpoint-independent" : "unknown";
}
