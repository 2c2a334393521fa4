/** Ports of one program, shared and joined in one process, by a lobby on this machine: what the lab need not show. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join as joinPath } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { RendezvousRoom } from "../../sdk/src/colyseus/lobby/room.ts";
import { type Join, type JoinOptions, join, type Share, type ShareOptions, share } from "../../sdk/src/doors/tunnel.ts";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { InviteTunnel } from "../../sdk/src/rendezvous/guest/invite-tunnel.ts";
import type { Session } from "../../sdk/src/session/types.ts";
import { encodeRequest, parseOffer, TUNNEL_PATH } from "../../sdk/src/tunnel/wire/offer.ts";
import { TunnelWriter } from "../../sdk/src/tunnel/wire/protocol.ts";
import { until } from "../until.ts";
import { startLobby, type TestLobby } from "./rendezvous-lobby.ts";

let lobby: TestLobby;
let folder: string;
/** A game's server: echoes datagrams and connections, each under the number `port`. */
let port: number;
let udp: UDPSocket;
let tcp: Server;
let atProgram: Set<Socket>;
/** From where the program was reached. */
let sources: string[];
const closing: AsyncDisposable[] = [];

beforeAll(async () => {
  Object.assign(RendezvousRoom.limits, { burst: 10_000, gamesPerAddress: 100 });
  lobby = await startLobby();
  folder = await mkdtemp(joinPath(tmpdir(), "sallyport-tunnel-"));
});

afterAll(async () => {
  await lobby[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

beforeEach(async () => {
  sources = [];
  atProgram = new Set();
  tcp = createServer((socket) => {
    atProgram.add(socket);
    sources.push(socket.remoteAddress ?? "");
    socket.on("error", () => undefined);
    socket.on("close", () => atProgram.delete(socket));
    socket.pipe(socket);
  });
  await once(tcp.listen(0, "127.0.0.1"), "listening");
  ({ port } = tcp.address() as AddressInfo);
  udp = UDPSocket.open({ address: "127.0.0.1", port });
  udp.onDatagram = (data, address, from) => {
    sources.push(address);
    udp.send(data, from, address);
  };
});

afterEach(async () => {
  for (const each of closing.splice(0).toReversed()) await each[Symbol.asyncDispose]();
  for (const socket of atProgram) socket.destroy();
  tcp.close();
  await udp.close();
});

async function hosting(options: Partial<ShareOptions> = {}): Promise<{ shared: Share; url: string }> {
  const shared = await share({
    ports: [port],
    lobby: lobby.url,
    connectivity: { via: [], signals: false },
    ...options,
  });
  closing.push(shared);
  const [{ url }] = (await once(shared, "invite")) as [{ url: string }];
  return { shared, url };
}

async function joining(url: string, options: JoinOptions = {}): Promise<Join> {
  const joined = await join(url, options);
  closing.push(joined);
  return joined;
}

interface Place {
  host: string;
  port: number;
}

/** Where the guest's port is: the program has its own number at 127.0.0.1. */
const placeOf = ({ ports: [first] }: Join): Place => ({ host: first?.address ?? "", port: first?.port ?? 0 });

async function ask(local: Place, text: string): Promise<string> {
  const socket = UDPSocket.open({ address: "127.0.0.1" });
  const answer = new Promise<string>((resolve) => {
    socket.onDatagram = (data) => resolve(data.toString());
  });
  socket.send(Buffer.from(text), local.port, local.host);
  try {
    return await answer;
  } finally {
    await socket.close();
  }
}

/** Sends all through the echo, and gives the hash of what came back. */
async function echo(local: Place, data: Buffer): Promise<string> {
  const socket = connect(local);
  const hash = createHash("sha256");
  socket.on("data", (chunk: Buffer) => hash.update(chunk));
  socket.end(data);
  await once(socket, "end");
  return hash.digest("hex");
}

const hashOf = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

test("both protocols under one number, which is another where the program has its own; each guest an address of its own", async () => {
  const { shared, url } = await hosting({ name: "Ann's \u001b[31mgame" });
  const seen = once(shared, "joined");
  const [first, second] = [await joining(url), await joining(url)];
  expect(await seen).toEqual([{ guest: 1, path: "direct", address: expect.any(String), remote: expect.any(String) }]);
  expect(first.name).toBe("Ann's  [31mgame");
  for (const { ports } of [first, second]) {
    expect(ports.map(({ protocol, remotePort }) => ({ protocol, remotePort }))).toEqual([
      { protocol: "udp", remotePort: port },
      { protocol: "tcp", remotePort: port },
    ]);
    expect(ports[0]?.port).toBe(ports[1]?.port);
  }
  expect(placeOf(first)).toEqual({ host: "127.0.0.2", port });
  expect(placeOf(second)).toEqual({ host: "127.0.0.1", port: expect.any(Number) });
  expect(placeOf(second).port).not.toBe(port);
  const data = randomBytes(4 << 20);
  for (const each of [first, second]) {
    expect(await ask(placeOf(each), "hello")).toBe("hello");
    expect(await echo(placeOf(each), data)).toBe(hashOf(data));
  }
  expect(new Set(sources).size).toBe(2);
  for (const source of sources) expect(source).toMatch(/^127\.[1-9]/);
  expect(shared.guests.map(({ guest, path, flows }) => ({ guest, path, flows }))).toEqual([
    { guest: 1, path: "direct", flows: 1 },
    { guest: 2, path: "direct", flows: 1 },
  ]);
  expect(first.status).toMatchObject({ path: "direct", flows: 1, streams: 0 });
});

test("1000 connections one after another, with 300 bytes each: nothing is left", async () => {
  const { shared, url } = await hosting();
  const joined = await joining(url);
  for (let n = 0; n < 1000; n++) {
    const data = Buffer.alloc(300, n);
    expect(await echo(placeOf(joined), data)).toBe(hashOf(data));
  }
  await until(() => (shared.guests[0]?.streams ?? 1) + joined.status.streams + atProgram.size === 0);
});

test("a program that is started later: the connection is reset, the host is told, and the next one is taken", async () => {
  const { shared, url } = await hosting();
  const joined = await joining(url);
  tcp.close();
  const refused = once(shared, "refused");
  const early = connect(placeOf(joined));
  expect(((await once(early, "error")) as [NodeJS.ErrnoException])[0].code).toBe("ECONNRESET");
  expect(await refused).toEqual([port]);
  await once(tcp.listen(port, "127.0.0.1"), "listening");
  expect(await echo(placeOf(joined), Buffer.from("late"))).toBe(hashOf(Buffer.from("late")));
});

test("the PROXY protocol tells the program who is there", async () => {
  const { url } = await hosting({ proxyProtocol: true, ports: [`${port}/tcp`] });
  const joined = await joining(url);
  const socket = connect(placeOf(joined));
  const [header] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  expect(header.subarray(0, 12).toString("latin1")).toBe("\r\n\r\n\0\r\nQUIT\n");
  expect(header[12]).toBe(0x21);
});

test("a full host says so; a signal ends a guest, and the host is told", async () => {
  const { shared, url } = await hosting({ maxGuests: 1 });
  const abort = new AbortController();
  const first = await joining(url, { signal: abort.signal });
  await expect(join(url)).rejects.toThrow("as many guests as it takes");
  const left = once(shared, "left");
  abort.abort();
  await once(first, "closed");
  expect(await left).toEqual([{ guest: 1, path: "direct", address: expect.any(String), remote: expect.any(String) }]);
  await joining(url);
});

test("a host that starts again has the same invite, and its guests come back with the same ports", async () => {
  const secretFile = joinPath(folder, "secret");
  const { shared, url } = await hosting({ secretFile });
  const [began, timeoutMs] = [performance.now(), 4000];
  const joined = await joining(url, { timeoutMs });
  const before = placeOf(joined);
  const open = connect(before);
  await once(open, "connect");
  open.write("x");
  await once(open, "data");
  const reset = once(open, "error") as Promise<[NodeJS.ErrnoException]>;
  const lost = once(joined, "lost");
  await shared.close();
  // It would wait for ever.
  expect((await reset)[0].code).toBe("ECONNRESET");
  await lost;
  // The time for the first connection says nothing of later ones.
  await until(() => performance.now() - began > timeoutMs);
  const back = once(joined, "connected");
  const again = await hosting({ secretFile });
  expect(again.url).toBe(url);
  await back;
  expect(placeOf(joined)).toEqual(before);
  expect(await ask(before, "again")).toBe("again");
});

test("an invite that leads nowhere, one of another kind, and options out of range are said in words", async () => {
  await expect(join("K7Q2-9FXM", { lobby: lobby.url })).rejects.toMatchObject({ code: "unknown-invite" });
  await expect(join("nonsense")).rejects.toMatchObject({ code: "invalid-invite" });
  await expect(share({ ports: [] })).rejects.toThrow(RangeError);
  await expect(share({ ports: [7777], maxGuests: 0 })).rejects.toThrow("maxGuests");
  await expect(share({ ports: [7777], address: "localhost" })).rejects.toThrow("address");
  await expect(share({ ports: [7777], signal: AbortSignal.abort(new Error("no")) })).rejects.toThrow("no");
});

/** A guest that says what it likes. */
async function hostile(url: string): Promise<Session> {
  const { tunnel } = await InviteTunnel.open(url, {});
  closing.push({ [Symbol.asyncDispose]: async () => tunnel.close() });
  const body = encodeRequest("h".repeat(22));
  const response = await tunnel.fetch(`http://host${TUNNEL_PATH}`, { method: "POST", body });
  const offer = parseOffer(await response.text());
  if (offer === undefined) throw new Error("no offer");
  return await tunnel.connectSession(offer.token, {});
}

test("a hostile guest reaches no port that is not shared, and loses its session for nonsense; nobody else notices", async () => {
  const { shared, url } = await hosting({ ports: [`${port}/udp`] });
  const friend = await joining(url);
  const writer = new TunnelWriter();
  const stranger = await hostile(url);
  const reset = new Promise<number>((resolve) => {
    stranger.onMessage = (data) => resolve(data[0] ?? 0);
  });
  // The TCP port of the same number is not shared, nor is any other place in the list.
  for (let place = 0; place < 256; place++) {
    stranger.send(writer.open(place + 1, place), "reliable", { channel: 1 });
    const datagram = place === 0 ? undefined : writer.datagram(place, 7, Buffer.from("x"));
    if (datagram) stranger.send(datagram, "unreliable");
  }
  expect(await reset).toBe(4);
  expect(await ask(placeOf(friend), "hello")).toBe("hello");
  expect(sources).toHaveLength(1);
  expect(atProgram.size).toBe(0);
  const other = await (await InviteTunnel.open(url, {})).tunnel.fetch("http://host/matchmake/x", { method: "POST" });
  expect(other.status).toBe(404);
  const ended = new Promise((resolve) => {
    stranger.onClose = (...why) => resolve(why);
  });
  stranger.send(Buffer.from("nonsense"), "reliable", { channel: 9 });
  expect(await ended).toEqual(["remote", 1002, "That is no message of a tunnel."]);
  await until(() => shared.guests.length === 1);
  expect(await ask(placeOf(friend), "still here")).toBe("still here");
});
