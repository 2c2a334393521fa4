import { canonicalAddress } from "../../net/address.ts";
import { addressScope } from "../../net/scope.ts";

/**
 * Whom a player's relay lets reach whom stands in the username that the host mints, after the time of expiry: nobody but the holder of the
 * secret can write it, and the relay need not be told in time.
 *
 *     1764280000:host                      the host itself, and the relaying player: whomever it introduces
 *     1764280000:to 203.0.113.7,2001:db8::1  a guest: these addresses alone, which are the host's
 */
export const HOST_LABEL = "host";
const GUEST = "to ";
/** A username has at most 508 bytes. */
const MAX_ADDRESSES = 8;

/** @param addresses the host's own, of which the first eight public ones count */
export function guestLabel(addresses: readonly string[]): string {
  const open = addresses.filter((address) => addressScope(address) === "public");
  return GUEST + [...new Set(open)].slice(0, MAX_ADDRESSES).join(",");
}

/** Whether a user of a player's relay may exchange datagrams with an address: one that is public, and that the host introduced. */
export function mayReach(address: string, user: string): boolean {
  if (addressScope(address) !== "public") return false;
  if (user === HOST_LABEL) return true;
  if (!user.startsWith(GUEST)) return false;
  const wanted = canonicalAddress(address);
  return user
    .slice(GUEST.length)
    .split(",", MAX_ADDRESSES)
    .some((each) => canonicalAddress(each) === wanted);
}
