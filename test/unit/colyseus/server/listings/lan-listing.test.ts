import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  isKnownAs,
  LanListing,
  type LanListingOptions,
} from "../../../../../sdk/src/colyseus/server/listings/lan-listing.ts";
import type { Reachability, ReachableEndpoint } from "../../../../../sdk/src/connectivity/reachability.ts";
import { discoverLan } from "../../../../../sdk/src/lan/discover.ts";
import { locateLan } from "../../../../../sdk/src/lan/locate.ts";
import { Cable, CableEnd } from "../../../lan/cable.ts";

const environment = process.env["SALLYPORT_LAN"];
beforeEach(() => {
  delete process.env["SALLYPORT_LAN"];
});
afterEach(() => {
  process.env["SALLYPORT_LAN"] = environment;
});

const endpoint = (kind: "host" | "mapped" | "reflexive", protocol: "tcp" | "udp", address: string, port: number) =>
  ({
    kind,
    protocol,
    address,
    port,
    via: "upnp",
    expiresAt: 0,
    verified: true,
    proof: "router",
  }) satisfies ReachableEndpoint;
const known = (...endpoints: ReachableEndpoint[]): Reachability =>
  ({ verdict: "mapped", summary: "", endpoints, gateways: [], steps: [] }) as unknown as Reachability;

describe("a listing", () => {
  test("tells what the transport's options say of the game, and what `lan` says instead", async () => {
    const listing = { name: "Friday night", maxPlayers: 8 };
    const named = [
      [{}, { name: "Sallyport", maxPlayers: 0, application: "sallyport" }],
      [{ description: "My game" }, { name: "My game" }],
      [{ description: "My game", listing }, listing],
      [
        { listing, lan: { name: "Here", application: "arena", maxPlayers: 4, version: "2" } },
        { name: "Here", application: "arena", maxPlayers: 4, version: "2" },
      ],
      // No name at all is no reason to fail.
      [{ description: "\u0007" }, { name: "Sallyport" }],
    ] as const;
    for (const [options, expected] of named) {
      const cable = new Cable();
      const network = new CableEnd(cable, "192.168.1.10");
      const lan: LanListingOptions = { network, ...("lan" in options ? options.lan : {}) };
      const made = LanListing.for({ ...options, lan }, () => undefined);
      made?.open({ address: "::", port: 7777 });
      expect(made?.state).toEqual({ addresses: ["192.168.1.10"], problem: "" });
      const search = { application: lan.application, network: new CableEnd(cable, "192.168.1.20"), timeoutMs: 200 };
      expect(await discoverLan(search)).toMatchObject([{ ...expected, port: 7777, addresses: ["192.168.1.10"] }]);
      await made?.close();
      expect(cable.ends.size).toBe(0);
    }
  });

  test("is switched off by its option and by the environment", () => {
    expect(LanListing.for({}, () => undefined)).toBeDefined();
    expect(LanListing.for({ lan: true }, () => undefined)).toBeDefined();
    expect(LanListing.for({ lan: false }, () => undefined)).toBeUndefined();
    process.env["SALLYPORT_LAN"] = "none";
    for (const lan of [true, { application: "arena" }]) {
      expect(LanListing.for({ lan }, () => undefined)).toBeUndefined();
    }
  });

  test("an application without a name is the developer's mistake", () => {
    expect(() => LanListing.for({ lan: { application: " " } }, () => undefined)).toThrow(RangeError);
  });

  test.each(["127.0.0.1", "::1"])("a game on %s alone is not announced, and says why", async (address) => {
    const cable = new Cable();
    const listing = new LanListing({ network: new CableEnd(cable, "192.168.1.10") }, () => undefined);
    listing.open({ address, port: 7777 });
    expect(listing.state).toEqual({ addresses: [], problem: expect.stringContaining(`listens on ${address} alone`) });
    await listing.close();
    expect(cable.seen).toEqual([]);
  });

  test("answers for the address that the internet has for it, as soon as it is known", async () => {
    const cable = new Cable();
    let reachability: Reachability | undefined;
    const listing = new LanListing({ network: new CableEnd(cable, "192.168.1.10") }, () => reachability);
    listing.open({ address: "0.0.0.0", port: 7777 });
    const locate = () =>
      locateLan({ address: "11.0.1.2", port: 7001 }, { network: new CableEnd(cable, "192.168.1.20"), timeoutMs: 50 });
    expect(await locate()).toBeUndefined();
    reachability = known(endpoint("mapped", "tcp", "11.0.1.2", 7001));
    expect(await locate()).toEqual({ address: "192.168.1.10", port: 7777 });
    await listing.close();
  });
});

describe("a host is known", () => {
  const mapped = endpoint("mapped", "tcp", "11.0.1.2", 7001);
  const reflexive = endpoint("reflexive", "udp", "11.0.1.2", 40_000);
  test.each([
    ["by its mapping", "11.0.1.2:7001", [reflexive, mapped], true],
    [
      "with a mapping, by nothing else: another host of the house may have that number",
      "11.0.1.2:7777",
      [mapped],
      false,
    ],
    ["by a port that was forwarded by hand to the same number", "11.0.1.2:7777", [reflexive], true],
    ["not by the port of a UDP flow", "11.0.1.2:40000", [reflexive], false],
    ["not by another house's address", "11.0.9.9:7777", [reflexive], false],
    ["not by its address at home", "192.168.1.10:7777", [endpoint("host", "tcp", "192.168.1.10", 7777)], false],
    ["not while nothing is known", "11.0.1.2:7777", [], false],
  ])("%s", (_how, address, endpoints, expected) => {
    expect(isKnownAs(address, 7777, known(...endpoints))).toBe(expected);
    expect(isKnownAs(address, 7777, undefined)).toBe(false);
  });
});
