import { PortMapper } from "../gateway/mapper/port-mapper.ts";
import { natBehaviour } from "../nat/behaviour-discovery.ts";
import { natLifetime } from "../nat/lifetime-discovery.ts";
import { probePort } from "../nat/probe.ts";
import { stunBinding } from "../stun/client.ts";
import type { DetectionParts } from "./detection.ts";
import { type InterfaceAddress, usableInterfaces } from "./interfaces.ts";
import type { LifetimeParts } from "./lifetime.ts";
import type { Mapper } from "./mapping.ts";

/** Parts that tests replace. */
export interface ConnectivityParts extends DetectionParts, LifetimeParts {
  createMapper(options: ConstructorParameters<typeof PortMapper>[0]): Mapper;
  interfaces(): InterfaceAddress[];
}

export const REAL_PARTS: ConnectivityParts = {
  createMapper: (options) => new PortMapper(options),
  stun: stunBinding,
  natBehaviour,
  probe: probePort,
  lifetime: natLifetime,
  interfaces: usableInterfaces,
};
