import * as fc from "fast-check";
import { expect, test } from "vitest";

import { PacketRing } from "../../../sdk/src/udp/packet-ring.ts";

test("holds what Godot's ring of 64 KiB holds: each packet and 24 bytes, in 65535", () => {
  const ring = new PacketRing(65536);
  let packets = 0;
  while (packets < 1000 && ring.push(Buffer.alloc(1000), "192.0.2.1", 1)) packets++;
  expect(packets).toBe(Math.floor(65535 / 1024));
  expect(ring.push(Buffer.alloc(65535 - packets * 1024 - 24), "192.0.2.1", 1)).toBe(true);
  expect(ring.push(Buffer.alloc(0), "192.0.2.1", 1)).toBe(false);
});

test("the size is rounded up to a power of two", () => {
  expect(new PacketRing(1000).push(Buffer.alloc(1023 - 24), "", 0)).toBe(true);
  expect(new PacketRing(1000).push(Buffer.alloc(1024 - 24), "", 0)).toBe(false);
});

test("behaves as a plain queue that refuses the newest", () => {
  const action = fc.oneof(
    { weight: 3, arbitrary: fc.nat(300) },
    { weight: 2, arbitrary: fc.constant("shift" as const) },
    { weight: 1, arbitrary: fc.constant("clear" as const) },
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 400 }), (actions) => {
      const ring = new PacketRing(4096);
      let model: { packet: Buffer; port: number }[] = [];
      let port = 0;
      for (const next of actions) {
        if (next === "clear") {
          ring.clear();
          model = [];
        } else if (next === "shift") {
          const expected = model.shift();
          const packet = ring.shift();
          expect(packet).toBe(expected?.packet ?? null);
          if (expected !== undefined) expect([ring.address, ring.port]).toEqual([`a${expected.port}`, expected.port]);
        } else {
          const packet = Buffer.alloc(next);
          const used = model.reduce((sum, entry) => sum + entry.packet.length + 24, 0);
          port++;
          expect(ring.push(packet, `a${port}`, port)).toBe(used + next + 24 <= 4095);
          if (used + next + 24 <= 4095) model.push({ packet, port });
        }
        expect(ring.count).toBe(model.length);
      }
    }),
  );
});
