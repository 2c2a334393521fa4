import { isIP } from "node:net";
import { type Clock, systemClock } from "../../net/clock.ts";
import { discoverGateways } from "../discovery/gateways.ts";
import type { Discover } from "../gateway.ts";
import type { LocalInterface } from "../interfaces.ts";
import { stateDirectory } from "../journal/journal.ts";
import { JournalKeeper } from "../journal/journal-keeper.ts";
import { KnownRouters } from "../journal/known-routers.ts";
import { type LeaseKeeper, UnjournaledKeeper } from "../journal/lease-keeper.ts";
import { type GatewayStep, type MappingEvent, PortMapError, type Via } from "../types.ts";
import { machineId } from "./ports.ts";

/** A minute for one answer is more than any router needs. */
const MAX_TIMEOUT_MS = 60_000;

/** Options of a {@link PortMapper}. */
export interface PortMapperOptions {
  /** Protocols to use, default all. */
  via?: readonly Via[] | undefined;
  /** Addresses to ask from, default all usable ones of this machine. */
  interfaces?: readonly LocalInterface[] | undefined;
  /**
   * The address of the router on the LAN, where several answer or the right one is not the default gateway, as behind a VPN.
   * No other device is asked then. Default: the default gateways, and others where those map nothing.
   */
  gateway?: string | undefined;
  /**
   * Milliseconds that a router may take for one answer over UPnP, default 10 000: slow ones need seconds. What is not answered
   * delays no other protocol.
   */
  stepTimeoutMs?: number | undefined;
  /** Milliseconds between two looks at the gateway's table, default 300 000. */
  renewIntervalMs?: number | undefined;
  /** Milliseconds between two signs of life asked of a gateway that holds a mapping, default 25 000. */
  watchIntervalMs?: number | undefined;
  /**
   * Remembers mappings on disk, so that the next start removes what a crash left, and where routers were met, so that it
   * finds them sooner: `true` (default) in the user's state directory, or a directory, or `false`.
   */
  journal?: boolean | string | undefined;
  /** Closes the mapper. */
  signal?: AbortSignal | undefined;
  /**
   * While something is mapped, or being mapped, the process' main thread listens to the signals that end it (SIGINT, SIGTERM, SIGHUP,
   * SIGUSR2; on Windows SIGBREAK) and to its `beforeExit`: what nobody else handles closes the mapper, and is then raised again. Signals
   * within a second of the first are the same one; a later one ends the process at once, and standard error says which port stays
   * open. Where the program listens itself, it decides: nothing is unmapped before it calls `close()`. Default true; `false` leaves
   * signals alone.
   */
  signals?: boolean | undefined;
  /** Replaces the mapper's dependencies; for tests. */
  environment?: Partial<PortMapperEnvironment> | undefined;
}

export interface PortMapperEnvironment {
  clock: Clock;
  /** 0 <= n < 1. */
  random: () => number;
  discover: Discover;
  keeper: LeaseKeeper;
  /** Seeds the alternative ports. */
  machine: string;
  /** Where gateways and we listen: default 1900 for SSDP, 5351 for PCP and NAT-PMP, 5350 for what they announce. */
  ports: { ssdp?: number; portControl?: number; announcements?: number };
}

/** Events of a {@link PortMapper}: those of all its mappings, and its steps. */
export interface PortMapperEvents {
  /** A mapping holds (again). */
  mapped: [MappingEvent];
  /** The gateway prolonged a mapping. */
  renewed: [MappingEvent];
  /** The external address, the port or the gateway of a mapping changed. */
  changed: [MappingEvent];
  /** A mapping does not hold; the mapper goes on trying. */
  lost: [MappingEvent];
  /** A mapping was given back. */
  unmapped: [MappingEvent];
  /** One thing was tried. */
  step: [GatewayStep];
}

/** Options of `PortMapper.map`. */
export interface MapOptions {
  /** Gives up, also the attempts in the background after a "no gateway" error. */
  signal?: AbortSignal | undefined;
  /** Called for each thing that is tried for this mapping. */
  onStep?: ((step: GatewayStep) => void) | undefined;
}

/** Resolves the options to the mapper's dependencies. @throws {PortMapError} `invalid` */
export function environmentOf({
  via,
  interfaces,
  gateway,
  stepTimeoutMs,
  journal = true,
  environment,
}: PortMapperOptions): PortMapperEnvironment {
  if (gateway !== undefined && isIP(gateway) === 0) {
    throw new PortMapError("invalid", `gateway must be an IP address of a router, not ${gateway}`);
  }
  if (stepTimeoutMs !== undefined && !(stepTimeoutMs > 0 && stepTimeoutMs <= MAX_TIMEOUT_MS)) {
    throw new PortMapError(
      "invalid",
      `stepTimeoutMs must be above 0 and at most ${MAX_TIMEOUT_MS}, not ${stepTimeoutMs}`,
    );
  }
  const clock = environment?.clock ?? systemClock;
  const random = environment?.random ?? Math.random;
  const ports = environment?.ports ?? {};
  const directory = journal === true ? stateDirectory() : journal;
  const knownRouters = directory === false ? undefined : new KnownRouters(directory);
  return {
    clock,
    random,
    ports,
    discover:
      environment?.discover ??
      ((events) =>
        discoverGateways({ via, interfaces, gateway, stepTimeoutMs, clock, random, knownRouters, ports }, events)),
    keeper:
      environment?.keeper ?? (directory === false ? new UnjournaledKeeper() : new JournalKeeper(directory, clock)),
    machine: environment?.machine ?? machineId(),
  };
}
