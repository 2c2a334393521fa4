import { isDeepStrictEqual } from "node:util";
import type { Proof } from "../gateway/types.ts";

/** How a stranger gets here, best first: the one word for the person who hosts. */
export type Verdict = "open" | "mapped" | "punchable" | "relay-only" | "lan-only";

/** What an endpoint is: an interface's own address, a mapped port, a NAT's outer address, or a TURN server's. */
export type EndpointKind = "host" | "mapped" | "reflexive" | "relayed";
/** `announce`: the person who hosts says so. */
export type EndpointVia = "interface" | "announce" | "pcp" | "nat-pmp" | "upnp" | "stun" | "turn";

/** One address and port by which players get here. */
export interface ReachableEndpoint {
  /** What it is. */
  kind: EndpointKind;
  /** What it carries. */
  protocol: "udp" | "tcp";
  /** An address, or the announced name. */
  address: string;
  /** The port, 1-65535. */
  port: number;
  /** What gave it. */
  via: EndpointVia;
  /** When it lapses unless it is renewed, in ms since the epoch; 0 = it does not. */
  expiresAt: number;
  /** `proof` is not `none`. */
  verified: boolean;
  /** What shows that it leads here: a packet from outside came in by it, the router confirmed it, or nothing does. */
  proof: Proof;
}

/** A NAT's behaviour in the words of RFC 4787 sections 4.1 and 5. */
export type NatBehaviour =
  | "none"
  | "endpoint-independent"
  | "address-dependent"
  | "address-and-port-dependent"
  | "unknown";

/** How the NAT before this machine behaves, as far as it is known. */
export interface NatDescription {
  /** Whether the public address stays the same towards every peer (RFC 4787 section 4.1). */
  mapping: NatBehaviour;
  /** Who may answer through a mapping (RFC 4787 section 5). */
  filtering: NatBehaviour;
  /** Whether two hosts behind the NAT reach one another by its public address (RFC 4787 section 6); `null`: not known. */
  hairpinning: boolean | null;
  /** Whether the public port is the private one (RFC 4787 section 4.2.1); `null`: not known. */
  portPreservation: boolean | null;
  /** Another NAT stands between the home gateway and the internet (RFC 6888), or the gateway's outer address is not public. */
  carrierGrade: boolean;
  /**
   * The longest silence, in s, that a UDP mapping was seen to survive (RFC 4787 section 4.3); 180 s is the longest that is tried.
   * `null`: not known, or not known yet, since it takes minutes.
   */
  mappingLifetimeSeconds: number | null;
}

/** A router that maps ports. */
export interface ReachableGateway {
  /** The protocol by which it does. */
  via: "pcp" | "nat-pmp" | "upnp";
  /** The router's own name where it has one (UPnP), else its kind. */
  name: string;
  /** Its address on the local network. */
  address: string;
  /** Its external address, `""` while it is not known. */
  externalAddress: string;
}

/** What came of a step. `absent`: there is nothing to ask. `skipped`: not tried. */
export type StepOutcome = "ok" | "refused" | "absent" | "failed" | "skipped";

/** One thing that was tried, and in plain words what came of it and what the person can do. */
export interface Step {
  /** What was tried: `interfaces`, `pcp`, `stun`, … */
  step: string;
  /** What came of it, in one word. */
  outcome: StepOutcome;
  /** Milliseconds that it took. */
  ms: number;
  /** What happened, why, and what the person can do. */
  reason: string;
}

/** What is known of the way in; also what `sallyport doctor --json` prints. */
export interface Reachability {
  /** How a stranger gets here, in one word. */
  verdict: Verdict;
  /** One sentence for the person who hosts. */
  summary: string;
  /** Where players may dial, best first. */
  endpoints: ReachableEndpoint[];
  /** The NAT before this machine. */
  nat: NatDescription;
  /** Routers that map ports. */
  gateways: ReachableGateway[];
  /** What was tried. */
  steps: Step[];
}

/** Whether two are alike but for what changes at every look: times. */
export function isSameReachability(a: Reachability, b: Reachability): boolean {
  return isDeepStrictEqual(lasting(a), lasting(b));
}

function lasting(reachability: Reachability): unknown {
  return {
    ...reachability,
    endpoints: reachability.endpoints.map((endpoint) => ({ ...endpoint, expiresAt: endpoint.expiresAt === 0 })),
    steps: reachability.steps.map((step) => ({ ...step, ms: 0 })),
  };
}
