import { crc32 } from "node:zlib";

import { canonicalAddress } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { SOCKET } from "./via.ts";

/**
 * RFC 8445 section 5.1.1's types under the names of this house: `reflexive` is server-reflexive, `mapped` the address
 * that a gateway maps for us on request, which the RFC would count among the reflexive ones. `peer-reflexive` ones are
 * found by checks and never signalled.
 */
export type CandidateType = "host" | "mapped" | "peer-reflexive" | "reflexive" | "relayed";

/** A way in which one side may be reached. */
export interface IceCandidate extends Endpoint {
  readonly type: CandidateType;
  /** 1 to 2^31 - 1. */
  readonly priority: number;
  /** The same for candidates that behave alike (RFC 8445 section 5.1.1.3). */
  readonly foundation: string;
}

/** One of ours. */
export interface LocalCandidate extends IceCandidate {
  /** From where checks leave: `socket`, or the id of the relay. */
  readonly via: string;
}

/** Section 5.1.2.2; `mapped` stands between reflexive and peer-reflexive, since nobody has to punch for it. */
const TYPE_PREFERENCES: Readonly<Record<CandidateType, number>> = {
  host: 126,
  "peer-reflexive": 110,
  mapped: 105,
  reflexive: 100,
  relayed: 0,
};
const MAX_LOCAL_PREFERENCE = 65535;
/** IPv6 first, where no translator has to be held open (RFC 8421). */
const IPV4_LOCAL_PREFERENCE = 32767;
const COMPONENT = 1;
const MAX_PRIORITY = 2 ** 31 - 1;

export const DEFAULT_MAX_CANDIDATES = 32;

/** RFC 8445 section 5.1.2.1, for the one component that there is. `localPreference` is 0-65535. */
export function candidatePriority(type: CandidateType, localPreference: number = MAX_LOCAL_PREFERENCE): number {
  return 2 ** 24 * TYPE_PREFERENCES[type] + 2 ** 8 * localPreference + (256 - COMPONENT);
}

/** The local preference inside a priority. */
export function localPreferenceOf(priority: number): number {
  return Math.floor(priority / 2 ** 8) % 2 ** 16;
}

export interface LocalCandidateOptions {
  /** `socket`, the default, or a relay's id. */
  via?: string;
  /** The address of ours behind it; default its own. */
  base?: string;
  /** The STUN or TURN server that told us of it. */
  server?: string;
  /** 0-65535 among those of the same type; default by the family. */
  localPreference?: number;
}

/** A candidate of ours, with priority and foundation by the RFC. @throws {RangeError} for what is no address or port */
export function localCandidate(
  type: Exclude<CandidateType, "peer-reflexive">,
  { address, port }: Endpoint,
  options: LocalCandidateOptions = {},
): LocalCandidate {
  const canonical = unicastAddress(address);
  if (canonical === null || !isPort(port)) throw new RangeError(`${address}:${port} is no endpoint of a candidate`);
  const preference =
    options.localPreference ?? (canonical.includes(":") ? MAX_LOCAL_PREFERENCE : IPV4_LOCAL_PREFERENCE);
  const foundation = crc32(`${type} ${options.base ?? canonical} ${options.server ?? ""}`).toString(36);
  return {
    type,
    address: canonical,
    port,
    priority: candidatePriority(type, preference),
    foundation,
    via: options.via ?? SOCKET,
  };
}

/** How a candidate travels: type, address, port, priority, foundation. */
export type IceCandidateJSON = readonly [
  type: Exclude<CandidateType, "peer-reflexive">,
  address: string,
  port: number,
  priority: number,
  foundation: string,
];

/** For signalling. */
export function candidateToJSON({ type, address, port, priority, foundation }: IceCandidate): IceCandidateJSON {
  if (type === "peer-reflexive") throw new TypeError("peer-reflexive candidates are not signalled");
  return [type, address, port, priority, foundation];
}

const SIGNALLED = new Set<unknown>(["host", "mapped", "reflexive", "relayed"]);
const FOUNDATION = /^[A-Za-z0-9+/]{1,32}$/;

/** What a peer signalled; `null` for anything that is not a candidate. Names are none: addresses only. */
export function parseCandidate(value: unknown): IceCandidate | null {
  if (!Array.isArray(value) || value.length !== 5) return null;
  const [type, address, port, priority, foundation] = value as unknown[];
  if (!SIGNALLED.has(type) || !isPort(port)) return null;
  if (!Number.isInteger(priority) || (priority as number) < 1 || (priority as number) > MAX_PRIORITY) return null;
  if (typeof foundation !== "string" || !FOUNDATION.test(foundation)) return null;
  const canonical = typeof address === "string" && address.length <= 45 ? unicastAddress(address) : null;
  if (canonical === null) return null;
  return { type: type as CandidateType, address: canonical, port, priority: priority as number, foundation };
}

/** A list of candidates as a peer signalled it: the first `max` that are some; what is none is left out. */
export function parseCandidates(value: unknown, max: number = DEFAULT_MAX_CANDIDATES): IceCandidate[] {
  const candidates: IceCandidate[] = [];
  if (!Array.isArray(value)) return candidates;
  // Twice as many are looked at, so that a few of a kind that we don't know yet don't cost the others their place.
  for (const each of value.slice(0, 2 * max)) {
    const candidate = parseCandidate(each);
    if (candidate !== null && candidates.push(candidate) === max) break;
  }
  return candidates;
}

/** The canonical spelling of an address that one machine can have; `null` for groups, zones and all else. */
export function unicastAddress(address: string): string | null {
  const canonical = canonicalAddress(address);
  if (canonical === undefined || canonical.includes("%")) return null;
  if (canonical.includes(":")) return canonical === "::" || canonical.startsWith("ff") ? null : canonical;
  const first = Number.parseInt(canonical, 10);
  return first === 0 || first >= 224 ? null : canonical;
}

function isPort(port: unknown): port is number {
  return Number.isInteger(port) && (port as number) > 0 && (port as number) < 65536;
}
