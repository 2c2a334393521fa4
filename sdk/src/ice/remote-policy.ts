import { type AddressScope, addressScope } from "../net/scope.ts";
import { sharesPrefix } from "../net/subnet.ts";
import type { IceCandidate, LocalCandidate } from "./candidate.ts";
import type { RemoteContext } from "./types.ts";

/** Scopes in which the same address means another machine in every network. */
const LOCAL_SCOPES: ReadonlySet<AddressScope> = new Set(["private", "carrier-grade", "link-local"]);
/** Scopes of addresses that one machine on a local network can have. */
const UNICAST_SCOPES: ReadonlySet<AddressScope> = new Set(["public", "loopback", ...LOCAL_SCOPES]);

/** The prefix that one network shares. */
const IPV4_PREFIX = 24;
const IPV6_PREFIX = 64;

/**
 * The rule that keeps a peer from making us scan our own network: public addresses may be tried; private ones only when
 * one of our own is in the same /24 (/64) **and** both sides appear under the same public IPv4 address, which a peer in
 * another house cannot arrange; loopback and reserved ones never.
 */
export function sharesNetwork(candidate: IceCandidate, { local, remote }: RemoteContext): boolean {
  const scope = addressScope(candidate.address);
  if (scope === "public") return true;
  if (!LOCAL_SCOPES.has(scope)) return false;
  if (!local.some(({ type, address }) => type === "host" && samePrefix(address, candidate.address))) return false;
  const ours = new Set(local.filter(isOutside).map(({ address }) => address));
  return remote.some((each) => isOutside(each) && ours.has(each.address));
}

/** For peers that were met on the local network, and nowhere else: everything goes but reserved addresses. */
export function onLocalNetwork({ address }: IceCandidate): boolean {
  return UNICAST_SCOPES.has(addressScope(address));
}

function isOutside({ type, address }: IceCandidate | LocalCandidate): boolean {
  return (type === "reflexive" || type === "mapped") && addressScope(address) === "public";
}

function samePrefix(a: string, b: string): boolean {
  return sharesPrefix(a, b, a.includes(":") ? IPV6_PREFIX : IPV4_PREFIX);
}
