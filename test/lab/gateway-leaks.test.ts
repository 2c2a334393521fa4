/** Nothing is left behind: not at the gateway, not in the process, not on disk. */
import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import { killAndRestart, openAndClose } from "./modules/gateway-soak.ts";

describeLab("leaks", () => {
  test("1000 opens and closes", { timeout: 300_000 }, async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    for (const left of await openAndClose(gateway))
      expect(left).toMatchObject({ resources: [], descriptors: 0, files: [] });
    expect(await gateway.mappings()).toEqual([]);
  });

  test("100 times kill -9 and restart", { timeout: 300_000 }, async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    for (const killed of await killAndRestart(gateway)) expect(killed).toEqual({ most: 2, files: [] });
    expect(await gateway.mappings()).toEqual([]);
  });
});
