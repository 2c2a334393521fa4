import { PortMapper } from "../gateway/port-mapper.ts";
import { natBehaviour } from "../nat/behaviour-discovery.ts";
import { natLifetime } from "../nat/lifetime-discovery.ts";
import { probePort } from "../nat/probe.ts";
import { stunBinding } from "../stun/client.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type InterfaceAddress, usableInterfaces } from "./interfaces.ts";
import type { DetectionDependencies } from "./rungs/detection.ts";
import type { LifetimeDependencies } from "./rungs/lifetime.ts";
import type { Mapper } from "./rungs/mapping.ts";

/** What the ladder does I/O by; tests replace it. */
export interface ConnectivityDependencies extends DetectionDependencies, LifetimeDependencies {
  createMapper(options: ConstructorParameters<typeof PortMapper>[0]): Mapper;
  interfaces(): InterfaceAddress[];
  clock: Clock;
}

export const REAL_DEPENDENCIES: ConnectivityDependencies = {
  createMapper: (options) => new PortMapper(options),
  stun: stunBinding,
  natBehaviour,
  probe: probePort,
  lifetime: natLifetime,
  interfaces: usableInterfaces,
  clock: systemClock,
};
