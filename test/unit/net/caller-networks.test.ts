import { expect, test } from "vitest";
import { callerNetworks, networkKey } from "../../../sdk/src/net/caller-networks.ts";

const keys = (address: string): string[] => callerNetworks(address).map(({ key }) => key);

test("an IPv4 address stands alone and in its /24, however it is written", () => {
  expect(callerNetworks("203.0.113.9").map(({ weight }) => weight)).toEqual([1, 16]);
  expect(keys("::ffff:203.0.113.9")).toEqual(keys("203.0.113.9"));
  expect(keys("203.0.113.10")[0]).not.toBe(keys("203.0.113.9")[0]);
  expect(keys("203.0.113.10")[1]).toBe(keys("203.0.113.9")[1]);
  expect(keys("203.0.114.9")[1]).not.toBe(keys("203.0.113.9")[1]);
});

test("an IPv6 address counts as its /64, in its /48, in its /32", () => {
  expect(callerNetworks("2001:db8::1").map(({ weight }) => weight)).toEqual([1, 16, 64]);
  expect(keys("2001:db8:1:2:3:4:5:6")).toEqual(keys("2001:db8:1:2::"));
  expect(keys("2001:0DB8:0001:0002::7")).toEqual(keys("2001:db8:1:2::7"));
  expect(keys("2001:db8:1:3::").slice(1)).toEqual(keys("2001:db8:1:2::").slice(1));
  expect(keys("2001:db8:2:2::").slice(2)).toEqual(keys("2001:db8:1:2::").slice(2));
  expect(new Set([...keys("2001:db8:1:2::"), ...keys("2001:db9:1:2::")]).size).toBe(6);
  expect(keys("fe80::1%eth0").slice(1)).toEqual(keys("fe80::1").slice(1));
});

test("what is no address counts as itself", () => {
  for (const text of ["", "unknown", "introduced 0a1b", "1.2.3", "1.2.3.4.5", "::g", "::1.2.3.4:"]) {
    expect(callerNetworks(text)).toEqual([{ key: text, weight: 1 }]);
    expect(networkKey(text, { ipv4: 24, ipv6: 48 })).toBe(text);
  }
});

test("a network of any width, of every form of address", () => {
  expect(networkKey("203.0.113.9", { ipv4: 16, ipv6: 32 })).toBe("203.0.0.0/16");
  expect(networkKey("::ffff:203.0.113.9", { ipv4: 16, ipv6: 32 })).toBe("203.0.0.0/16");
  expect(networkKey("2001:db8:1::1", { ipv4: 16, ipv6: 32 })).toBe("2001:db8::/32");
  const whole = { ipv4: 32, ipv6: 128 };
  for (const [text, key] of [
    ["203.0.113.9", "203.0.113.9/32"],
    ["::", "::/128"],
    ["::1", "::1/128"],
    ["1:0:0:0:0:0:0:0", "1::/128"],
    ["1:2::7:8", "1:2::7:8/128"],
    ["ABCD:0ef0::9%eth0", "abcd:ef0::9/128"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8/128"],
  ] as const) {
    expect([text, networkKey(text, whole)]).toEqual([text, key]);
  }
});
