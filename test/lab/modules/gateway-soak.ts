/** Many lives of a mapping at one gateway, for tests and measurements: what is left afterwards. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Gateway, LabProcess } from "../lab/index.ts";

const MAIN = fileURLToPath(new URL("../../../sdk/src/cli/main.ts", import.meta.url));
const OPEN_CLOSE = new URL("./gateway-open-close.ts", import.meta.url);

/** What a process had left after its opens and closes. */
export interface Left {
  resources: string[];
  descriptors: number;
  heapGrowth: number;
  /** In the journal's directory. */
  files: string[];
}

/** Opens and closes `count` times (a multiple of five), by each protocol on a host of its own, at once. */
export async function openAndClose(gateway: Gateway, count: number): Promise<Left[]> {
  const counts = [
    ["pcp", (count / 5) * 2],
    ["nat-pmp", (count / 5) * 2],
    ["upnp", count / 5],
  ] as const;
  return Promise.all(
    counts.map(async ([via, times], index) => {
      const host = await gateway.host();
      const state = mkdtempSync(join(tmpdir(), "sallyport-opens-"));
      try {
        return await host.run<Left>(
          OPEN_CLOSE,
          { count: times, via, state, port: 7000 + index },
          { timeoutMs: 300_000 },
        );
      } finally {
        rmSync(state, { recursive: true });
      }
    }),
  );
}

export interface Killed {
  /** The most mappings that one host had at a time: a pair for the living process, when each start clears up. */
  most: number;
  files: string[];
}

/** Kill -9 and restart, `count` times (a multiple of three), a third by each protocol; then one process that ends in peace. */
export async function killAndRestart(gateway: Gateway, count: number): Promise<Killed[]> {
  return Promise.all(
    (["pcp", "upnp", "nat-pmp"] as const).map(async (via, index) => {
      const host = await gateway.host();
      const state = mkdtempSync(join(tmpdir(), "sallyport-kills-"));
      const start = async (port: number): Promise<LabProcess> => {
        const command = [process.execPath, MAIN, "map", String(port), "--via", via, "--json"];
        const child = host.spawn(command, { env: { XDG_STATE_HOME: state } });
        await child.waitForLine(/"event":"mapped"/, 30_000);
        return child;
      };
      try {
        let most = 0;
        for (let i = 0; i < count / 3; i++) {
          const child = await start(20_000 + 1000 * index + i);
          child.kill("SIGKILL");
          await child.exited;
          const standing = (await gateway.mappings()).filter(({ internalAddress }) => internalAddress === host.address);
          most = Math.max(most, standing.length);
        }
        const last = await start(30_000 + index);
        last.kill();
        await last.exited;
        // Where the router was met is remembered for good.
        const files = readdirSync(join(state, "sallyport")).filter((name) => name !== "routers.json");
        return { most, files };
      } finally {
        rmSync(state, { recursive: true });
      }
    }),
  );
}
