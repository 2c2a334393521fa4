import { expect, test } from "vitest";
import { PathMtu } from "../../../sdk/src/channel/recovery/path-mtu.ts";
import { traced } from "../traced.ts";
import { Simulation } from "./simulator.ts";

test("a trace tells of packets that are too long, and of what fits", () => {
  const lines = traced("channel");
  const mtu = new PathMtu(1200);
  let now = 1000;
  for (let n = 0; n < 4; n++) mtu.onLost(1200, now, (now += 50));
  for (let sequence = 0; mtu.probeAt <= now; sequence++) {
    mtu.onProbeSent(sequence);
    if (mtu.probeBytes <= 900) mtu.onAcked(sequence, mtu.probeBytes, now, (now += 50));
    else mtu.onProbeLost(now, (now += 50));
  }
  expect(lines[0]).toBe("black-hole bytes=1200 fallback=512");
  expect(lines.at(-1)).toBe(`path-mtu bytes=${mtu.size} was=856 tooLarge=942`);
});

test("losses that follow each other are one line", () => {
  const lines = traced("channel");
  const simulation = new Simulation(1, { delayMs: 20, loss: 0.2 });
  for (let n = 0; n < 200; n++) {
    simulation.at(1000 + n * 20, () => simulation.a.endpoint.send(new Uint8Array(100), "reliable"));
  }
  simulation.runUntil(6000);
  expect(simulation.a.endpoint.stats.packetsLost).toBeGreaterThan(10);
  const begun = lines.filter((line) => line.startsWith("loss-begins"));
  expect(begun.length).toBeGreaterThan(0);
  // One for each side.
  expect(begun.length).toBeLessThanOrEqual(2);
  expect(begun[0]).toMatch(/^loss-begins rttMs=\d+(\.\d+)? window=\d+(\.\d+)? inFlight=\d+ packetsLost=\d+$/);
});
