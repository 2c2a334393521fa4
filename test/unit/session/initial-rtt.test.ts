import { expect, test } from "vitest";
import { PacketSession } from "../../../sdk/src/session/packet-session.ts";
import { SessionPump } from "../../../sdk/src/session/pump.ts";

/** What a session takes its round trip for before the first acknowledgement. */
function assumedRttMs(handshakeMs: number): number {
  const remote = { address: "192.0.2.1", port: 7777 };
  const link = { remote, heardAt: 0, send: () => true, disconnect: () => undefined };
  const pump = new SessionPump(() => 0);
  const options = { clientId: 1n, userData: new Uint8Array(0), handshakeMs, limits: {}, conditions: null };
  const { rttMs } = new PacketSession(link, pump, options).stats;
  pump.close();
  return rttMs;
}

test("a session begins with the round trip of its handshake, within bounds", () => {
  expect(assumedRttMs(42)).toBe(42);
  expect(assumedRttMs(0)).toBe(5);
  expect(assumedRttMs(Number.POSITIVE_INFINITY)).toBe(1000);
});
