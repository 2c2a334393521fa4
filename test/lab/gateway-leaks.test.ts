/**
 * Nothing is left behind: not at the gateway, not in the process, not on disk. The full numbers take minutes: they are rows of
 * `npm run bench`, and SALLYPORT_SOAK=1 has them here too.
 */
import { expect, test } from "vitest";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import { killAndRestart, openAndClose } from "./modules/gateway-soak.ts";

const FULL = process.env["SALLYPORT_SOAK"] === "1";
const OPENS = FULL ? 1000 : 100;
const KILLS = FULL ? 102 : 12;

describeLab("leaks", () => {
  test(`${OPENS} opens and closes`, { timeout: 300_000 }, async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    for (const left of await openAndClose(gateway, OPENS)) {
      expect(left).toMatchObject({ resources: [], descriptors: 0, files: [] });
    }
    expect(await gateway.mappings()).toEqual([]);
  });

  test(`${KILLS} times kill -9 and restart`, { timeout: 300_000 }, async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
    for (const killed of await killAndRestart(gateway, KILLS)) expect(killed).toEqual({ most: 2, files: [] });
    expect(await gateway.mappings()).toEqual([]);
  });
});
