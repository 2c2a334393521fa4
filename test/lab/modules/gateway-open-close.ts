/** Opens and closes many times; prints what is left in this process. */
import { readdirSync } from "node:fs";
import { PortMapper } from "../../../sdk/src/gateway/mapper/port-mapper.ts";
import { PortMapError, type Via } from "../../../sdk/src/gateway/types.ts";

const { count, via, state, port } = JSON.parse(process.argv[2] ?? "{}") as {
  count: number;
  via: Via;
  state: string;
  port: number;
};
/** Sockets that were closed leave the table of descriptors with the next turns of the loop. */
async function descriptors(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  return readdirSync("/proc/self/fd").length;
}

/**
 * The verdict comes within a second, and a miniupnpd that three hosts ask without a pause may take longer on a busy machine: the
 * mapper goes on trying.
 */
async function once(): Promise<void> {
  await using mapper = new PortMapper({ via: [via], journal: state });
  const mapped = new Promise<void>((resolve) => mapper.once("mapped", () => resolve()));
  await mapper.map({ internalPort: port, protocol: "udp" }).catch((error: unknown) => {
    if (!(error instanceof PortMapError)) throw error;
  });
  // The mapper's own timers keep no process alive.
  const alive = setInterval(() => undefined, 1000);
  await mapped;
  clearInterval(alive);
}

// What is loaded and kept for good is there after a few.
for (let i = 0; i < 5; i++) await once();
globalThis.gc?.();
const before = { descriptors: await descriptors(), heap: process.memoryUsage().heapUsed };
for (let i = 0; i < count; i++) await once();
const after = await descriptors();
globalThis.gc?.();
const resources = process
  .getActiveResourcesInfo()
  .filter((name) => name !== "PipeWrap" && name !== "TTYWrap" && name !== "Immediate" && name !== "Timeout");
console.log(
  JSON.stringify({
    resources,
    descriptors: after - before.descriptors,
    heapGrowth: process.memoryUsage().heapUsed - before.heap,
    // Where the router was met is remembered for good.
    files: readdirSync(state).filter((name) => name !== "routers.json"),
  }),
);
