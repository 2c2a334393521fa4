import type { Gateway } from "../gateway.ts";
import type { GatewayStep } from "../types.ts";

/** What a search reports; `ms` is filled in by who searches. */
export type Finding = Omit<GatewayStep, "ms">;

export interface DiscoveryEvents {
  /** A gateway answered. It is the receiver's to close. */
  onGateway: (gateway: Gateway) => void;
  onFinding: (finding: Finding) => void;
}

/** One search over all interfaces and protocols. It goes on until it is disposed. */
export interface DiscoveryRound extends AsyncDisposable {
  /** Resolves when nothing more is to be expected soon: everybody answered, or the verdict's time is over. */
  readonly settled: Promise<void>;
}

/** Starts searches. Tests hand in their own. */
export type Discover = (events: DiscoveryEvents) => DiscoveryRound;
