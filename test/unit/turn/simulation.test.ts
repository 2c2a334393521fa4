import { expect, test } from "vitest";

import { seededRandom } from "../../../sdk/src/channel/random.ts";
import { World } from "./world.ts";

const PEER = { address: "203.0.113.50", port: 7000 };
const RUNS = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 40);

test.each(Array.from({ length: RUNS }, (_, i) => i + 1))(
  "seed %i: a session over a bad network keeps its relay, permission and channel",
  (seed) => {
    const random = seededRandom(seed);
    const network = {
      loss: random() * 0.25,
      duplication: random() * 0.2,
      minDelayMs: random() * 50,
      maxDelayMs: 50 + random() * 200,
    };
    const lifetimes = { nonceMs: 30_000, allocationMs: 120_000, permissionMs: 60_000, channelMs: 90_000 };
    const timing = { permissionLifetimeMs: 60_000, channelLifetimeMs: 90_000, idleMs: 40_000 };
    const algorithms: "sha256"[] = seed % 2 === 0 ? ["sha256"] : [];
    const world = new World(timing, { ...lifetimes, algorithms }, network, seed);
    // With so much loss an attempt may fail; the one who asks tries again.
    world.allocate();
    if (world.ended !== null) {
      expect(world.ended.failure).toBe("timeout");
      return;
    }
    world.allocation.permit(PEER.address, world.now);
    let sent = 0;
    for (const end = world.now + 600_000; world.now < end; sent++) {
      world.allocation.send(Buffer.from(`${sent}`), PEER.address, PEER.port, world.now);
      world.peerSends("pong", PEER.address, PEER.port);
      world.run(200);
      if (random() < 0.002) world.now += random() * 10_000;
      if (random() < 0.001) world.server.expireNonce();
    }
    expect(world.ended).toBe(null);
    // What the network did not lose, the relay let through; the beginning may wait for the permission.
    const arrived = new Set(world.server.toPeers.map(({ data }) => data)).size;
    expect(arrived / sent).toBeGreaterThan(1 - network.loss - 0.06);
    expect(world.received.length / sent).toBeGreaterThan(1 - network.loss - 0.06);
  },
);
