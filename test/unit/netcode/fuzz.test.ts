import * as fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { CLIENT_READS, PacketCodec, SERVER_READS } from "../../../sdk/src/netcode/packet.ts";
import { getSlab, netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { NetcodeClientState } from "../../../sdk/src/netcode/types.ts";
import { halves } from "./vectors.ts";
import { PROTOCOL_ID, type SimClient, type SimServer, World } from "./world.ts";

beforeAll(netcodeReady);

/** Each run sends some 100 datagrams. */
const RUNS = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 200);

test("every packet is read as it was written, and no other way", () => {
  const slab = getSlab();
  const key = slab.storeCell(new Uint8Array(32).fill(1));
  const codec = new PacketCodec(PROTOCOL_ID);
  const sequence = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    fc.integer({ min: 0, max: 63 }).map((bit) => 2n ** BigInt(bit)),
    fc.integer({ min: 1, max: 64 }).map((bit) => 2n ** BigInt(bit) - 1n),
  );
  fc.assert(
    fc.property(
      sequence,
      fc.uint8Array({ minLength: 1, maxLength: 1200 }),
      fc.nat(),
      fc.nat(7),
      (value, payload, at, bit) => {
        const [low, high] = halves(value.toString());
        const wire = slab.wireOutView(codec.sealPayload(payload, low, high, key)).slice();
        const bytes = Math.max(1, Math.ceil(value.toString(16).length / 2));
        expect(wire.length).toBe(1 + bytes + payload.length + 16);
        for (const reads of [CLIENT_READS, SERVER_READS]) {
          expect(codec.open(wire, key, null, reads)).toBe(5);
          expect([codec.sequenceLow, codec.sequenceHigh]).toEqual([low, high]);
          expect(Buffer.compare(slab.plainView(codec.length), payload)).toBe(0);
        }
        const place = at % wire.length;
        wire[place] = (wire[place] ?? 0) ^ (1 << bit);
        expect(codec.open(wire, key, null, SERVER_READS)).toBeLessThan(0);
        expect(codec.open(wire.subarray(0, place), key, null, SERVER_READS)).toBeLessThan(0);
      },
    ),
    { numRuns: RUNS },
  );
  codec.release();
  slab.releaseCell(key);
});

type Attack = {
  source: number;
  target: number;
  data: number;
  cut: number | null;
  edits: [number, number][];
  noise: Uint8Array;
};

const attack: fc.Arbitrary<Attack> = fc.record({
  source: fc.nat(5),
  target: fc.nat(3),
  data: fc.nat(70),
  cut: fc.option(fc.nat(1300)),
  edits: fc.array(fc.tuple(fc.nat(1300), fc.nat(255)), { maxLength: 3 }),
  noise: fc.uint8Array({ maxLength: 60 }),
});

/** A captured datagram cut, changed and prolonged; or, without one, noise. */
function forge(world: World, { data, cut, edits, noise }: Attack): Uint8Array {
  const captured = world.captured[data]?.data ?? noise;
  const forged = Buffer.concat([captured.subarray(0, cut ?? captured.length), cut === null ? Buffer.alloc(0) : noise]);
  for (const [at, value] of edits) if (forged.length > 0) forged[at % forged.length] = value;
  return new Uint8Array(forged);
}

/** A game that goes on: three players, and one whose handshake is under way while the server is attacked. */
function game(): { world: World; host: SimServer; players: SimClient[] } {
  const world = new World(2);
  const host = world.addServer(4);
  world.run(60_000);
  const players = Array.from({ length: 3 }, () => world.addClient());
  for (const player of players) world.connect(player, world.token(player.clientId, [host.endpoint], 5, 60));
  world.run(20);
  for (const player of players) world.speak(player);
  for (const client of host.server.clients) host.server.send(client, Buffer.from(`to ${client.clientId}`), world.time);
  return { world, host, players };
}

test("whole sessions: whatever arrives, nothing throws, nobody is moved, nothing grows, little is answered", {
  timeout: 0,
}, () => {
  fc.assert(
    fc.property(fc.array(attack, { minLength: 60, maxLength: 140, size: "max" }), (attacks) => {
      const { world, host, players } = game();
      try {
        const late = world.addClient();
        world.connect(late, world.token(late.clientId, [host.endpoint], 5, 60));
        // Whoever overtakes a request with a copy of it holds its token: the protocol's limit.
        world.run(1.25);
        const everyone = [host, ...players];
        const stranger = { address: "203.0.113.66", port: 666 };
        for (const [index, one] of attacks.entries()) {
          const from = [...everyone, late][one.source]?.endpoint ?? stranger;
          world.deliver(from, (everyone[one.target] ?? host).endpoint, forge(world, one));
          if (index % 20 === 0) world.run(5);
        }
        expect(host.server.pendingHandshakes).toBeLessThanOrEqual(3);
        // What was captured may have been delivered early: it counts once. Beyond that, the game goes on.
        world.run(200);
        const heard = world.payloads;
        for (const player of [...players, late]) {
          expect(player.client.state).toBe(NetcodeClientState.connected);
          expect(world.speak(player)).toBe(true);
        }
        world.run(20);
        expect(world.payloads).toBe(heard + 4);
        expect(host.server.clients.length).toBe(4);
      } finally {
        world.stop();
      }
    }),
    { numRuns: RUNS },
  );
});
