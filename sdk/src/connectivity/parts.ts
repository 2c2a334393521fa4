import { PortMapper } from "../gateway/index.ts";
import { natBehaviour, natLifetime, probePort, stunBinding } from "../stun/index.ts";
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
