import { addressScope } from "../../net/scope.ts";
import type { UDPSocket } from "../../net/udp-socket.ts";
import type { ConnectivityDependencies } from "../dependencies.ts";
import type { ConnectivityOptions } from "../options.ts";
import type { Reachability, Step } from "../reachability.ts";
import type { Findings } from "../verdict.ts";

/** What is different from before: the network that this machine is on, or the endpoint that a gateway forwards. */
export type Change = "network" | "mapping";

/** One way to be reached. The manager tries all rungs in parallel and waits for none that is slow. */
export interface Rung {
  /** What this rung contributes to the verdict now. */
  readonly findings: Partial<Findings>;
  /** Tries for the first time. Resolves when that attempt has ended, well or not. The rung then keeps what it has by itself. */
  open(): Promise<void>;
  /** Runs once all rungs have been opened, for what depends on the others' findings. */
  settle?(): Promise<void>;
  /** Asks again, even where nothing seems wrong. */
  refresh(): Promise<void>;
  /** Drops what was learnt of the former network or mapping; `refresh()` follows a change of network. */
  forget?(changed: Change): void;
  /** Gives back what it holds. The context's signal has aborted before. */
  close(): Promise<void>;
}

/** What the manager hands to each rung. */
export interface RungContext {
  readonly options: Readonly<Required<ConnectivityOptions>>;
  readonly dependencies: ConnectivityDependencies;
  /** Aborts when the manager closes. */
  readonly signal: AbortSignal;
  /** The game's socket. @throws Error before `open()` and after `close()` */
  readonly socket: () => UDPSocket;
  /** The verdict of all rungs' findings. */
  readonly reachability: () => Reachability;
  /** Reports an attempt, in words for the person who hosts. */
  readonly step: (step: Step) => void;
  /** Reports that `findings` are different. */
  readonly update: () => void;
  /** Has all rungs forget what they knew of the former network or mapping. */
  readonly changed: (what: Change) => void;
}

export const LOOPBACK_ONLY = "The game listens on this machine's loopback address alone, which nobody else can reach.";

export const isLoopback = (socket: UDPSocket): boolean => addressScope(socket.localAddress) === "loopback";

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
