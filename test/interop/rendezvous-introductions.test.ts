/** Hosts and players who are introduced to each other, through honest lobbies and others. */
import { once } from "node:events";
import { ColyseusSDK, type Room } from "@colyseus/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { RendezvousRoom } from "../../sdk/src/colyseus/lobby/room.ts";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { resolveInvite } from "../../sdk/src/rendezvous/guest/resolve.ts";
import { HostRegistration, type HostRegistrationOptions } from "../../sdk/src/rendezvous/host/registration.ts";
import { type Introduction, type IntroductionClosed } from "../../sdk/src/rendezvous/sealed/introduction.ts";
import { randomKeyPair } from "../../sdk/src/rendezvous/sealed/noise.ts";
import { createHostSecret, hostIdentityOf } from "../../sdk/src/rendezvous/sealed/secret.ts";
import { toBase64Url } from "../../sdk/src/rendezvous/wire/base64url.ts";
import { RendezvousError } from "../../sdk/src/rendezvous/wire/errors.ts";
import { until } from "../until.ts";
import { EvilRoom, type Said, startLobby, type TestLobby } from "./rendezvous-lobby.ts";

let lobby: TestLobby;
const opened: Disposable[] = [];
const registrations: HostRegistration[] = [];
const fair = EvilRoom.instead;

beforeAll(async () => {
  vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(console, "info").mockReturnValue();
  Object.assign(RendezvousRoom.limits, { burst: 10_000, gamesPerAddress: 100 });
  lobby = await startLobby({
    stun: ["stun:stun.example:3478"],
    turn: { urls: ["turn:turn.example:3478"], secret: "north", ttlSeconds: 3600 },
  });
});

afterEach(async () => {
  for (const introduction of opened.splice(0)) introduction[Symbol.dispose]();
  await Promise.all(registrations.splice(0).map((registration) => registration.close()));
  EvilRoom.instead = fair;
  EvilRoom.said = [];
});

afterAll(() => lobby[Symbol.asyncDispose]());

/** The room that passes on what a test wants; without a wish it is fair. */
const evil = { roomName: "evil" } as const;
const SEALED = "http://198.51.100.7:7777";

/** A host whose introductions come as `next()`. */
async function host(options: Partial<HostRegistrationOptions> = {}): Promise<{
  registration: HostRegistration;
  code: string;
  link: string;
  next: () => Promise<Introduction>;
}> {
  const registration = new HostRegistration({
    lobby: lobby.url,
    name: "Arena",
    players: 2,
    sealedEndpoints: [SEALED],
    retryMs: [10, 50],
    ...options,
  });
  registrations.push(registration);
  const came: Introduction[] = [];
  const wanted: ((introduction: Introduction) => void)[] = [];
  registration.on("introduction", (introduction) => {
    opened.push(introduction);
    const take = wanted.shift();
    if (take === undefined) came.push(introduction);
    else take(introduction);
  });
  const invite = await registration.open();
  const next = (): Promise<Introduction> => {
    const first = came.shift();
    return first === undefined ? new Promise((resolve) => wanted.push(resolve)) : Promise.resolve(first);
  };
  return { registration, code: invite.code, link: invite.url, next };
}

async function ask(link: string, options: Parameters<typeof introduce>[1] = {}): Promise<Introduction> {
  const introduction = await introduce(link, { lobby: lobby.url, ...options });
  opened.push(introduction);
  return introduction;
}

const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const bytes = (said: string): Uint8Array => new TextEncoder().encode(said);
const message = (introduction: Introduction): Promise<Uint8Array> =>
  new Promise((resolve) => introduction.onMessage(resolve));
const closed = (introduction: Introduction): Promise<IntroductionClosed> =>
  new Promise((resolve) => introduction.onClose(resolve));

describe("an introduction", () => {
  test("by link: both know each other, and speak in both directions", async () => {
    const { link, next } = await host();
    const [player, there] = await Promise.all([ask(link), next()]);
    expect(player.authenticated).toBe(true);
    expect(there.authenticated).toBe(true);
    expect(player.details).toMatchObject({ name: "Arena", players: 2, endpoints: [SEALED] });
    expect(player.handshakeHash).toEqual(there.handshakeHash);
    // Credentials are minted for each, maybe in two seconds.
    expect(player.servers.stun).toEqual(there.servers.stun);
    expect(player.servers.turn.map(({ urls }) => urls)).toEqual(there.servers.turn.map(({ urls }) => urls));
    expect(player.send(bytes("let me in"))).toBe(true);
    expect(text(await message(there))).toBe("let me in");
    there.send(bytes("come"));
    expect(text(await message(player))).toBe("come");
  });

  test("by bare code: it works, and neither side takes the other for proven", async () => {
    const { code, next } = await host();
    const [player, there] = await Promise.all([ask(code.toLowerCase()), next()]);
    expect([player.authenticated, there.authenticated]).toEqual([false, false]);
    expect(player.details.endpoints).toEqual([SEALED]);
  });

  test("a host that wants the whole link gets nobody by bare code", async () => {
    const { code, link, next } = await host({ linkOnly: true });
    await expect(ask(code)).rejects.toMatchObject({ code: "refused", message: expect.stringContaining("whole link") });
    expect((await Promise.all([ask(link), next()]))[1].authenticated).toBe(true);
  });

  test("carries the largest message and not a larger one, and keeps the order", async () => {
    const { link, next } = await host();
    const [player, there] = await Promise.all([ask(link), next()]);
    const sizes = [16_384, 0, 1, 3069, 3070, 253, 254];
    const got: Uint8Array[] = [];
    const all = new Promise<void>((resolve) => {
      there.onMessage((data) => {
        got.push(data);
        if (got.length === sizes.length) resolve();
      });
    });
    expect(player.send(new Uint8Array(16_385))).toBe(false);
    for (const [i, size] of sizes.entries()) expect(player.send(new Uint8Array(size).fill(i))).toBe(true);
    await all;
    expect(got).toEqual(sizes.map((size, i) => new Uint8Array(size).fill(i)));
  });

  test("says no to more than it may send, and lives", async () => {
    const { link, next } = await host();
    const [player, there] = await Promise.all([ask(link), next()]);
    const clock = vi.spyOn(performance, "now").mockReturnValue(performance.now());
    let sent = 0;
    while (player.send(Uint8Array.of(sent))) sent++;
    clock.mockRestore();
    // What goes at once, less what the handshake took of it.
    expect(sent).toBeGreaterThan(50);
    expect(sent).toBeLessThanOrEqual(64);
    const last = new Promise<void>((resolve) => {
      there.onMessage((data) => {
        if (data[0] === sent - 1) resolve();
      });
    });
    await last;
    expect(player.closed).toBeUndefined();
  });

  test("is closed by either side with a reason that the other gets", async () => {
    const { link, next } = await host();
    const [player, there] = await Promise.all([ask(link), next()]);
    there.close("the game is full");
    expect(await closed(player)).toEqual({ by: "there", reason: "the game is full" });
    expect(there.closed).toEqual({ by: "here", reason: "the game is full" });
    expect([player.send(bytes("x")), there.send(bytes("x"))]).toEqual([false, false]);
    const [second, other] = await Promise.all([ask(link), next()]);
    second.close();
    expect(await closed(other)).toEqual({ by: "there", reason: "done" });
  });

  test("ends when the host closes its game", async () => {
    const { registration, link, next } = await host();
    const [player] = await Promise.all([ask(link), next()]);
    await registration.close();
    expect(await closed(player)).toMatchObject({ by: "there", reason: "The host has closed the game." });
  });

  test("many at once do not get into each other's way", async () => {
    const { link, registration } = await host();
    registration.on("introduction", (introduction) =>
      introduction.onMessage((data) => introduction.send(bytes(`you said ${text(data)}`))),
    );
    const players = await Promise.all(Array.from({ length: 12 }, () => ask(link)));
    const answers = players.map(message);
    for (const [i, player] of players.entries()) player.send(bytes(`${i}`));
    expect((await Promise.all(answers)).map(text)).toEqual(players.map((_, i) => `you said ${i}`));
  });

  test("a host that nobody listens to refuses", async () => {
    const registration = new HostRegistration({ lobby: lobby.url, name: "Deaf" });
    registrations.push(registration);
    const { url } = await registration.open();
    const player = await ask(url);
    expect(await closed(player)).toEqual({ by: "there", reason: "This host takes no introductions." });
  });
});

describe("the way of a host's address", () => {
  test("is sealed: the lobby shows none to whoever has the code, and never has it", async () => {
    const { link, code, next } = await host({ roomName: "evil" });
    await Promise.all([ask(link, { roomName: "evil" }), next()]);
    expect((await resolveInvite(code, { lobby: lobby.url, roomName: "evil" })).endpoints).toEqual([]);
    expect(JSON.stringify(await RendezvousRoom.list("evil"))).not.toContain("198.51");
    const relayed = EvilRoom.said.map(({ message: said }) => Buffer.from(JSON.stringify(said)).toString());
    expect(relayed.join()).not.toContain("198.51");
  });

  test("a host may let the lobby show one, for players who know of no introductions", async () => {
    const { link, code, next } = await host({ endpoints: ["http://203.0.113.9:7777"] });
    expect((await resolveInvite(code, { lobby: lobby.url })).endpoints).toEqual(["http://203.0.113.9:7777"]);
    const [player] = await Promise.all([ask(link), next()]);
    expect(player.details.endpoints).toEqual([SEALED, "http://203.0.113.9:7777"]);
  });
});

describe("STUN and TURN", () => {
  test("are told to hosts and invited players, with credentials of their own that end", async () => {
    const { link, next, registration } = await host();
    const [player] = await Promise.all([ask(link), next()]);
    const { stun, turn } = player.servers;
    expect(stun).toEqual(["stun:stun.example:3478"]);
    expect(turn).toEqual([
      {
        urls: ["turn:turn.example:3478"],
        username: expect.stringMatching(/^\d{10}:/),
        credential: expect.stringMatching(/^[\w+/]{27}=$/),
        expiresAt: expect.any(Number),
      },
    ]);
    // A TURN server's clock may be five minutes ahead.
    expect((turn[0]?.expiresAt ?? 0) / 1000).toBe(Number(turn[0]?.username.split(":")[0]) - 300);
    expect(turn[0]?.expiresAt).toBeGreaterThan(Date.now() + 3_000_000);
    expect(turn[0]?.username).not.toContain(link.slice(-53, -44));
    expect(registration.servers.stun).toEqual(stun);
  });

  test("a host that stays gets new credentials before its own end", async () => {
    const { registration } = await host({ roomName: "brief" });
    const names = new Set<string | undefined>();
    await new Promise<void>((resolve) => {
      registration.on("servers", ({ turn }) => {
        names.add(turn[0]?.username);
        if (names.size === 3) resolve();
      });
    });
    expect(registration.servers.turn[0]?.username).toBe([...names].at(-1));
  });
});

describe("a lobby whose clock is set while games are listed", () => {
  afterEach(() => vi.mocked(Date.now).mockRestore?.());

  test.each([-1, 1])(
    "by %i h: hosts get credentials by its new clock at once, and their invites stay",
    async (hours) => {
      const { registration, code } = await host();
      await until(() => registration.servers.turn.length > 0);
      const renewed = new Promise<string>((resolve) => {
        registration.on("servers", ({ turn }) => resolve(turn[0]?.username ?? ""));
      });
      const { now } = Date;
      const stepMs = hours * 3_600_000;
      vi.spyOn(Date, "now").mockImplementation(() => now.call(Date) + stepMs);
      const expiry = Number((await renewed).split(":")[0]);
      // An hour, five minutes of tolerance, and the step.
      expect(Math.abs(expiry - (now.call(Date) + stepMs) / 1000 - 3900)).toBeLessThan(30);
      expect((await resolveInvite(code, { lobby: lobby.url })).online).toBe(true);
    },
  );
});

describe("a lobby that does not play fair", () => {
  const relays = (to: Said["to"]): Said[] => EvilRoom.said.filter((said) => said.to === to && said.type === "relay");

  test("reads nothing, and sees but three sizes", async () => {
    const { link, next } = await host(evil);
    const [player, there] = await Promise.all([ask(link, evil), next()]);
    const secret = "the token is 0123456789";
    player.send(bytes(secret));
    await message(there);
    there.send(bytes(secret.repeat(30)));
    await message(player);
    const all = EvilRoom.said.map(({ message: said }) => said["data"]).filter((data) => data instanceof Uint8Array);
    expect(all.length).toBeGreaterThan(3);
    expect(all.map(text).join()).not.toContain("token");
    for (const { length } of all) expect([48, 272, 1040, 3088]).toContain(length);
  });

  test("that names another key is found out: by link, and by code", async () => {
    const { link, code } = await host(evil);
    const key = toBase64Url(randomKeyPair().publicKey);
    EvilRoom.instead = ({ type, message: said }) => (type === "host" ? { ...said, key } : said);
    await expect(ask(link, evil)).rejects.toMatchObject({ code: "forged" });
    await expect(ask(code, evil)).rejects.toMatchObject({ code: "forged" });
    EvilRoom.instead = ({ type, message: said }) => (type === "host" ? { ...said, verifier: key } : said);
    await expect(ask(code, evil)).rejects.toMatchObject({ code: "forged" });
  });

  test("that answers in the host's place is found out", async () => {
    const { link } = await host(evil);
    EvilRoom.instead = ({ to, type, message: said }) =>
      to === "guest" && type === "relay" ? { data: new Uint8Array(48).fill(9) } : said;
    await expect(ask(link, evil)).rejects.toMatchObject({ code: "forged" });
  });

  test("cannot come in itself where the whole link is wanted, nor pass for somebody who has it", async () => {
    const { code, registration } = await host({ ...evil, linkOnly: true });
    let came = 0;
    registration.on("introduction", () => came++);
    // It knows the code and the key; of the link's pass it knows nothing.
    const key = EvilRoom.said.length;
    expect(key).toBeGreaterThan(0);
    await expect(ask(code, evil)).rejects.toMatchObject({ code: "refused" });
    EvilRoom.instead = ({ type, message: said }) =>
      type === "introduction" ? { ...said, hello: (said["hello"] as Uint8Array).with(0, 1) } : said;
    await expect(ask(code, evil)).rejects.toMatchObject({ code: "refused" });
    expect(came).toBe(0);
  });

  test.each([
    ["alters", (data: Uint8Array) => [data.with(40, (data[40] ?? 0) ^ 1)]],
    ["repeats", (data: Uint8Array) => [data, data]],
    ["shortens", (data: Uint8Array) => [data.subarray(0, 100)]],
    ["empties", () => [new Uint8Array(0)]],
  ])("that %s what the host says is found out by the player", async (_what, tamper) => {
    const { link, next } = await host(evil);
    const [player, there] = await Promise.all([ask(link, evil), next()]);
    EvilRoom.instead = ({ to, type, message: said }) =>
      to === "guest" && type === "relay" ? tamper(said["data"] as Uint8Array).map((data) => ({ data })) : said;
    there.send(bytes("go to 203.0.113.1"));
    expect(await closed(player)).toMatchObject({ by: "forged" });
    expect(player.send(bytes("x"))).toBe(false);
  });

  test("that swallows one message is found out with the next", async () => {
    const { link, next } = await host(evil);
    const [player, there] = await Promise.all([ask(link, evil), next()]);
    EvilRoom.instead = ({ to, type, message: said }) => (to === "host" && type === "relay" ? undefined : said);
    player.send(bytes("one"));
    await until(() => relays("host").length === 2);
    EvilRoom.instead = fair;
    player.send(bytes("two"));
    expect(await closed(there)).toMatchObject({ by: "forged" });
  });

  test("that sends an older player's first message again brings nobody in", async () => {
    const { link, next, registration } = await host(evil);
    await Promise.all([ask(link, evil), next()]);
    let came = 0;
    registration.on("introduction", () => came++);
    const old = EvilRoom.said.find(({ type }) => type === "introduction")?.message;
    const before = relays("guest").length;
    EvilRoom.instead = ({ type, message: said }) =>
      type === "introduction" ? { id: said["id"], hello: old?.["hello"] } : said;
    // The host answers, to somebody who is not there; who asked now finds the answer not to be his.
    await expect(ask(link, evil)).rejects.toMatchObject({ code: "forged" });
    expect(relays("guest").length).toBeGreaterThan(before);
    expect(came).toBe(0);
  });

  test("that speaks nonsense hurts nobody", async () => {
    const { link, next, registration } = await host(evil);
    const nonsense = [undefined, null, 7, "x", [], {}, { id: -1 }, { id: 1.5 }, { id: "1" }, { id: 1, data: "x" }];
    EvilRoom.instead = ({ type, message: said }) =>
      type === "servers" || type === "registered" ? said : ([...nonsense, said] as Said["message"][]);
    await expect(ask(link, { ...evil, timeoutMs: 2000 })).rejects.toThrow(RendezvousError);
    EvilRoom.instead = fair;
    expect(registration.invite).toBeDefined();
    await Promise.all([ask(link, evil), next()]);
  });
});

describe("lobbies and connections that fail", () => {
  test("when the connections break both sides are told, and the host is found again under its link", async () => {
    const { link, next, registration } = await host();
    const [player, there] = await Promise.all([ask(link), next()]);
    const again = once(registration, "registered");
    lobby.breakConnections();
    expect(await closed(player)).toMatchObject({ by: "lost" });
    expect(await closed(there)).toMatchObject({ by: "lost" });
    await again;
    expect(registration.invite?.url).toBe(link);
    expect((await Promise.all([ask(link), next()]))[0].authenticated).toBe(true);
  });

  test("a host that is away is waited for", async () => {
    const { link, next, registration } = await host({ retryMs: [400, 400] });
    const lost = once(registration, "lost");
    lobby.breakConnections();
    await lost;
    const [player] = await Promise.all([ask(link), next()]);
    expect(player.details.name).toBe("Arena");
  });

  test("a host that stays away is not waited for longer than asked, nor after the caller has given up", async () => {
    const { link, registration } = await host({ ...evil, retryMs: [60_000, 60_000] });
    const lost = once(registration, "lost");
    lobby.breakConnections();
    await lost;
    await expect(ask(link, { ...evil, timeoutMs: 100 })).rejects.toMatchObject({ code: "unreachable" });
    EvilRoom.said = [];
    const caller = new AbortController();
    const asking = expect(ask(link, { ...evil, signal: caller.signal })).rejects.toMatchObject({ code: "aborted" });
    // It has been told that the host is away, and waits.
    await until(() => EvilRoom.said.some(({ to, message: said }) => to === "guest" && said["online"] === false));
    caller.abort();
    await asking;
  });

  test("another process with the same secret has the same link, and is the one that is asked", async () => {
    const first = await host();
    const [early] = await Promise.all([ask(first.link), first.next()]);
    const second = await host({ secret: first.registration.secret, name: "Second" });
    expect(second.link).toBe(first.link);
    expect(await closed(early)).toMatchObject({ by: "lost" });
    const [player] = await Promise.all([ask(first.link), second.next()]);
    expect(player.details.name).toBe("Second");
  });
});

describe("players who send too much", () => {
  test("are put out, and their host does not notice", async () => {
    const { code, link, next } = await host();
    const flooder = await new ColyseusSDK(lobby.url).join("rendezvous", { invite: code });
    flooder.reconnection.enabled = false;
    flooder.onMessage("*", () => undefined);
    const left = new Promise<number>((resolve) => flooder.onLeave((reason) => resolve(reason)));
    const hello = new Uint8Array(49).fill(1);
    for (let i = 0; i < 200; i++) flooder.send("introduce", { hello });
    expect(await left).toBe(4313);
    expect((await Promise.all([ask(link), next()]))[0].authenticated).toBe(true);
  });

  test("nonsense instead of a first message is refused or not answered", async () => {
    const { code, link, next } = await host();
    const stranger = await new ColyseusSDK(lobby.url).join("rendezvous", { invite: code });
    stranger.reconnection.enabled = false;
    const ends: unknown[] = [];
    stranger.onMessage("*", (type, said) => {
      if (type === "end") ends.push((said as { reason: unknown }).reason);
    });
    const hellos = [undefined, {}, new Uint8Array(50), new Uint8Array(49)];
    stranger.send("end", null);
    for (const hello of hellos) stranger.send("introduce", { hello });
    stranger.send("relay", { data: new Uint8Array(20) });
    stranger.send("relay", { data: new Uint8Array(4000) });
    await until(() => ends.length >= hellos.length);
    expect(new Set(ends)).toEqual(new Set(["unreadable"]));
    stranger.connection.close();
    expect((await Promise.all([ask(link), next()]))[0].authenticated).toBe(true);
  });

  test("only so many of one address are introduced to one host at a time", async () => {
    const { link, code } = await host();
    const sdk = new ColyseusSDK(lobby.url);
    const crowd = [];
    for (let i = 0; i < RendezvousRoom.limits.guestsPerAddress; i++) {
      const room = await sdk.join("rendezvous", { invite: code });
      room.reconnection.enabled = false;
      room.onMessage("*", () => undefined);
      crowd.push(room);
    }
    await expect(ask(link)).rejects.toMatchObject({ message: expect.stringContaining("Too many players") });
    for (const room of crowd) room.connection.close();
  });

  test("a host that sends too much loses the introduction in which it does, and no other", async () => {
    const { code: invite, proof, key } = await hostIdentityOf(createHostSecret());
    const sdk = new ColyseusSDK(lobby.url);
    const enter = async (options: object): Promise<{ room: Room; heard: [unknown, unknown][] }> => {
      const room = await sdk.joinOrCreate("rendezvous", { invite, ...options });
      room.reconnection.enabled = false;
      const heard: [unknown, unknown][] = [];
      room.onMessage("*", (type, said) => heard.push([type, said]));
      return { room, heard };
    };
    const details = { name: "Raw" };
    const raw = await enter({ role: "host", proof, key: toBase64Url(key.publicKey), details });
    const [one, two] = [await enter({}), await enter({})];
    for (const [i, { room }] of [one, two].entries()) {
      room.send("introduce", { hello: new Uint8Array(49) });
      await until(() => raw.heard.filter(([type]) => type === "introduction").length === i + 1);
    }
    for (let i = 0; i < 200; i++) raw.room.send("relay", { id: 1, data: new Uint8Array(10) });
    raw.room.send("relay", { id: 2, data: Uint8Array.of(1) });
    await until(() => two.heard.some(([type]) => type === "relay"));
    expect(two.heard).toContainEqual(["relay", { data: Uint8Array.of(1) }]);
    expect(one.heard).toContainEqual(["end", { reason: "limit" }]);
    expect(raw.heard).toContainEqual(["end", { id: 1, reason: "limit" }]);
    expect(one.heard.filter(([type]) => type === "relay").length).toBeLessThan(120);
    for (const { room } of [raw, one, two]) room.connection.close();
  });

  test("an introduction ends when its time is over", async () => {
    const { introductionMs } = RendezvousRoom.limits;
    RendezvousRoom.limits.introductionMs = 123_456;
    const timers = vi.spyOn(globalThis, "setTimeout");
    const { link, next } = await host();
    const [player, there] = await Promise.all([ask(link), next()]);
    RendezvousRoom.limits.introductionMs = introductionMs;
    const [expire] = timers.mock.calls.find(([, ms]) => ms === 123_456) ?? [];
    timers.mockRestore();
    expire?.();
    expect(await closed(player)).toMatchObject({ by: "lost", reason: expect.stringContaining("time") });
    expect(await closed(there)).toMatchObject({ by: "lost" });
  });

  test("an introduction ends when more bytes were sent than are relayed", async () => {
    const { relayBytes } = RendezvousRoom.limits;
    RendezvousRoom.limits.relayBytes = 20_000;
    const { link, next } = await host();
    const [player] = await Promise.all([ask(link), next()]);
    player.send(new Uint8Array(16_000));
    player.send(new Uint8Array(16_000));
    expect(await closed(player)).toMatchObject({ by: "lost" });
    RendezvousRoom.limits.relayBytes = relayBytes;
  });
});
