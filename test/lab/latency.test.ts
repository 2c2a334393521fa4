// Sessions on a path that loses packets: nothing lost, doubled or out of order, and sooner there than a WebSocket.
import { expect, test } from "vitest";
import { describeLab } from "./lab/vitest.ts";
import { measureLatency, PLAYERS } from "./latency.ts";

const SECONDS = 6;

describeLab("latency", () => {
  test("at 5 % loss reliable messages all arrive, once and in order, and at p99 well before those of ws", async () => {
    const { reliable, unreliable, ws } = await measureLatency(5, SECONDS);
    const all = 2 * PLAYERS * 60 * SECONDS;
    expect(reliable).toMatchObject({ missing: 0, doubled: 0, reordered: 0 });
    expect(reliable.delays.length).toBe(all);
    expect(unreliable.doubled).toBe(0);
    // Packets are lost indeed: about one in twenty.
    expect(unreliable.missing).toBeGreaterThan(all * 0.02);
    expect(unreliable.missing).toBeLessThan(all * 0.1);
    expect(reliable.p99).toBeLessThan(ws.p99 / 2);
  });
});
