import { timingSafeEqual } from "node:crypto";
import { EndpointMap } from "../net/endpoint-map.ts";
import { UnprovenAddress } from "../net/unproven-address.ts";
import type { NetcodeServerClient, RandomSource } from "../netcode/types.ts";
import { challengeData, newChallenge, readResponse } from "./path-packet.ts";

/**
 * How long an address may take to prove itself, ms: three probe timeouts of a path of which nothing is known (RFC 9000 section
 * 8.2.4). Where a client was before it moved is known as long, for packets that come late.
 */
export const CANDIDATE_MS = 3000;
/** Addresses of one client at which it may be. */
const MAX_CANDIDATES = 4;
/** A challenge is repeated, should the client go on sending from there, after so long (ms). */
const REPEAT_MS = 50;
/** The longest datagram that a challenge makes: netcode's prefix, sequence of 8 bytes and tag around it. */
const CHALLENGE_DATAGRAM_BYTES = 34;

/** An address from which a client's authentic packets came, and which is not its own as long as nothing proves it. */
export class PathCandidate {
  readonly client: NetcodeServerClient;
  readonly address: string;
  readonly port: number;
  readonly challenge: Uint8Array;
  /** The client was told, and answered, from here. */
  proven = false;
  /** Whether the newest of the client's packets so far, of those from elsewhere, came from here. */
  leads = false;
  heardAt: number;
  readonly expiresAt: number;
  readonly #bytes: UnprovenAddress = new UnprovenAddress();
  #challengedAt = Number.NEGATIVE_INFINITY;

  constructor(client: NetcodeServerClient, address: string, port: number, now: number, random: RandomSource) {
    this.client = client;
    this.address = address;
    this.port = port;
    this.challenge = newChallenge(random);
    this.heardAt = now;
    this.expiresAt = now + CANDIDATE_MS;
  }

  /** An authentic datagram came from here. */
  heard(bytes: number, now: number): void {
    this.#bytes.received(bytes);
    this.heardAt = now;
  }

  /** Takes what came as the answer, if it is the right one. */
  answer(payload: Uint8Array): void {
    const data = readResponse(payload);
    if (data && timingSafeEqual(data, challengeData(this.challenge))) this.proven = true;
  }

  /** Whether the challenge is to be sent now, and may: it is counted as sent. */
  takeChallenge(now: number): boolean {
    if (this.proven || now - this.#challengedAt < REPEAT_MS || !this.#bytes.take(CHALLENGE_DATAGRAM_BYTES))
      return false;
    this.#challengedAt = now;
    return true;
  }
}

/** The candidates of all clients: few for each, and none for long. What has expired goes when somebody asks for it. */
export class PathCandidates {
  readonly #byEndpoint: EndpointMap<PathCandidate> = new EndpointMap();
  readonly #byClient: Map<NetcodeServerClient, PathCandidate[]> = new Map();
  readonly #random: RandomSource;

  constructor(random: RandomSource) {
    this.#random = random;
  }

  get(address: string, port: number, now: number): PathCandidate | undefined {
    const candidate = this.#byEndpoint.get(address, port);
    if (!candidate || now < candidate.expiresAt) return candidate;
    this.remove(candidate);
    return undefined;
  }

  /** A new one. It takes the place of one that is too many, and of another client's at this address. */
  add(client: NetcodeServerClient, address: string, port: number, now: number): PathCandidate {
    const other = this.#byEndpoint.get(address, port);
    if (other) this.remove(other);
    const candidate = new PathCandidate(client, address, port, now, this.#random);
    const all = this.#byClient.get(client) ?? [];
    if (all.length >= MAX_CANDIDATES) this.remove(all.reduce((a, b) => (b.heardAt < a.heardAt ? b : a)));
    all.push(candidate);
    this.#byClient.set(client, all);
    this.#byEndpoint.set(address, port, candidate);
    return candidate;
  }

  /** The newest packet so far came from this one. */
  lead(candidate: PathCandidate): void {
    for (const each of this.#byClient.get(candidate.client) ?? []) each.leads = each === candidate;
  }

  remove(candidate: PathCandidate): void {
    const { client, address, port } = candidate;
    if (this.#byEndpoint.get(address, port) === candidate) this.#byEndpoint.delete(address, port);
    const all = this.#byClient.get(client) ?? [];
    const index = all.indexOf(candidate);
    if (index >= 0) all.splice(index, 1);
    if (all.length === 0) this.#byClient.delete(client);
  }

  /** The client is gone. */
  forget(client: NetcodeServerClient): void {
    const all = this.#byClient.get(client);
    for (let last = all?.at(-1); last; last = all?.at(-1)) this.remove(last);
  }

  /** Of one client, or of all. */
  count(client?: NetcodeServerClient): number {
    if (client) return this.#byClient.get(client)?.length ?? 0;
    let count = 0;
    for (const all of this.#byClient.values()) count += all.length;
    return count;
  }
}
