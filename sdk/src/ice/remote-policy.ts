import { addressBytes } from "../stun/address.ts";
import { type AddressScope, addressScope } from "../udp/address-scope.ts";
import type { IceCandidate, LocalCandidate } from "./candidate.ts";
import type { RemoteContext } from "./types.ts";

/** Scopes in which the same address means another machine in every network. */
const LOCAL_SCOPES: ReadonlySet<AddressScope> = new Set(["private", "carrier-grade", "link-local"]);

/** Bytes of the prefix that one network shares: IPv4's /24 and IPv6's /64. */
const IPV4_PREFIX_BYTES = 3;
const IPV6_PREFIX_BYTES = 8;

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
  const scope = addressScope(address);
  return scope !== "reserved" && scope !== "invalid";
}

function isOutside({ type, address }: IceCandidate | LocalCandidate): boolean {
  return (type === "reflexive" || type === "mapped") && addressScope(address) === "public";
}

function samePrefix(a: string, b: string): boolean {
  const [one, other] = [addressBytes(a), addressBytes(b)];
  if (one === null || other === null || one.length !== other.length) return false;
  const length = one.length === 4 ? IPV4_PREFIX_BYTES : IPV6_PREFIX_BYTES;
  return one.subarray(0, length).equals(other.subarray(0, length));
}
