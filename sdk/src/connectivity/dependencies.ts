import { lookup } from "node:dns/promises";
import { PortMapper } from "../gateway/mapper/port-mapper.ts";
import { natBehaviour } from "../nat/behaviour-discovery.ts";
import { natLifetime } from "../nat/lifetime-discovery.ts";
import { probePort } from "../nat/probe.ts";
import { type Clock, systemClock } from "../net/clock.ts";
import { type DefaultRoute, readDefaultRoutes } from "../net/default-route.ts";
import { type Interfaces, readInterfaces } from "../net/interfaces.ts";
import { stunBinding } from "../stun/client.ts";
import { TurnKeeper } from "../turn/keeper.ts";
import type { LookUp } from "./announced.ts";

/** What of the port mapper is used here. */
export type Mapper = Pick<PortMapper, "map" | "mappings" | "gateways" | "refresh" | "close" | "on">;

/** What the ladder does I/O by; tests replace it. */
export interface ConnectivityDependencies {
  createMapper(options: ConstructorParameters<typeof PortMapper>[0]): Mapper;
  createTurnKeeper(options: ConstructorParameters<typeof TurnKeeper>[0]): Pick<TurnKeeper, "close">;
  stun: typeof stunBinding;
  natBehaviour: typeof natBehaviour;
  natLifetime: typeof natLifetime;
  probe: typeof probePort;
  interfaces(): Interfaces;
  defaultRoutes(): Promise<DefaultRoute[]>;
  lookUp: LookUp;
  clock: Clock;
}

export const REAL_DEPENDENCIES: ConnectivityDependencies = {
  createMapper: (options) => new PortMapper(options),
  createTurnKeeper: (options) => new TurnKeeper(options),
  stun: stunBinding,
  natBehaviour,
  natLifetime,
  probe: probePort,
  interfaces: readInterfaces,
  defaultRoutes: readDefaultRoutes,
  lookUp: (name) => lookup(name, { all: true, order: "ipv4first" }),
  clock: systemClock,
};
