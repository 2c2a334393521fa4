import sodium from "libsodium-wrappers";
import { beforeAll, expect, test } from "vitest";
import { getSlab, netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { NetcodeClientState } from "../../../sdk/src/netcode/types.ts";
import { World } from "./world.ts";

beforeAll(netcodeReady);

test("connections go on when WASM's memory grows, which detaches every view of it", () => {
  const world = new World(1);
  const host = world.addServer(4);
  const player = world.addClient();
  world.run(60_000);
  world.connect(player, world.token(1n, [host.endpoint], 5, 60));
  world.run(20);
  world.speak(player);
  world.run(20);
  const view = getSlab().plainView(10);
  const raw = (sodium as unknown as { libsodium: { _malloc(bytes: number): number } }).libsodium;
  raw._malloc(64 * 1024 * 1024);
  expect(view.length).toBe(0);
  world.speak(player);
  world.run(3000);
  expect(world.payloads).toBe(2);
  expect(player.client.state).toBe(NetcodeClientState.connected);
  world.stop();
  expect(getSlab().cellsInUse).toBe(0);
});
