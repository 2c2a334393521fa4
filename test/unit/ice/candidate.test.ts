import { isIP } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";

import {
  candidatePriority,
  candidateToJSON,
  type IceCandidate,
  localCandidate,
  parseCandidate,
  parseCandidates,
} from "../../../sdk/src/ice/candidate.ts";
import { newIceCredentials, parseIceCredentials } from "../../../sdk/src/ice/credentials.ts";
import { onLocalNetwork, sharesAttestedNetwork, sharesNetwork } from "../../../sdk/src/ice/remote-policy.ts";
import type { RemoteVerdict } from "../../../sdk/src/ice/types.ts";

const numRuns = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 300);

test("priorities are those of RFC 8445 section 5.1.2.1", () => {
  expect(candidatePriority("host")).toBe(2130706431);
  expect(candidatePriority("reflexive")).toBe(1694498815);
  expect(candidatePriority("relayed")).toBe(16777215);
  const order = (["host", "peer-reflexive", "mapped", "reflexive", "relayed"] as const).map((type) =>
    candidatePriority(type),
  );
  expect(order).toEqual(order.toSorted((a, b) => b - a));
});

test("candidates of one kind from one base share a foundation", () => {
  const one = localCandidate("reflexive", { address: "1.2.3.4", port: 5 }, { base: "10.0.0.1", server: "stun.a" });
  const same = localCandidate("reflexive", { address: "1.2.3.4", port: 6 }, { base: "10.0.0.1", server: "stun.a" });
  const other = localCandidate("reflexive", { address: "1.2.3.4", port: 5 }, { base: "10.0.0.1", server: "stun.b" });
  expect(same.foundation).toBe(one.foundation);
  expect(other.foundation).not.toBe(one.foundation);
  expect(() => localCandidate("host", { address: "example.org", port: 5 })).toThrow(RangeError);
  expect(() => localCandidate("host", { address: "1.2.3.4", port: 0 })).toThrow(RangeError);
});

describe("from the wire", () => {
  test("what was written is read", () => {
    const endpoint = fc.record({ address: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 1, max: 65535 }) });
    const type = fc.constantFrom("host", "mapped", "reflexive", "relayed");
    fc.assert(
      fc.property(type, endpoint, (kind, at) => {
        let candidate: IceCandidate;
        try {
          candidate = localCandidate(kind, at);
        } catch {
          return; // multicast and the like
        }
        const read = parseCandidate(JSON.parse(JSON.stringify(candidateToJSON(candidate))));
        const { type: t, address, port, priority, foundation } = candidate;
        expect(read).toEqual({ type: t, address, port, priority, foundation });
      }),
      { numRuns },
    );
  });

  test("nothing throws, and what is read is a candidate", () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.tuple(
        fc.constantFrom("host", "relayed"),
        fc.oneof(fc.ipV4(), fc.ipV6()),
        fc.integer({ min: -10, max: 70_000 }),
        fc.integer({ min: -10 }),
        fc.constant("1"),
      ),
      fc.tuple(
        fc.oneof(fc.constantFrom("host", "relayed", "peer-reflexive"), fc.string()),
        fc.oneof(fc.ipV4(), fc.ipV6(), fc.string(), fc.domain(), fc.integer()),
        fc.oneof(fc.integer(), fc.double(), fc.string()),
        fc.oneof(fc.integer(), fc.double()),
        fc.oneof(fc.string(), fc.constant("1")),
      ),
    );
    let passed = 0;
    fc.assert(
      fc.property(value, (each) => {
        const candidate = parseCandidate(each);
        if (candidate === null) return;
        passed++;
        expect(candidate.port).toBeGreaterThan(0);
        expect(candidate.port).toBeLessThan(65536);
        expect(candidate.address).toMatch(/^[0-9a-f:.]+$/);
        expect(isIP(candidate.address)).not.toBe(0);
      }),
      { numRuns },
    );
    expect(passed).toBeGreaterThan(numRuns / 50);
  });

  test.each([
    ["a name", ["host", "example.org", 1, 1, "1"]],
    ["no address", ["host", "", 1, 1, "1"]],
    ["any address", ["host", "0.0.0.0", 1, 1, "1"]],
    ["multicast", ["host", "239.1.1.1", 1, 1, "1"]],
    ["broadcast", ["host", "255.255.255.255", 1, 1, "1"]],
    ["IPv6 multicast", ["host", "FF02::1", 1, 1, "1"]],
    ["any IPv6 address", ["host", "0:0::0", 1, 1, "1"]],
    ["a zone", ["host", "fe80::1%eth0", 1, 1, "1"]],
    ["mapped multicast", ["host", "::ffff:224.0.0.1", 1, 1, "1"]],
    ["port 0", ["host", "1.2.3.4", 0, 1, "1"]],
    ["a large port", ["host", "1.2.3.4", 65536, 1, "1"]],
    ["a broken port", ["host", "1.2.3.4", 1.5, 1, "1"]],
    ["no priority", ["host", "1.2.3.4", 1, 0, "1"]],
    ["a large priority", ["host", "1.2.3.4", 1, 2 ** 31, "1"]],
    ["a long foundation", ["host", "1.2.3.4", 1, 1, "x".repeat(33)]],
    ["a type of its own", ["tunnel", "1.2.3.4", 1, 1, "1"]],
    ["peer-reflexive", ["peer-reflexive", "1.2.3.4", 1, 1, "1"]],
    ["too much", ["host", "1.2.3.4", 1, 1, "1", "more"]],
  ])("%s is no candidate", (_, value) => {
    expect(parseCandidate(value)).toBeNull();
  });

  test("addresses have one spelling", () => {
    expect(parseCandidate(["host", "::ffff:1.2.3.4", 1, 1, "1"])?.address).toBe("1.2.3.4");
    expect(parseCandidate(["host", "2001:DB8:0::1", 1, 1, "1"])?.address).toBe("2001:db8::1");
  });

  test("a list is cut down", () => {
    const many = Array.from({ length: 5000 }, (_, i) => ["host", "1.2.3.4", 1 + i, 1, "1"]);
    expect(parseCandidates(many)).toHaveLength(32);
    expect(parseCandidates([["?"], ...many], 2).map(({ port }) => port)).toEqual([1, 2]);
    expect(parseCandidates({ length: 9 })).toEqual([]);
  });
});

test("credentials: fresh ones differ and are read; others are not", () => {
  const one = newIceCredentials();
  expect(parseIceCredentials(JSON.parse(JSON.stringify(one)))).toEqual(one);
  expect(newIceCredentials()).not.toEqual(one);
  for (const bad of [
    null,
    "x",
    {},
    { ufrag: "abc", password: one.password },
    { ...one, password: "short" },
    { ...one, ufrag: "a:bcd" },
  ]) {
    expect(parseIceCredentials(bad)).toBeNull();
  }
});

describe("whose candidates are tried", () => {
  const remote = (type: "host" | "reflexive", address: string): IceCandidate =>
    localCandidate(type, { address, port: 9 });
  const local = (type: "host" | "reflexive", address: string) => localCandidate(type, { address, port: 7 });
  const home = [local("host", "192.168.1.10"), local("reflexive", "11.1.1.2")];

  test("private ones a little, and only of the same network behind what is said to be the same public address", () => {
    const neighbour = remote("host", "192.168.1.20");
    const judge = (locals: typeof home, ...others: IceCandidate[]): RemoteVerdict =>
      sharesNetwork(neighbour, { local: locals, remote: [neighbour, ...others] });
    expect(judge(home, remote("reflexive", "11.1.1.2"))).toBe("few");
    expect(judge(home, remote("reflexive", "11.1.1.3"))).toBe(false);
    expect(judge(home)).toBe(false);
    expect(
      judge([local("host", "192.168.2.10"), local("reflexive", "11.1.1.2")], remote("reflexive", "11.1.1.2")),
    ).toBe(false);
    // A private address that both call their public one proves nothing.
    expect(
      judge([local("host", "192.168.1.10"), local("reflexive", "10.0.0.1")], remote("reflexive", "10.0.0.1")),
    ).toBe(false);
  });

  test("private ones of the same network where a third party has seen both at one public address", () => {
    const judge = (address: string): RemoteVerdict => {
      const candidate = remote("host", address);
      return sharesAttestedNetwork(candidate, { local: home, remote: [candidate] });
    };
    expect(["192.168.1.20", "192.168.2.20", "127.0.0.1", "9.9.9.9"].map(judge)).toEqual([true, false, false, true]);
  });

  test("the same holds for unique local IPv6 addresses", () => {
    const neighbour = remote("host", "fd00:1::20");
    const context = (address: string) => ({
      local: [local("host", address), local("reflexive", "11.1.1.2")],
      remote: [neighbour, remote("reflexive", "11.1.1.2")],
    });
    expect(sharesNetwork(neighbour, context("fd00:1::10"))).toBe("few");
    expect(sharesNetwork(neighbour, context("fd00:2::10"))).toBe(false);
  });

  test("public ones always; loopback and reserved ones never", () => {
    const judge = (address: string): RemoteVerdict => {
      const candidate = remote("host", address);
      return sharesNetwork(candidate, {
        local: [local("host", address), ...home],
        remote: [candidate, remote("reflexive", "11.1.1.2")],
      });
    };
    expect([judge("9.9.9.9"), judge("2a11::1")]).toEqual([true, true]);
    expect([judge("127.0.0.1"), judge("::1"), judge("203.0.113.1"), judge("2001:db8::1")]).toEqual([
      false,
      false,
      false,
      false,
    ]);
    expect(onLocalNetwork(remote("host", "127.0.0.1"))).toBe("few");
    expect(onLocalNetwork(remote("host", "192.168.7.1"))).toBe(true);
    expect(onLocalNetwork(remote("host", "203.0.113.1"))).toBe(false);
  });
});
