import { describe, expect, test } from "vitest";
import { completeConnectionLimits } from "../../../../../sdk/src/colyseus/server/admission/connection-limits.ts";
import { callerOf } from "../../../../../sdk/src/colyseus/server/entrances/client-address.ts";

describe("limits by the descriptors of the process", () => {
  test.each([
    [64, 32, 16, 16],
    [300, 172, 86, 21],
    [1024, 768, 384, 96],
    [20_000, 18_976, 1024, 256],
    [1_048_576, 1_047_552, 1024, 256],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 1024, 256],
  ])("%d: %d connections, %d of them without a seat, %d of one address", (descriptors, all, unseated, share) => {
    expect(completeConnectionLimits({}, descriptors)).toMatchObject({
      tcpConnections: all,
      tcpConnectionsUnseated: unseated,
      tcpConnectionsPerAddress: share,
    });
  });

  test("what is chosen holds, and the rest follows from it", () => {
    expect(completeConnectionLimits({ tcpConnections: 10, seatTimeoutMs: 1 }, 20_000)).toEqual({
      tcpConnections: 10,
      tcpConnectionsUnseated: 5,
      tcpConnectionsPerAddress: 16,
      headersTimeoutMs: 10_000,
      requestTimeoutMs: 15_000,
      seatTimeoutMs: 1,
    });
    expect(
      completeConnectionLimits({ tcpConnectionsPerAddress: Number.POSITIVE_INFINITY }).tcpConnectionsPerAddress,
    ).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([0, -1, Number.NaN])("%d is no limit", (tcpConnections) => {
    expect(() => completeConnectionLimits({ tcpConnections })).toThrow(RangeError);
  });
});

describe("whose share a connection is of", () => {
  const host = "203.0.113.7";

  test.each([
    ["a stranger", "192.0.2.1", host, false, "192.0.2.1"],
    ["a stranger of a dual-stack server", "::ffff:192.0.2.1", `::ffff:${host}`, false, "192.0.2.1"],
    ["a neighbour", "192.168.1.20", "192.168.1.10", false, "192.168.1.20"],
    ["a stranger who does not come by the proxy", "192.0.2.1", host, true, "192.0.2.1"],
    ["a reverse proxy on this machine", "127.0.0.1", "127.0.0.1", false, undefined],
    ["the same of a dual-stack server", "::ffff:127.0.0.1", "::ffff:127.0.0.1", false, undefined],
    ["the same over IPv6", "::1", "::1", false, undefined],
    ["ourselves, on a server that listens on one address", "192.168.1.10", "192.168.1.10", false, undefined],
    ["a reverse proxy on the network, that is trusted", "10.0.0.2", "10.0.0.3", true, undefined],
    ["the same, mapped", "::ffff:172.17.0.1", "::ffff:172.17.0.2", true, undefined],
    ["another customer of the provider, who is no proxy of ours", "100.64.0.2", "100.64.0.3", true, "100.64.0.2"],
  ])("%s", (_who, remoteAddress, localAddress, trustProxy, caller) => {
    expect(callerOf({ remoteAddress, localAddress }, trustProxy)).toBe(caller);
  });

  test("an IPv6 network has one share", () => {
    const of = (remoteAddress: string): string | undefined =>
      callerOf({ remoteAddress, localAddress: "2001:db8::7" }, false);
    expect(of("2001:db8:1:2::1")).toBe(of("2001:db8:1:2:ffff::9"));
    expect(of("2001:db8:1:2::1")).not.toBe(of("2001:db8:1:3::1"));
  });
});
