import type { UDPSocket } from "../../udp/udp-socket.ts";
import type { Clock } from "../clock.ts";
import type { Step } from "../reachability.ts";

/** What a rung of the ladder stands on, and whom it tells. */
export interface RungContext {
  readonly socket: UDPSocket;
  readonly clock: Clock;
  /** Ends with the manager. */
  readonly signal: AbortSignal;
  /** Something was tried. */
  readonly step: (step: Step) => void;
  /** Something that the verdict depends on is different. */
  readonly update: () => void;
}

export const LOOPBACK_ONLY = "The game listens on this machine's loopback address alone, which nobody else can reach.";

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
