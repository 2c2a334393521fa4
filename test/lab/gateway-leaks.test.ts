/** Nothing is left behind: not at the gateway, not in the process, not on disk. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const MAIN = fileURLToPath(new URL("../../sdk/src/cli/main.ts", import.meta.url));

describeLab("leaks", () => {
  test("1000 opens and closes", { timeout: 300_000 }, async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const host = await gateway.host();
    for (const [via, count] of [["pcp", 400], ["nat-pmp", 400], ["upnp", 200]] as const) {
      const state = mkdtempSync(join(tmpdir(), "sallyport-leaks-"));
      mkdirSync(state, { recursive: true });
      const left = await host.run<Record<string, unknown>>(new URL("./modules/gateway-open-close.ts", import.meta.url), { count, via, state }, { timeoutMs: 200_000 });
      expect(left, via).toMatchObject({ resources: [], descriptors: 0, files: [] });
      expect(await gateway.mappings(), via).toEqual([]);
      rmSync(state, { recursive: true });
    }
  });

  test("100 times kill -9 and restart", { timeout: 300_000 }, async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    const host = await gateway.host();
    const state = mkdtempSync(join(tmpdir(), "sallyport-kills-"));
    const env = { XDG_STATE_HOME: state };
    const vias = ["pcp", "upnp", "nat-pmp"];
    let inside = 0;
    for (let i = 0; i < 100; i++) {
      const port = String(20_000 + i);
      const child = host.spawn([process.execPath, MAIN, "map", port, "--via", vias[i % 3] ?? "pcp", "--json"], { env });
      await child.waitForLine(/"event":"mapped"/);
      child.kill("SIGKILL");
      await child.exited;
      inside = Math.max(inside, (await gateway.mappings()).length);
    }
    // Each start removed what the one before of the same protocol had left.
    expect(inside).toBeLessThanOrEqual(6);
    for (const via of vias) {
      const last = host.spawn([process.execPath, MAIN, "map", "30000", "--via", via, "--json"], { env });
      await last.waitForLine(/"event":"mapped"/);
      last.kill();
      await last.exited;
    }
    expect(await gateway.mappings()).toEqual([]);
    expect(readdirSync(join(state, "sallyport"))).toEqual([]);
    rmSync(state, { recursive: true });
  });
});
