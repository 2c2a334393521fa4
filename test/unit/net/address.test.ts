import { isIP, SocketAddress } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  addressBytes,
  addressFamily,
  canonicalAddress,
  endsInNumber,
  formatAddress,
  fromMapped,
  parseAddress,
  toMapped,
  withoutZone,
  withZone,
  zoneIn,
} from "../../../sdk/src/net/address.ts";

const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString("hex");

/** Each of these was read in several ways by the four parsers that this one replaces. */
describe("where parsers differ, a specification decides", () => {
  test.each([
    ["010.0.0.1", "a leading zero is octal to some programs"],
    ["0x7f.0.0.1", "hexadecimal"],
    ["127.1", "fewer than four numbers"],
    ["2130706433", "one number"],
    ["1.2.3.4.5", "five numbers"],
    ["1.2.3.256", "a number above 255"],
    ["1.2.3.", "an empty number"],
    ["00.0.0.0", "two zeros"],
    [" 1.2.3.4", "a blank before"],
    ["1.2.3.4\n", "a line's end after"],
    ["１.2.3.4", "a digit of another script"],
    ["+1.2.3.4", "a sign"],
    ["::ffff:010.0.0.1", "a leading zero in an embedded IPv4 address"],
  ])("RFC 6943 section 3.1.1, the strict form: %j is no address (%s)", (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(canonicalAddress(text)).toBeUndefined();
    expect(isIP(text)).toBe(0);
  });

  test.each([
    ["1::2:3:4:5:6:7:8", '"::" beside eight groups'],
    ["1:2:3:4:5:6:7:1.2.3.4", "nine groups"],
    ["1:2:3:4:5:6:7", "seven groups"],
    ["1::2::3", 'two "::"'],
    ["::12345", "a group of five digits"],
    ["::00001", "a group of five digits"],
    ["1:2:3:4:5:6:7:", "a colon at the end"],
    [":1:2:3:4:5:6:7", "a colon at the beginning"],
    [":", "a colon alone"],
    [":::", "three colons"],
    ["1.2.3.4::", "IPv4 first"],
    ["::1.2.3.4:5", "IPv4 in the middle"],
    ["[::1]", "a URL's brackets"],
    ["::1/64", "a prefix"],
  ])("RFC 4291 section 2.2: %j is no address (%s)", (text) => {
    expect(addressBytes(text)).toBeUndefined();
    expect(isIP(text)).toBe(0);
  });

  test("RFC 4007 section 11: a zone is kept in text, and bytes have none (section 6)", () => {
    expect(canonicalAddress("FE80::1%eth0")).toBe("fe80::1%eth0");
    expect(parseAddress("fe80::1%eth0")).toEqual({ bytes: addressBytes("fe80::1"), zone: "eth0" });
    expect(parseAddress("fe80::1%2")?.zone).toBe("2");
    expect(parseAddress("fe80::1")?.zone).toBeUndefined();
    expect(hex(addressBytes("fe80::1%eth0"))).toBe(hex(addressBytes("fe80::1")));
  });

  test("RFC 4007 section 11: one zone, which a socket takes", () => {
    // Linux' names hold more characters than Node's isIP takes.
    for (const zone of ["eth0", "12", "wlan_ap", "eth0.100", "eth0:1", "enp3s0f1np1", "br-0a1b2c3d4e5f"])
      expect(canonicalAddress(`fe80::1%${zone}`), zone).toBe(`fe80::1%${zone}`);
    for (const zone of ["", "eth0%eth0", "Ethernet 2", "vEthernet (WSL)", "以太网", "a/b", "a]", "x".repeat(65)])
      expect(canonicalAddress(`fe80::1%${zone}`), zone).toBeUndefined();
  });

  test("RFC 4007 section 11: IPv4 has no zone, however it is written", () => {
    for (const text of ["10.0.0.1%eth0", "::ffff:10.0.0.1%eth0", "::ffff:a00:1%2"])
      expect(canonicalAddress(text), text).toBeUndefined();
  });

  test("RFC 4291 section 2.5.5.2: an IPv4-mapped address names its IPv4 host, and its bytes are 16", () => {
    expect(canonicalAddress("::ffff:192.0.2.1")).toBe("192.0.2.1");
    expect(canonicalAddress("::FFFF:C000:201")).toBe("192.0.2.1");
    expect(hex(addressBytes("::ffff:192.0.2.1"))).toBe("00000000000000000000ffffc0000201");
    expect(addressFamily("::ffff:192.0.2.1")).toBe(6);
    expect(hex(fromMapped(toMapped(Uint8Array.of(192, 0, 2, 1))))).toBe("c0000201");
    // The formats that came before and after are not mapped.
    expect(canonicalAddress("::192.0.2.1")).toBe("::c000:201");
    expect(canonicalAddress("::ffff:0:192.0.2.1")).toBe("::ffff:0:c000:201");
    expect(canonicalAddress("64:ff9b::192.0.2.1")).toBe("64:ff9b::c000:201");
  });

  test.each([
    ["2001:0DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", "the first of two equal runs (4.2.3)"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1", "the longest run (4.2.3)"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", "no :: for one group (4.2.2)"],
    ["2001:DB8::ABCD", "2001:db8::abcd", "lower case (4.3)"],
    ["2001:db8::0001", "2001:db8::1", "no leading zeros (4.1)"],
    ["0:0:0:0:0:0:0:0", "::", "all zero"],
    ["1:0:0:0:0:0:0:0", "1::", "at the end"],
    ["0:0:0:0:0:0:0:1", "::1", "at the beginning"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", ":: for one group is read, not written"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8", ":: for one group is read, not written"],
  ])("RFC 5952: %s is written %s: %s", (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });

  test("RFC 5952 section 5: mapped bytes are written with their IPv4 address", () => {
    expect(formatAddress(toMapped(Uint8Array.of(192, 0, 2, 1)))).toBe("::ffff:192.0.2.1");
    expect(() => formatAddress(new Uint8Array(5))).toThrow(RangeError);
  });
});

test.each([
  ["1.2.3.4", "01020304"],
  ["0.0.0.0", "00000000"],
  ["255.255.255.255", "ffffffff"],
  ["::", "00".repeat(16)],
  ["::1", `${"00".repeat(15)}01`],
  ["2001:DB8::a:0", "20010db80000000000000000000a0000"],
  ["::ffff:1.2.3.4", "00000000000000000000ffff01020304"],
  ["1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"],
  ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
])("%s has the bytes %s", (text, expected) => {
  expect(hex(addressBytes(text))).toBe(expected);
});

test.each([
  ["192.0.2.1", true],
  ["010.0.0.1", true],
  ["1.2.3", true],
  ["1.2.3.4.", true],
  ["0x7f000001", true],
  ["example.0X1", true],
  ["1.example", false],
  ["example.1a", false],
  ["", false],
])("%j is meant as an IPv4 address: %s", (host, expected) => {
  expect(endsInNumber(host)).toBe(expected);
});

test("the zone of text", () => {
  expect(withoutZone("fe80::1%eth0")).toBe("fe80::1");
  expect(withoutZone("192.0.2.1")).toBe("192.0.2.1");
  expect(zoneIn("fe80::1%12")).toBe("12");
  expect(zoneIn("fe80::1")).toBeUndefined();
  // macOS' table of routes names the zone already.
  expect(withZone("fe80::1%en0", "en0")).toBe("fe80::1%en0");
  expect(withZone("fe80::1", "en0")).toBe("fe80::1%en0");
});

/** IPv6 texts of all forms, many of them almost right. */
const groups = fc.array(fc.oneof(fc.nat(0xffff), fc.constant(0)), { minLength: 8, maxLength: 8 });
const chunk = fc.oneof(
  fc.constantFrom(":", "::", ".", "%", "0", "00", "ffff", "::ffff:", "fe80::", "1.2.3.4", "255", "256", "%eth0", "/"),
  fc.integer({ min: 0, max: 0x1ffff }).map((group) => group.toString(16)),
);
const almost = fc.array(chunk, { maxLength: 20 }).map((parts) => parts.join(""));
const anyText = fc.oneof(almost, fc.ipV4(), fc.ipV6(), fc.ipV4Extended(), fc.string(), fc.string({ unit: "binary" }));

describe("independent judges", () => {
  test("node:net's isIP takes the same text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        // Zones and mapped addresses with zones differ on purpose: see above.
        fc.pre(!text.includes("%"));
        expect(addressFamily(text)).toBe(isIP(text));
      }),
      { numRuns: 20_000 },
    );
  });

  test("a zone that isIP takes is taken, and nothing else makes a difference", () => {
    fc.assert(
      fc.property(
        fc.ipV6(),
        fc.string({ minLength: 1, maxLength: 20 }).filter((zone) => isIP(`fe80::1%${zone}`) === 6),
        (address, zone) => {
          fc.pre(canonicalAddress(address)?.includes(".") !== true);
          expect(canonicalAddress(`${address}%${zone}`)).toBe(`${canonicalAddress(address)}%${zone}`);
        },
      ),
    );
  });

  test("URL writes the same IPv6 text, but for mapped addresses", () => {
    fc.assert(
      fc.property(groups, (words) => {
        const text = words.map((word) => word.toString(16)).join(":");
        const canonical = canonicalAddress(text) ?? "";
        fc.pre(!canonical.includes("."));
        expect(`[${canonical}]`).toBe(new URL(`http://[${text}]/`).hostname);
      }),
      { numRuns: 5000 },
    );
  });

  test("the system names senders by the same text", () => {
    fc.assert(
      fc.property(groups, (words) => {
        // IPv4-compatible addresses, ::/96, are deprecated (RFC 4291 section 2.5.5.1); systems write them in two ways.
        fc.pre(words.slice(0, 6).some((word) => word !== 0));
        const text = words.map((word) => word.toString(16)).join(":");
        const bytes = addressBytes(text) ?? new Uint8Array();
        expect(formatAddress(bytes)).toBe(new SocketAddress({ address: text, family: "ipv6" }).address);
      }),
      { numRuns: 5000 },
    );
  });
});

describe("there and back", () => {
  test("bytes -> text -> bytes", () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      groups.map((words) => Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]))),
    );
    fc.assert(
      fc.property(bytes, (original) => {
        expect(hex(addressBytes(formatAddress(original)))).toBe(hex(original));
      }),
      { numRuns: 5000 },
    );
  });

  test("text -> bytes -> text is canonical, and the canonical text is its own", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const canonical = canonicalAddress(text);
        const parsed = parseAddress(text);
        expect(canonical === undefined).toBe(parsed === undefined);
        if (canonical === undefined || parsed === undefined) return;
        expect(canonicalAddress(canonical)).toBe(canonical);
        const zone = parsed.zone === undefined ? "" : `%${parsed.zone}`;
        expect(formatAddress(fromMapped(parsed.bytes)) + zone).toBe(canonical);
      }),
      { numRuns: 20_000 },
    );
  });

  test("what is read is the caller's own", () => {
    const first = addressBytes("1.2.3.4");
    addressBytes("5.6.7.8");
    expect(first).toEqual(Uint8Array.of(1, 2, 3, 4));
  });
});
