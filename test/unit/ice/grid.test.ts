import { describe, expect, test } from "vitest";

import { Clock } from "./network.ts";
import { type Home, type Player, World, type WorldOptions } from "./player.ts";

const HOMES: readonly Home[] = [
  "public",
  "mapped",
  "full-cone",
  "address-restricted",
  "port-restricted",
  "symmetric",
  "carrier-grade",
  "blocked",
];

/** What RFC 4787's behaviours allow without guessing ports. */
function expectedKind(a: Home, b: Home): "direct" | "punched" | "relayed" {
  const open = (home: Home): boolean => home === "public" || home === "mapped";
  if (a === "blocked" || b === "blocked") return "relayed";
  if (open(a) || open(b)) return "direct";
  // A symmetric side is met where the other lets in whom it has sent to: the port is another one than was named.
  const meetsSymmetric = (home: Home): boolean => home === "full-cone" || home === "address-restricted";
  if (a === "symmetric") return meetsSymmetric(b) ? "punched" : "relayed";
  if (b === "symmetric") return meetsSymmetric(a) ? "punched" : "relayed";
  return "punched";
}

function play(a: Home, b: Home, seed: number, options: WorldOptions): { one: Player; other: Player; world: World } {
  const world = new World(new Clock(seed), options);
  const homes = [world.home(a), world.home(b)] as const;
  const one = world.player(homes[0].host, { role: "controlling" });
  const other = world.player(homes[1].host, { role: "controlled" });
  const mapped = homes.map(({ host, nat }, i) =>
    [a, b][i] === "mapped" && nat !== null ? { address: nat.address, port: host.port } : undefined,
  );
  world.introduce(one, other, {
    ...(mapped[0] === undefined ? {} : { a: mapped[0] }),
    ...(mapped[1] === undefined ? {} : { b: mapped[1] }),
  });
  return { one, other, world };
}

describe.each(HOMES)("%s with", (a) => {
  test.each(HOMES)("%s", (b) => {
    const { one, other, world } = play(a, b, 7, {});
    const { clock } = world;
    const begun = clock.now;
    expect(clock.run(1000, () => one.agent.path !== null && other.agent.path !== null)).toBe(true);
    expect(clock.now - begun).toBeLessThan(1000);
    one.chat(50);
    other.chat(50);
    clock.run(4000);
    const kind = expectedKind(a, b);
    expect([one.agent.path?.kind, other.agent.path?.kind]).toEqual([kind, kind]);
    const before = one.received.length;
    clock.run(1000);
    expect(one.received.length - before).toBeGreaterThanOrEqual(19);
  });
});

test.each(HOMES.flatMap((a) => HOMES.map((b) => [a, b] as const)))("%s with %s at 20 %% loss", (a, b) => {
  const { one, other, world } = play(a, b, 11, { loss: 0.2, jitter: 30 });
  world.clock.run(15_000);
  const kind = expectedKind(a, b);
  expect([one.agent.path?.kind, other.agent.path?.kind]).toEqual([kind, kind]);
  expect([one.agent.state, other.agent.state]).toEqual(["connected", "connected"]);
});
