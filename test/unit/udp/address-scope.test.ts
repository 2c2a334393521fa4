import fc from "fast-check";
import { expect, test } from "vitest";
import { addressScope } from "../../../sdk/src/udp/address-scope.ts";
import { formatEndpoint, normalizeAddress } from "../../../sdk/src/udp/endpoint.ts";

test.each([
  ["8.8.8.8", "public"],
  ["10.1.2.3", "private"],
  ["172.31.255.255", "private"],
  ["172.32.0.0", "public"],
  ["100.64.0.1", "carrier-grade"],
  ["100.128.0.1", "public"],
  ["169.254.1.1", "link-local"],
  ["127.9.9.9", "loopback"],
  ["0.0.0.0", "reserved"],
  ["224.0.0.1", "reserved"],
  ["255.255.255.255", "reserved"],
  ["2a02:8071::1", "public"],
  ["2001:db8::1", "reserved"],
  ["fd00::1", "private"],
  ["fe80::1", "link-local"],
  ["::1", "loopback"],
  ["4000::1", "reserved"],
  ["", "invalid"],
  ["router.local", "invalid"],
  ["1.2.3.4.5", "invalid"],
])("%s is %s", (address, scope) => {
  expect(addressScope(address)).toBe(scope);
});

test("any text has a scope and none throws", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(typeof addressScope(text)).toBe("string");
    }),
  );
});

test("a mapped IPv4 address and its plain form are one name", () => {
  expect(normalizeAddress("::ffff:192.168.1.5")).toBe("192.168.1.5");
  expect(normalizeAddress("::ffff:1")).toBe("::ffff:1");
  expect(formatEndpoint({ address: "::1", port: 5 })).toBe("[::1]:5");
});
