import { expect, test } from "vitest";
import { callerNetworks } from "../../../sdk/src/net/caller-networks.ts";
import { NetworkLimiter } from "../../../sdk/src/net/network-limiter.ts";

test("a network passes for as many callers as it weighs, however many addresses ask", () => {
  const limiter = new NetworkLimiter({ burst: 2, perSecond: 1 });
  let granted = 0;
  for (let subnet = 0; subnet < 100; subnet++) {
    const networks = callerNetworks(`2001:db8:7:${subnet.toString(16)}::1`);
    for (let i = 0; i < 3; i++) if (limiter.take(networks, 0)) granted++;
  }
  // A /48 weighs 16.
  expect(granted).toBe(32);
  expect(limiter.waitMs(callerNetworks("2001:db8:7:ffff::1"), 0)).toBe(63);
  expect(limiter.waitMs(callerNetworks("2001:db8:8::1"), 0)).toBe(0);
});
