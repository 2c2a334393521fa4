// Multicast on real network interfaces: who is on one LAN is found there, and nobody else.
import { expect, test } from "vitest";
import type { LanGame } from "../../sdk/src/lan/listener.ts";
import { Lab, type Machine } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const LAN = new URL("modules/lan.ts", import.meta.url);
const WATCH = new URL("modules/lan-watch.ts", import.meta.url);
const search = (machine: Machine): Promise<LanGame[]> => machine.run<LanGame[]>(LAN, { timeoutMs: 1500 });

describeLab("games on the local network", () => {
  test("are found by their neighbours without lobby or internet, and not beyond the router", async () => {
    await using lab = await Lab.create({ ipv6: true });
    const gateway = await lab.gateway();
    const other = await lab.gateway();
    const [host, second, player, elsewhere, outside] = await Promise.all([
      gateway.host(),
      gateway.host(),
      gateway.host(),
      other.host(),
      lab.host(),
    ]);
    await gateway.unplug();
    const one = host.spawnModule(LAN, { announce: { name: "one", port: 7777 } });
    const two = second.spawnModule(LAN, { announce: { name: "two", port: 7001 } });
    await Promise.all([one.waitForJson(() => true), two.waitForJson(() => true)]);
    const games = await search(player);
    expect(games.map(({ name }) => name).sort()).toEqual(["one", "two"]);
    const found = games.find(({ name }) => name === "one");
    expect(found).toMatchObject({ application: "lab", port: 7777, players: 0 });
    expect(found?.addresses[0]).toBe(host.address);
    // The same game by IPv6, on the link.
    expect(found?.addresses.slice(1)).toEqual([expect.stringMatching(/^fe80:.*%eth0$/)]);
    await gateway.replug();
    expect(await search(elsewhere)).toEqual([]);
    expect(await search(outside)).toEqual([]);
  });

  test("are noticed when they come and go, and by a player on the same machine", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway();
    const [host, player] = await Promise.all([gateway.host(), gateway.host()]);
    const watches = [player, host].map((machine) => machine.spawnModule(WATCH));
    await Promise.all(watches.map((watch) => watch.waitForJson(({ event }) => event === "searching")));
    const game = host.spawnModule(LAN, { announce: { name: "late", port: 7777 } });
    for (const watch of watches) await watch.waitForJson(({ event, name }) => event === "game" && name === "late");
    game.kill("SIGTERM");
    for (const watch of watches) await watch.waitForJson(({ event }) => event === "lost");
    expect((await game.exited).code).toBe(0);
    for (const watch of watches) {
      watch.kill("SIGTERM");
      expect((await watch.exited).code).toBe(0);
    }
  });

  test("follow the machine to another address", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway();
    const [host, player] = await Promise.all([gateway.host(), gateway.host()]);
    const watch = player.spawnModule(WATCH);
    const game = host.spawnModule(LAN, { announce: { name: "moving", port: 7777 } });
    await game.waitForJson(() => true);
    await watch.waitForJson(({ event }) => event === "game");
    await host.setAddress(`${gateway.lanPrefix}.77`);
    const moved = await watch.waitForJson(
      ({ event, addresses }) => event === "game" && (addresses as string[]).includes(host.address),
      30_000,
    );
    expect(moved["name"]).toBe("moving");
  });

  test("two programs on a machine without any network find each other", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway();
    const machine = await gateway.host();
    await machine.unplug();
    const game = machine.spawnModule(LAN, { announce: { name: "lonely", port: 7777 } });
    await game.waitForJson(() => true);
    expect((await search(machine)).map(({ name }) => name)).toEqual(["lonely"]);
  });
});
