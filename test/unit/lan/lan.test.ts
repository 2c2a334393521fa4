/** Hosts and players on a network that exists in this test only. */
import type { NetworkInterfaceInfo } from "node:os";
import { afterEach, describe, expect, test, vi } from "vitest";
import { LanAnnouncer } from "../../../sdk/src/lan/announcer.ts";
import { discoverLan, lanGames, lanUrls } from "../../../sdk/src/lan/discover.ts";
import { linksOf, neighbourhoodOf } from "../../../sdk/src/lan/links.ts";
import { type LanGame, LanListener, LOST_AFTER_MS, MAX_GAMES } from "../../../sdk/src/lan/listener.ts";
import { locateLan } from "../../../sdk/src/lan/locate.ts";
import {
  decodeLanPacket,
  encodeAnnouncement,
  encodeGoodbye,
  encodeLocated,
  encodeLookup,
  encodeQuery,
} from "../../../sdk/src/lan/packet.ts";
import { ANNOUNCE_MS, LanResponder } from "../../../sdk/src/lan/responder.ts";
import { Cable, CableEnd } from "./cable.ts";

const ID = "0123456789abcdef";
const details = { application: "arena", name: "Ann's", port: 7777, players: 2, maxPlayers: 16, version: "1.0" };
const interfaceAddress = (address: string, prefixLength: number): NetworkInterfaceInfo => ({
  address,
  family: address.includes(":") ? "IPv6" : "IPv4",
  cidr: `${address}/${prefixLength}`,
  netmask: "",
  mac: "",
  internal: false,
  scopeid: 0,
});
const id = (i: number): string => i.toString(16).padStart(16, "0");

describe("announcer and search", () => {
  afterEach(() => vi.useRealTimers());

  test("find each other, whoever comes first, and notice changes and goodbyes", async () => {
    const cable = new Cable();
    const announcer = new LanAnnouncer(details, { network: new CableEnd(cable, "192.168.1.10") });
    const caller = new AbortController();
    const heard: [string, number][] = [];
    const lost = Promise.withResolvers<LanGame>();
    const search = discoverLan({
      application: "arena",
      network: new CableEnd(cable, "192.168.1.20"),
      timeoutMs: Number.POSITIVE_INFINITY,
      signal: caller.signal,
      onGame: (game) => {
        heard.push([game.name, game.players]);
        if (heard.length === 1) announcer.update({ players: 3 });
        if (heard.length === 2) void announcer.close();
      },
      onLost: lost.resolve,
    });
    expect(lanUrls(await lost.promise)).toEqual(["http://192.168.1.10:7777"]);
    expect(heard).toEqual([
      ["Ann's", 2],
      ["Ann's", 3],
    ]);
    caller.abort();
    expect(await search).toEqual([]);
    await announcer.close();
    expect(cable.ends.size).toBe(0);
  });

  test("a search answers what it found when its time is over", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const cable = new Cable();
    await using _one = new LanAnnouncer(details, { network: new CableEnd(cable, "192.168.1.10") });
    await using _two = new LanAnnouncer(
      { ...details, name: "Bob's" },
      { network: new CableEnd(cable, "fe80::1%eth0") },
    );
    await using _other = new LanAnnouncer(
      { ...details, application: "chess" },
      { network: new CableEnd(cable, "192.168.1.12") },
    );
    const found: LanGame[] = [];
    const search = discoverLan({
      application: "arena",
      network: new CableEnd(cable, "192.168.1.20"),
      timeoutMs: 100,
      onGame: (game) => void found.push(game),
    });
    // Everybody's time but that of the cable.
    while (found.length < 2) await vi.advanceTimersByTimeAsync(1);
    await vi.advanceTimersByTimeAsync(100);
    const games = await search;
    expect(Object.fromEntries(games.map(({ name, addresses }) => [name, addresses]))).toEqual({
      "Ann's": ["192.168.1.10"],
      "Bob's": ["fe80::1%eth0"],
    });
    expect(games.flatMap(lanUrls)).toEqual(["http://192.168.1.10:7777"]);
  });

  test("games come one by one, changed ones again, until the reader leaves", async () => {
    const cable = new Cable();
    const announcer = new LanAnnouncer({ name: "Ann's", port: 7777 }, { network: new CableEnd(cable, "192.168.1.10") });
    const heard: number[] = [];
    const network = new CableEnd(cable, "192.168.1.20");
    for await (const game of lanGames({ network, timeoutMs: Number.POSITIVE_INFINITY })) {
      expect(game).toMatchObject({ application: "sallyport", name: "Ann's" });
      heard.push(game.players);
      if (game.players === 3) break;
      announcer.update({ players: 3 });
    }
    expect(heard).toEqual([0, 3]);
    await announcer.close();
    expect(cable.ends.size).toBe(0);
    // And where nobody is, until the time is over.
    for await (const game of lanGames({ network: new CableEnd(cable, "192.168.1.20"), timeoutMs: 20 })) {
      expect.fail(game.name);
    }
    expect(cable.ends.size).toBe(0);
  });

  test("a host is located by the address that the internet has for it, and by no other", async () => {
    const cable = new Cable();
    await using _one = new LanAnnouncer(details, {
      network: new CableEnd(cable, "192.168.1.10"),
      isKnownAs: (endpoint) => endpoint === "11.0.1.2:7001",
    });
    await using _other = new LanAnnouncer({ ...details, port: 9 }, { network: new CableEnd(cable, "192.168.1.11") });
    const locate = (port: number, signal?: AbortSignal) =>
      locateLan(
        { address: "11.0.1.2", port },
        { network: new CableEnd(cable, "192.168.1.20"), timeoutMs: 50, ...(signal && { signal }) },
      );
    expect(await locate(7001)).toEqual({ address: "192.168.1.10", port: 7777 });
    expect(await locate(7777)).toBeUndefined();
    expect(await locate(7001, AbortSignal.abort())).toBeUndefined();
    // Who answers another question than was asked is not heard.
    const liar = new CableEnd(cable, "192.168.1.66");
    liar.onPacket = () => liar.multicast(encodeLocated(ID, 6666, "11.0.1.2:80"));
    expect(await locate(7777)).toBeUndefined();
    expect(await locate(7001)).toEqual({ address: "192.168.1.10", port: 7777 });
  });

  test("nonsense on the network hurts nobody, and a listener that throws ends its search", async () => {
    const cable = new Cable();
    await using _one = new LanAnnouncer(details, { network: new CableEnd(cable, "192.168.1.10") });
    const noise = new CableEnd(cable, "192.168.1.66");
    for (let i = 0; i < 300; i++) noise.multicast(new Uint8Array(i).fill(i));
    const search = discoverLan({
      application: "arena",
      network: new CableEnd(cable, "192.168.1.20"),
      onGame: () => {
        throw new Error("the caller's own");
      },
    });
    await expect(search).rejects.toThrow("the caller's own");
    expect(await discoverLan({ application: "arena", signal: AbortSignal.abort() })).toEqual([]);
  });

  test.each([{ name: "" }, { application: "\u0007" }, { port: 0 }, { port: 65_536 }, { port: 1.5 }])(
    "what cannot be announced is refused: %j",
    (part) => {
      expect(() => new LanAnnouncer({ ...details, ...part }, { network: new CableEnd(new Cable(), "x") })).toThrow(
        RangeError,
      );
    },
  );
});

describe("the neighbourhood", () => {
  test("is the networks of our interfaces, and the links", () => {
    const links = linksOf({
      lo: [interfaceAddress("127.0.0.1", 8), interfaceAddress("::1", 128)],
      eth0: [
        interfaceAddress("192.168.1.10", 24),
        interfaceAddress("fe80::1", 64),
        interfaceAddress("2001:db8::1", 64),
      ],
    });
    expect(links.map(({ address }) => address)).toEqual(["127.0.0.1", "192.168.1.10", "fe80::1"]);
    const isNear = neighbourhoodOf(links);
    expect(["127.0.0.1", "192.168.1.77", "fe80::2%eth0"].map(isNear)).toEqual([true, true, true]);
    // However wide the mask: the internet is no neighbour.
    const wide = neighbourhoodOf([{ address: "10.0.0.1", family: 4, prefixLength: 0 }]);
    expect(["10.9.9.9", "8.8.8.8", "100.64.0.1", "203.0.113.7"].map(wide)).toEqual([true, false, false, false]);
    const without = neighbourhoodOf([{ address: "fd00:1::1", family: 6, prefixLength: 64 }]);
    expect(["fd00:1::2", "fe80::1%eth0", "fd00:2::1", "2a11::1", "192.168.1.1"].map(without)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    const far = ["192.168.2.1", "203.0.113.7", "2001:db8::2", "::1", "", "x", "0.0.0.0"];
    expect(far.map(isNear)).toEqual(far.map(() => false));
  });
});

/** The second and the fourth are temporary ones (RFC 8981). */
const HOME6 = { address: "fe80::1", more: ["fd00:1::1", "fd00:1::2", "fd00:2::1", "fd00:2::2"] };

describe("interfaces that lead to strangers", () => {
  test.each([
    ["a rented server's", { address: "8.8.8.8", more: ["fe80::1"] }, []],
    ["a rented server's with a private address beside it", { address: "8.8.8.8", more: ["10.0.0.5"] }, []],
    ["a provider's shared network", { address: "100.64.1.1", more: ["fe80::1"] }, []],
    ["a rented server's with IPv6 alone", { address: "2a11::1", more: ["fe80::1"] }, []],
    ["a home's", { address: "192.168.1.10", more: ["fe80::1", "2a11::1"] }, ["192.168.1.10", "fe80::1"]],
    ["a cable between two machines", { address: "169.254.7.7", more: ["fe80::1"] }, ["169.254.7.7", "fe80::1"]],
    ["a cable with IPv6 alone", { address: "fe80::1", more: ["fd00::1"] }, ["fe80::1", "fd00::1"]],
    ["a home's without IPv4, one address of each of its networks", HOME6, ["fe80::1", "fd00:1::1", "fd00:2::1"]],
  ])("%s: %j", (_whose, { address, more }, expected) => {
    const addresses = [address, ...more].map((each) => interfaceAddress(each, each.includes(":") ? 64 : 24));
    expect(linksOf({ eth0: addresses }).map((link) => link.address)).toEqual(expected);
  });
});

describe("a host", () => {
  const responder = (): LanResponder => new LanResponder({ id: ID, details, random: () => 0.5 }, 0);

  test("announces itself at once, soon again, and then every few seconds", () => {
    const host = responder();
    const times: number[] = [];
    for (let now = 0; now < 60_000; now = Math.max(now + 1, host.nextTimeout)) {
      if (host.handleTimeout(now) !== undefined) times.push(now);
    }
    expect(times.slice(0, 4)).toEqual([0, 250, 1250, 8750]);
    expect(times.length).toBeLessThanOrEqual(4 + 60_000 / (ANNOUNCE_MS / 2));
    expect(host.handleTimeout(host.nextTimeout - 1)).toBeUndefined();
  });

  test("a change is announced soon, and many changes not one by one", () => {
    const host = responder();
    for (const now of [0, 250, 1250]) host.handleTimeout(now);
    let sent = 0;
    for (let now = 2000; now < 3000; now += 10) {
      host.update({ ...details, players: now }, now);
      if (host.handleTimeout(now) !== undefined) sent++;
    }
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual(4);
  });

  test("answers who asks for its game, not too often, and never more than what came", () => {
    const host = responder();
    const query = encodeQuery("arena");
    let [asked, answered] = [0, 0];
    for (let now = 0; now < 10_000; now += 10) {
      asked += query.length;
      answered += host.handlePacket(query, "192.168.1.20", now)?.length ?? 0;
    }
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(asked / 10);
    expect(host.handlePacket(query, "192.168.1.22", 0)?.length).toBeLessThanOrEqual(query.length);
    expect(host.handlePacket(encodeQuery("chess"), "192.168.1.21", 0)).toBeUndefined();
    expect(host.handlePacket(encodeLookup("11.0.1.2:7777"), "192.168.1.21", 0)).toBeUndefined();
    expect(host.handlePacket(encodeAnnouncement(ID, details), "192.168.1.21", 0)).toBeUndefined();
  });

  test("a flood of askers, each with an address of its own, gets little", () => {
    const host = responder();
    let answers = 0;
    for (let i = 0; i < 100_000; i++) {
      if (host.handlePacket(encodeQuery("arena"), `10.0.${i >> 8}.${i & 255}`, i / 100) !== undefined) answers++;
    }
    expect(answers).toBeLessThanOrEqual(40 + 20 + 1);
  });
});

describe("a player", () => {
  test("asks at once, some times more, and then seldom", () => {
    const player = new LanListener("arena", 0);
    const times: number[] = [];
    for (let now = 0; now < 30_000; now = Math.max(now + 1, player.nextTimeout)) {
      const { query } = player.handleTimeout(now);
      if (query === undefined) continue;
      times.push(now);
      expect(decodeLanPacket(query)).toEqual({ kind: "query", application: "arena" });
    }
    expect(times).toEqual([0, 250, 1000, 3000, 13_000, 23_000]);
  });

  test("forgets a game that is no longer heard of", () => {
    const player = new LanListener("arena", 0);
    expect(player.handlePacket(encodeAnnouncement(ID, details), "192.168.1.10", 0)?.type).toBe("found");
    expect(player.handlePacket(encodeAnnouncement(ID, details), "192.168.1.10", 1000)).toBeUndefined();
    expect(player.handleTimeout(LOST_AFTER_MS + 999).events).toEqual([]);
    expect(player.handleTimeout(LOST_AFTER_MS + 1000).events).toMatchObject([{ type: "lost", game: { id: ID } }]);
    expect(player.games).toEqual([]);
  });

  test("keeps the addresses from which a game is heard, those that a URL can name first", () => {
    const player = new LanListener("arena", 0);
    for (const address of ["127.0.0.1", "fe80::1%eth0", "192.168.1.10", "192.168.1.10"]) {
      player.handlePacket(encodeAnnouncement(ID, details), address, 0);
    }
    expect(player.games[0]?.addresses).toEqual(["192.168.1.10", "fe80::1%eth0", "127.0.0.1"]);
    for (let i = 0; i < 100; i++) player.handlePacket(encodeAnnouncement(ID, details), `10.0.0.${i}`, 0);
    expect(player.games[0]?.addresses).toHaveLength(8);
  });

  test("forgets an address that a game has left", () => {
    const player = new LanListener("arena", 0);
    const packet = encodeAnnouncement(ID, details);
    player.handlePacket(packet, "192.168.1.10", 0);
    for (let now = 5000; now < LOST_AFTER_MS; now += 5000) player.handlePacket(packet, "192.168.1.77", now);
    expect(player.games[0]?.addresses).toEqual(["192.168.1.10", "192.168.1.77"]);
    const event = player.handlePacket(packet, "192.168.1.77", LOST_AFTER_MS);
    expect(event).toMatchObject({ type: "changed", game: { addresses: ["192.168.1.77"] } });
  });

  test("believes a goodbye only from where the game was heard", () => {
    const player = new LanListener("arena", 0);
    player.handlePacket(encodeAnnouncement(ID, details), "192.168.1.10", 0);
    expect(player.handlePacket(encodeGoodbye(ID, "arena"), "192.168.1.66", 0)).toBeUndefined();
    expect(player.handlePacket(encodeGoodbye(ID, "chess"), "192.168.1.10", 0)).toBeUndefined();
    expect(player.handlePacket(encodeGoodbye(ID, "arena"), "192.168.1.10", 0)?.type).toBe("lost");
  });

  test("keeps no more games than it may, and still hears those that it has", () => {
    const player = new LanListener("arena", 0);
    let now = 0;
    for (let i = 0; i < 5000; i++) player.handlePacket(encodeAnnouncement(id(i), details), "192.168.1.66", (now += 10));
    expect(player.games).toHaveLength(MAX_GAMES);
    const update = encodeAnnouncement(id(0), { ...details, players: 9 });
    expect(player.handlePacket(update, "192.168.1.66", now + 10)?.type).toBe("changed");
  });
});
