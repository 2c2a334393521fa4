// A manager whose socket keeps no process alive, and whose router never answers: prints what was awaited to its end.

import { EventEmitter } from "node:events";
import type { Mapper } from "../../../../sdk/src/connectivity/dependencies.ts";
import { ManagerWithDependencies } from "../../../../sdk/src/connectivity/manager/manager.ts";
import { systemClock } from "../../../../sdk/src/net/clock.ts";

const never = (): Promise<never> => new Promise(() => undefined);
const mapper = Object.assign(new EventEmitter(), {
  map: never,
  close: never,
  gateways: () => [],
  mappings: () => [],
  refresh: () => undefined,
});
const manager = new ManagerWithDependencies(
  { port: 0, via: ["upnp"] },
  {
    createMapper: () => mapper as unknown as Mapper,
    interfaces: () => ({}),
    defaultRoutes: async () => [],
    // A second is 10 ms.
    clock: { ...systemClock, after: (ms, callback) => systemClock.after(ms / 100, callback) },
  },
);
manager.bind().unref();
await manager.open();
console.log("opened");
await manager.close();
console.log("closed");
