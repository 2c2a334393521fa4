import { type CallerNetwork, callerNetworks, networkKey } from "../../../net/caller-networks.ts";

/** Who is asking, as limits count. */
export interface Caller {
  /** An address (IPv6: its /64) and the networks around it, each with the callers that it passes for; or one introduced player. */
  readonly networks: readonly CallerNetwork[];
  /** The widest network that one stranger may have: while everything is used up, those get in whose network holds nothing. */
  readonly site: string;
}

/** An IPv4 /24 and a provider's IPv6 allocation. */
const SITE = { ipv4: 24, ipv6: 32 } as const;
/** One person, where an address may be a school: an eighth of an address' share. */
const INTRODUCED_WEIGHT = 1 / 8;
/** Whoever has an invite can have itself introduced under one key after another. */
const INTRODUCED_SITE = "introduced";

export function callerAt(address: string): Caller {
  return { networks: callerNetworks(address), site: networkKey(address, SITE) };
}

/** @param name of one introduction's player */
export function introducedCaller(name: string): Caller {
  return { networks: [{ key: name, weight: INTRODUCED_WEIGHT }], site: INTRODUCED_SITE };
}
