import { expect, test } from "vitest";
import { callerKey } from "../../../sdk/src/net/caller-key.ts";

test.each([
  ["an IPv6 /64", "2001:db8::1", "2001:db8:0:0:ffff::2"],
  ["an IPv6 /64, however it is written", "2001:DB8:0:0a::1", "2001:db8:0:a:1:2:3:4"],
  ["an IPv4 address and the same, mapped", "192.0.2.1", "::ffff:192.0.2.1"],
  ["what is no address and itself", "introduced 5f", "introduced 5f"],
])("%s is one caller", (_what, one, other) => {
  expect(callerKey(one)).toBe(callerKey(other));
});

test.each([
  ["two IPv4 addresses", "192.0.2.1", "192.0.2.2"],
  ["two IPv4 addresses, mapped", "::ffff:192.0.2.1", "::ffff:192.0.2.2"],
  ["two IPv6 /64", "2001:db8::1", "2001:db8:0:1::1"],
  ["loopback and a mapped address", "::1", "::ffff:0.0.0.1"],
])("%s are two callers", (_what, one, other) => {
  expect(callerKey(one)).not.toBe(callerKey(other));
});
