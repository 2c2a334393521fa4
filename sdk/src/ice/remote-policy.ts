import { type AddressScope, addressScope } from "../net/scope.ts";
import { sharesPrefix } from "../net/subnet.ts";
import type { IceCandidate, LocalCandidate } from "./candidate.ts";
import type { RemoteContext, RemoteVerdict } from "./types.ts";

/** Scopes in which the same address means another machine in every network. */
const LOCAL_SCOPES: ReadonlySet<AddressScope> = new Set(["private", "carrier-grade", "link-local"]);
/** Scopes of addresses that one machine on a local network can have. */
const UNICAST_SCOPES: ReadonlySet<AddressScope> = new Set(["public", ...LOCAL_SCOPES]);

/** The prefix that one network shares. */
const IPV4_PREFIX = 24;
const IPV6_PREFIX = 64;

/** Checks to an address that is only likely to be the peer's. On one network the first arrives, as a rule. */
export const FEW_CHECKS = 3;

/**
 * The rule that keeps a peer from making us scan our own network: public addresses may be tried. Private ones get a few checks when
 * one of our own is in the same /24 (/64) **and** the peer says that both sides have one public IPv4 address: that is only its word.
 * Loopback and reserved ones are never tried.
 */
export function sharesNetwork(candidate: IceCandidate, context: RemoteContext): RemoteVerdict {
  const scope = addressScope(candidate.address);
  if (scope === "public") return true;
  if (!isNeighbour(candidate, scope, context)) return false;
  const ours = new Set(context.local.filter(isOutside).map(({ address }) => address));
  return context.remote.some((each) => isOutside(each) && ours.has(each.address)) && "few";
}

/** The same where a third party, who sees both sides, has said that they have one public address. */
export function sharesAttestedNetwork(candidate: IceCandidate, context: RemoteContext): RemoteVerdict {
  const scope = addressScope(candidate.address);
  return scope === "public" || isNeighbour(candidate, scope, context);
}

/**
 * For peers that were met on the local network, and nowhere else: all addresses but reserved ones. Loopback ones get a few checks: who
 * is on this machine answers the first, and who is not must not reach its services.
 */
export function onLocalNetwork({ address }: IceCandidate): RemoteVerdict {
  const scope = addressScope(address);
  return scope === "loopback" ? "few" : UNICAST_SCOPES.has(scope);
}

function isNeighbour({ address }: IceCandidate, scope: AddressScope, { local }: RemoteContext): boolean {
  return LOCAL_SCOPES.has(scope) && local.some((each) => each.type === "host" && samePrefix(each.address, address));
}

function isOutside({ type, address }: IceCandidate | LocalCandidate): boolean {
  return (type === "reflexive" || type === "mapped") && addressScope(address) === "public";
}

function samePrefix(a: string, b: string): boolean {
  return sharesPrefix(a, b, a.includes(":") ? IPV6_PREFIX : IPV4_PREFIX);
}
