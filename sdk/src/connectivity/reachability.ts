import { isDeepStrictEqual } from "node:util";
import type { Proof } from "../gateway/types.ts";

/** How a stranger gets here, best first: the one word for the person who hosts. */
export type Verdict = "open" | "mapped" | "punchable" | "relay-only" | "lan-only";

export type EndpointKind = "host" | "mapped" | "reflexive" | "relayed";
/** `announce`: the person who hosts says so. */
export type EndpointVia = "interface" | "announce" | "pcp" | "nat-pmp" | "upnp" | "stun" | "turn";

export interface ReachableEndpoint {
  kind: EndpointKind;
  protocol: "udp" | "tcp";
  address: string;
  port: number;
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

export interface NatDescription {
  mapping: NatBehaviour;
  filtering: NatBehaviour;
  hairpinning: boolean | null;
  portPreservation: boolean | null;
  /** Another NAT stands between the home gateway and the internet (RFC 6888), or the gateway's outer address is not public. */
  carrierGrade: boolean;
  /**
   * The longest silence, in s, that a UDP mapping was seen to survive (RFC 4787 section 4.3); 180 s is the longest that is tried.
   * `null`: not known, or not known yet, since it takes minutes.
   */
  mappingLifetimeSeconds: number | null;
}

export interface ReachableGateway {
  via: "pcp" | "nat-pmp" | "upnp";
  name: string;
  address: string;
  externalAddress: string;
}

export type StepOutcome = "ok" | "refused" | "absent" | "failed" | "skipped";

/** One thing that was tried, and in plain words what came of it and what the person can do. */
export interface Step {
  step: string;
  outcome: StepOutcome;
  /** Milliseconds that it took. */
  ms: number;
  reason: string;
}

/** What is known of the way in; also what `sallyport doctor --json` prints. */
export interface Reachability {
  verdict: Verdict;
  /** One sentence for the person who hosts. */
  summary: string;
  endpoints: ReachableEndpoint[];
  nat: NatDescription;
  gateways: ReachableGateway[];
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
