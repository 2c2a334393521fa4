/** Hosts, players and strangers at a lobby's rendezvous room, over Colyseus' own transport and client. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { matchMaker } from "@colyseus/core";
import { ColyseusSDK, type Room } from "@colyseus/sdk";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { RendezvousRoom } from "../../sdk/src/colyseus/lobby/room.ts";
import { resolveInvite } from "../../sdk/src/rendezvous/guest/resolve.ts";
import { HostRegistration, type HostRegistrationOptions } from "../../sdk/src/rendezvous/host/registration.ts";
import { createHostSecret, hostIdentityOf } from "../../sdk/src/rendezvous/sealed/secret.ts";
import { toBase64Url } from "../../sdk/src/rendezvous/wire/base64url.ts";
import { RendezvousError } from "../../sdk/src/rendezvous/wire/errors.ts";
import { type Invite } from "../../sdk/src/rendezvous/wire/invite.ts";
import { until } from "../until.ts";
import { startLobby, type TestLobby } from "./rendezvous-lobby.ts";

let local: TestLobby;
let lobby = "";
const opened: HostRegistration[] = [];

beforeAll(async () => {
  // Colyseus' client comments on every refusal.
  vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(console, "info").mockReturnValue();
  // One address plays all parts here; the limit has a test of its own.
  Object.assign(RendezvousRoom.limits, { burst: 10_000, gamesPerAddress: 3, holdMs: 60_000 });
  local = await startLobby({ publicUrl: "https://lobby.example/" });
  lobby = local.url;
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((registration) => registration.close()));
});

afterAll(() => local[Symbol.asyncDispose]());

const details = {
  name: "Arena",
  description: "coins",
  players: 1,
  maxPlayers: 8,
  version: "1",
  verdict: "mapped",
  endpoints: ["http://203.0.113.7:7777"],
} as const;

function host(options: Partial<HostRegistrationOptions> = {}): HostRegistration {
  const registration = new HostRegistration({
    lobby,
    ...details,
    endpoints: [...details.endpoints],
    retryMs: [10, 50],
    ...options,
  });
  opened.push(registration);
  return registration;
}

const untilListed = (matches: (listing: string) => boolean): Promise<string> =>
  until(async () => {
    const listing = JSON.stringify(await RendezvousRoom.list());
    return matches(listing) && listing;
  });

/** What a stranger who speaks Colyseus gets for his request. */
async function refusal(request: Promise<Room>): Promise<{ code?: unknown; message: string }> {
  const joined = await request.then(
    (room) => room,
    (error: Error & { code?: unknown }) => error,
  );
  if (joined instanceof Error) return joined;
  joined.connection.close();
  throw new Error("was let in");
}

describe("the way of an invite", () => {
  test("a host gets one, and it leads to the host's endpoints", async () => {
    const invite = await host().open();
    expect(invite.code).toMatch(/^[2-9A-HJ-NP-Z]{4}-[2-9A-HJ-NP-Z]{4}$/);
    expect(invite.url).toMatch(new RegExp(`^https://lobby\\.example/#${invite.code}\\.[\\w-]{43}$`));
    const resolved = await resolveInvite(invite.code.toLowerCase().replace("-", ""), { lobby });
    expect(resolved).toEqual({ code: invite.code, lobby, online: true, ...details });
    expect((await resolveInvite(`${lobby}#${invite.code}`)).name).toBe("Arena");
  });

  test("the list shows the game and neither its address nor its invite", async () => {
    const { code } = await host({ name: "Listed" }).open();
    const listing = await untilListed((text) => text.includes("Listed"));
    expect(JSON.parse(listing)).toEqual([
      expect.objectContaining({ name: "Listed", players: 1, maxPlayers: 8, verdict: "mapped", online: true }),
    ]);
    expect(listing).not.toContain("203.0.113.7");
    expect(listing).not.toContain(code);
  });

  test("Colyseus' own lobby room, which shows metadata to everybody, does not get it", async () => {
    const { code } = await host().open();
    expect(JSON.stringify(await matchMaker.query({ unlisted: false, private: false }))).not.toContain(code);
  });

  test("what the host updates is what players get and the list shows", async () => {
    const registration = host();
    const { code } = await registration.open();
    registration.update({ players: 2 });
    registration.update({ players: 3, endpoints: ["http://198.51.100.4:40123", "http://192.168.1.5:7777"] });
    registration.update({ players: 4 });
    await untilListed((text) => text.includes('"players":4'));
    expect(await resolveInvite(code, { lobby })).toMatchObject({
      players: 4,
      endpoints: ["http://198.51.100.4:40123", "http://192.168.1.5:7777"],
    });
  });

  test("a player who is still there is told of a change", async () => {
    const registration = host();
    const { code } = await registration.open();
    const room = await new ColyseusSDK(lobby).join("rendezvous", { invite: code });
    const changed = new Promise((resolve) => {
      room.onMessage("*", (_type, message: { endpoints?: string[] }) => {
        if (message.endpoints?.[0] === "http://198.51.100.4:1") resolve(message);
      });
    });
    registration.update({ endpoints: ["http://198.51.100.4:1"] });
    await changed;
    room.connection.close();
  });

  test("a host that closes is gone at once", async () => {
    const registration = host();
    const { code } = await registration.open();
    await registration.close();
    await untilListed((text) => text === "[]");
    await expect(resolveInvite(code, { lobby })).rejects.toMatchObject({ code: "unknown-invite" });
  });
});

describe("a host that comes back", () => {
  test("has the same invite after its connection broke, and meanwhile its endpoints are still known", async () => {
    const registration = host({ retryMs: [300, 300] });
    const { code } = await registration.open();
    const lost = once(registration, "lost");
    local.breakConnections();
    await lost;
    await untilListed((text) => text.includes('"online":false'));
    expect(await resolveInvite(code, { lobby })).toMatchObject({ online: false, name: "Arena" });
    const [again] = (await once(registration, "registered")) as [Invite];
    expect(again.code).toBe(code);
    await untilListed((text) => text.includes('"online":true'));
  });

  test("notices that a connection has died without a word, and comes back under the same invite", async () => {
    const registration = host({ retryMs: [10, 50], heartbeatMs: 50 });
    const { code } = await registration.open();
    const lost = once(registration, "lost");
    const registered = once(registration, "registered");
    local.freezeConnections();
    expect((await lost)[0]).toMatchObject({ code: "unreachable", message: "The lobby no longer answers." });
    expect((await registered)[0]).toMatchObject({ code });
  });

  test("has the same invite from another process by its secret, and the older one is told and stays away", async () => {
    const first = host();
    const { code } = await first.open();
    const failed = once(first, "failed");
    const second = host({ secret: first.secret, name: "Second" });
    expect((await second.open()).code).toBe(code);
    expect((await failed)[0]).toMatchObject({ code: "refused", message: expect.stringContaining("taken over") });
    expect((await resolveInvite(code, { lobby })).name).toBe("Second");
  });

  test("brings changes along that were made while it was away", async () => {
    const registration = host({ retryMs: [200, 200] });
    const { code } = await registration.open();
    const lost = once(registration, "lost");
    local.breakConnections();
    await lost;
    registration.update({ players: 7 });
    await once(registration, "registered");
    expect(await resolveInvite(code, { lobby })).toMatchObject({ players: 7, online: true });
  });

  test("is forgotten when it stays away too long", async () => {
    RendezvousRoom.limits.holdMs = 50;
    const registration = host({ retryMs: [60_000, 60_000] });
    const { code } = await registration.open();
    local.breakConnections();
    await untilListed((text) => text === "[]");
    RendezvousRoom.limits.holdMs = 60_000;
    await expect(resolveInvite(code, { lobby })).rejects.toMatchObject({ code: "unknown-invite" });
  });
});

describe("an invite that is taken back", () => {
  test("leads nowhere at once, and the next one leads to the game", async () => {
    const registration = host();
    const lost: unknown[] = [];
    registration.on("lost", (error) => lost.push(error));
    const old = await registration.open();
    const { secret } = registration;
    const told = once(registration, "registered");
    const next = await registration.newInvite();
    expect((await told)[0]).toEqual(next);
    expect(registration.invite).toEqual(next);
    expect([next.code, next.url]).not.toEqual([old.code, old.url]);
    await expect(resolveInvite(old.code, { lobby })).rejects.toMatchObject({ code: "unknown-invite" });
    expect(await resolveInvite(next.code, { lobby })).toMatchObject({ name: "Arena", online: true });
    expect(JSON.parse(await untilListed((text) => text !== "[]"))).toHaveLength(1);
    expect(lost).toEqual([]);
    // Who has kept the old secret gets the old invite, and that is another game.
    expect(registration.secret).not.toBe(secret);
  });

  test("throws out who is asking by it", async () => {
    const registration = host();
    const { code } = await registration.open();
    const room = await new ColyseusSDK(lobby).join("rendezvous", { invite: code });
    room.reconnection.enabled = false;
    room.onMessage("*", () => undefined);
    const left = new Promise<number>((resolve) => room.onLeave((reason) => resolve(reason)));
    await registration.newInvite();
    expect(await left).toBe(4312);
  });

  test("while the lobby is away: only the next one comes back with it", async () => {
    const registration = host({ retryMs: [60_000, 60_000] });
    const old = await registration.open();
    const lost = once(registration, "lost");
    local.breakConnections();
    await lost;
    // It does not wait for the minute.
    const next = await registration.newInvite();
    expect(next.code).not.toBe(old.code);
    expect(await resolveInvite(next.code, { lobby })).toMatchObject({ online: true });
    // The lobby has kept a place for the old one, which is given back.
    await until(() =>
      resolveInvite(old.code, { lobby }).then(
        () => false,
        ({ code }: RendezvousError) => code === "unknown-invite",
      ),
    );
    await untilListed((listing) => (JSON.parse(listing) as unknown[]).length === 1);
  });

  test("several times at once, at any moment: all get the last one", async () => {
    const registration = host();
    const opening = registration.open();
    const asked = [registration.newInvite(), registration.newInvite()];
    await new Promise((resolve) => setImmediate(resolve));
    asked.push(registration.newInvite());
    const codes = new Set((await Promise.all([opening, ...asked])).map(({ code }) => code));
    expect(codes).toEqual(new Set([registration.invite?.code]));
    expect(JSON.parse(await untilListed((text) => text !== "[]"))).toHaveLength(1);
    await registration.close();
    await expect(registration.newInvite()).rejects.toMatchObject({ code: "aborted" });
  });
});

describe("strangers", () => {
  test("a wrong code, no code, no lobby", async () => {
    await host().open();
    await expect(resolveInvite("2222-2222", { lobby })).rejects.toMatchObject({ code: "unknown-invite" });
    await expect(resolveInvite("2222-222", { lobby })).rejects.toMatchObject({ code: "invalid-invite" });
    await expect(resolveInvite("2222-2222")).rejects.toMatchObject({ code: "no-lobby" });
    await expect(resolveInvite("2222-2222", { lobby: "http://127.0.0.1:1" })).rejects.toMatchObject({
      code: "unreachable",
    });
    const noLobby = resolveInvite("2222-2222", { lobby, roomName: "nothing" });
    const refused = { code: "refused", message: expect.stringContaining("no lobby") };
    await expect(noLobby).rejects.toMatchObject(refused);
    await expect(host({ roomName: "nothing" }).open()).rejects.toMatchObject(refused);
  });

  test("get no game by leaving the invite out, by its shape, or by the room's id", async () => {
    await host().open();
    const sdk = new ColyseusSDK(lobby);
    const [listing] = await RendezvousRoom.list();
    for (const invite of [undefined, null, "", 7, {}, [], { $ne: "" }, "2222-2222".repeat(500)]) {
      expect((await refusal(sdk.join("rendezvous", { invite }))).code).toBe(400);
      expect((await refusal(sdk.joinById(listing?.id ?? "", { invite }))).code).toBe(400);
    }
    expect((await refusal(sdk.joinById(listing?.id ?? "", { invite: "2222-2222" }))).code).toBe(403);
  });

  test("do not become hosts of somebody's invite, nor of one that is not theirs to have", async () => {
    const first = host();
    const { code } = await first.open();
    const sdk = new ColyseusSDK(lobby);
    const { proof, key: keys } = await hostIdentityOf(createHostSecret());
    const key = toBase64Url(keys.publicKey);
    const details = { name: "Impostor" };
    const taken = { role: "host", invite: code, details, key };
    for (const theirs of [proof, "", undefined, 7, { length: 43 }]) {
      expect((await refusal(sdk.joinOrCreate("rendezvous", { ...taken, proof: theirs }))).code).toBe(403);
    }
    expect((await refusal(sdk.create("rendezvous", { ...taken, proof }))).code).toBe(403);
    // Nor does anybody open a second game under an invite that is live, not even its own host.
    const own = await hostIdentityOf(first.secret);
    const ownOptions = { role: "host", invite: code, details, proof: own.proof, key: toBase64Url(own.key.publicKey) };
    expect((await refusal(sdk.create("rendezvous", ownOptions))).code).toBe(403);
    const free = { role: "host", invite: "2222-2222", details, key };
    expect((await refusal(sdk.joinOrCreate("rendezvous", { ...free, proof }))).code).toBe(403);
    expect((await refusal(sdk.joinOrCreate("rendezvous", { invite: "2222-2222" }))).code).toBe(400);
    expect(await RendezvousRoom.list()).toHaveLength(1);
    expect((await resolveInvite(code, { lobby })).name).toBe("Arena");
  });

  test("a player's update changes nothing, and unknown messages or nonsense end only his own connection", async () => {
    const { code } = await host().open();
    const intruder = await new ColyseusSDK(lobby).join("rendezvous", { invite: code });
    intruder.reconnection.enabled = false;
    intruder.onMessage("*", () => undefined);
    const left = new Promise<number>((resolve) => intruder.onLeave((reason) => resolve(reason)));
    intruder.send("update", { name: "Defaced", endpoints: ["http://198.51.100.66:1"] });
    intruder.send("nonsense", { a: 1 });
    await left;
    expect(await resolveInvite(code, { lobby })).toMatchObject({
      name: "Arena",
      endpoints: ["http://203.0.113.7:7777"],
    });
  });

  test("bytes that are no Colyseus frame do not hurt the lobby", async () => {
    const { code } = await host().open();
    for (const bytes of [[], [255], [13], [13, 0xa6], [13, 0xa6, 117, 112, 100, 97, 116, 101, 0xdf, 255], [21, 255]]) {
      const intruder = await new ColyseusSDK(lobby).join("rendezvous", { invite: code });
      intruder.reconnection.enabled = false;
      intruder.onMessage("*", () => undefined);
      intruder.onError(() => undefined);
      intruder.connection.send(Uint8Array.from(bytes));
      intruder.connection.close();
    }
    expect((await resolveInvite(code, { lobby })).name).toBe("Arena");
  });

  test("a host whose details are malformed is told what is wrong", async () => {
    expect(() => host({ name: "" })).toThrow(RendezvousError);
    const { code: invite, proof, key } = await hostIdentityOf(createHostSecret());
    const details = { name: "A", endpoints: ["ftp://x"] };
    const hostile = { role: "host", proof, key: toBase64Url(key.publicKey), invite, details };
    const { code, message } = await refusal(new ColyseusSDK(lobby).joinOrCreate("rendezvous", hostile));
    expect({ code, message }).toEqual({ code: 400, message: expect.stringContaining("http://") });
  });

  test("one address hosts only so many games", async () => {
    for (let i = 0; i < 3; i++) await host({ name: `Game ${i}` }).open();
    const fourth = host({ name: "Game 4" });
    const opening = fourth.open().catch(() => undefined);
    const [error] = (await once(fourth, "lost")) as [RendezvousError];
    await fourth.close();
    await opening;
    expect(error).toMatchObject({ code: "rate-limited", message: expect.stringContaining("Too many games") });
    expect(await RendezvousRoom.list()).toHaveLength(3);
  });
});

describe("patience", () => {
  test("a lobby that takes the connection and says nothing is given up, and can be aborted", async () => {
    const silent = createServer(() => undefined);
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    await expect(resolveInvite("2222-2222", { lobby: url, timeoutMs: 50 })).rejects.toMatchObject({
      code: "unreachable",
    });
    const caller = new AbortController();
    const asking = resolveInvite("2222-2222", { lobby: url, signal: caller.signal });
    caller.abort();
    await expect(asking).rejects.toMatchObject({ code: "aborted" });
    const registration = host({ lobby: url });
    const opening = expect(registration.open()).rejects.toMatchObject({ code: "aborted" });
    await registration.close();
    await opening;
    silent.closeAllConnections();
    silent.close();
  });

  test("a lobby that is not there yet is tried until it is", async () => {
    const late = createServer((_request, response) => response.writeHead(502).end());
    late.listen(0, "127.0.0.1");
    await once(late, "listening");
    const registration = host({ lobby: `http://127.0.0.1:${(late.address() as AddressInfo).port}` });
    const opening = registration.open();
    await once(registration, "lost");
    await once(registration, "lost");
    late.removeAllListeners("request");
    late.on("request", (request, response) => local.http.emit("request", request, response));
    late.on("upgrade", (request, socket, head) => local.http.emit("upgrade", request, socket, head));
    expect((await opening).code).toMatch(/-/);
    await registration.close();
    late.closeAllConnections();
    late.close();
  });
});
