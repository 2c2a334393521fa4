import { BlockList } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressBytes, formatAddress } from "../../../sdk/src/net/address.ts";
import { callerKey } from "../../../sdk/src/net/caller-key.ts";
import { formatEndpoint, normalizeAddress } from "../../../sdk/src/net/endpoint.ts";
import { addressScope, hasPrefix } from "../../../sdk/src/net/scope.ts";
import { isOnLink, prefixLengthOf, sharesPrefix } from "../../../sdk/src/net/subnet.ts";

test.each([
  ["8.8.8.8", "public"],
  ["10.1.2.3", "private"],
  ["172.15.255.255", "public"],
  ["172.31.255.255", "private"],
  ["172.32.0.0", "public"],
  ["192.168.255.255", "private"],
  ["100.64.0.1", "carrier-grade"],
  ["100.127.255.255", "carrier-grade"],
  ["100.128.0.1", "public"],
  ["169.254.1.1", "link-local"],
  ["127.9.9.9", "loopback"],
  ["0.0.0.0", "reserved"],
  ["224.0.0.1", "multicast"],
  ["239.255.255.250", "multicast"],
  ["240.0.0.1", "reserved"],
  ["255.255.255.255", "reserved"],
  ["192.0.2.1", "documentation"],
  ["198.51.100.1", "documentation"],
  ["203.0.113.7", "documentation"],
  ["198.18.0.1", "reserved"],
  ["2a02:8071::1", "public"],
  ["2001:db8::1", "documentation"],
  ["3fff:fff::1", "documentation"],
  ["3fff:1000::1", "public"],
  ["fd00::1", "private"],
  ["fe80::1", "link-local"],
  ["fe80::1%eth0", "link-local"],
  ["febf::1", "link-local"],
  ["fec0::1", "reserved"],
  ["ff02::1", "multicast"],
  ["::1", "loopback"],
  ["::", "reserved"],
  ["4000::1", "reserved"],
  ["64:ff9b::808:808", "reserved"],
  // RFC 4291 section 2.5.5.2: an IPv4-mapped address is its IPv4 host.
  ["::ffff:8.8.8.8", "public"],
  ["::ffff:a00:1", "private"],
  ["::ffff:127.0.0.1", "loopback"],
  // RFC 6943 section 3.1.1.
  ["010.0.0.1", "invalid"],
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

test("node:net's BlockList sees the same prefixes", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  fc.assert(
    fc.property(address, address, fc.nat(128), fc.boolean(), (network, other, length, close) => {
      const six = network.includes(":");
      const prefix = six ? length : length % 33;
      const bytes = addressBytes(network) ?? new Uint8Array();
      // Random addresses share few bits: change one bit of the network's own instead.
      const near = bytes.slice();
      near[prefix >> 3] = (near[prefix >> 3] ?? 0) ^ (0x80 >> (prefix & 7));
      const asked = close ? formatAddress(near) : other;
      fc.pre(six === asked.includes(":") && ![network, asked].some((each) => /^::ffff:|^::\d+\.|^::$/.test(each)));
      const list = new BlockList();
      list.addSubnet(network, prefix, six ? "ipv6" : "ipv4");
      expect(hasPrefix(addressBytes(asked) ?? new Uint8Array(), bytes, prefix)).toBe(
        list.check(asked, six ? "ipv6" : "ipv4"),
      );
    }),
    { numRuns: 5000 },
  );
});

describe("on a link", () => {
  test("by the interface's prefix, or link-local", () => {
    expect(isOnLink("192.168.1.1", "192.168.1.5", 24)).toBe(true);
    expect(isOnLink("192.168.2.1", "192.168.1.5", 24)).toBe(false);
    expect(isOnLink("192.168.2.1", "192.168.1.5", 22)).toBe(true);
    expect(isOnLink("10.0.0.1", "192.168.1.5", 24)).toBe(false);
    expect(isOnLink("fe80::1%eth0", "2a11::5", 64)).toBe(true);
    expect(isOnLink("fe80::1%eth0", "192.168.1.5", 24)).toBe(false);
    expect(isOnLink("2a11::1", "2a11::5", 64)).toBe(true);
    expect(isOnLink("2a11:0:0:1::1", "2a11::5", 64)).toBe(false);
    expect(isOnLink("router.local", "192.168.1.5", 24)).toBe(false);
    expect(isOnLink("192.168.1.1", "", 24)).toBe(false);
  });

  test("prefixes", () => {
    expect(sharesPrefix("::ffff:192.168.1.1", "192.168.1.200", 24)).toBe(true);
    expect(sharesPrefix("192.168.1.1", "2a11::1", 0)).toBe(false);
    expect(prefixLengthOf("192.168.1.5/24", 4)).toBe(24);
    expect(prefixLengthOf(null, 4)).toBe(32);
    expect(prefixLengthOf("x/99", 6)).toBe(99);
    expect(prefixLengthOf("::1/129", 6)).toBe(128);
  });
});

test("a mapped IPv4 address and its plain form are one name", () => {
  expect(normalizeAddress("::ffff:192.168.1.5")).toBe("192.168.1.5");
  expect(normalizeAddress("::ffff:1")).toBe("::ffff:1");
  expect(formatEndpoint({ address: "::1", port: 5 })).toBe("[::1]:5");
});

test("callers are counted by IPv4 address and by IPv6 /64", () => {
  expect(callerKey("192.0.2.1")).toBe("192.0.2.1");
  expect(callerKey("::ffff:192.0.2.1")).toBe("192.0.2.1");
  expect(callerKey("::ffff:c000:201")).toBe("192.0.2.1");
  expect(callerKey("2a11:1:2:3::1")).toBe(callerKey("2a11:1:2:3:ffff:ffff:ffff:ffff"));
  expect(callerKey("2a11:1:2:3::1")).not.toBe(callerKey("2a11:1:2:4::1"));
  expect(callerKey("2a11::1")).toBe("2a11::/64");
  // Neighbours share fe80::/64, and none commands it.
  expect(callerKey("fe80::1%eth0")).toBe("fe80::1%eth0");
  expect(callerKey("unknown")).toBe("unknown");
  expect(callerKey("a:b")).toBe("a:b");
});
