// Every limit at every door: what fits gets through, what does not is told in the same words.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { logger } from "@colyseus/core";
import { Encoder } from "@colyseus/schema";
import { RTCPeerConnection } from "node-datachannel/polyfill";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SallyportBrowserClient } from "../../../sdk/src/colyseus/browser/client.ts";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import type { SallyportTransportOptions } from "../../../sdk/src/colyseus/server/transport-options.ts";
import type { ClientLimits } from "../../../sdk/src/colyseus/wire/traffic-limits.ts";
import { until } from "../../until.ts";
import { freePort, RunningProgram } from "../lobby-programs.ts";
import { next, startServer, type TestServer } from "./harness.ts";
import type { ArenaState } from "./rooms.ts";

const MIB = 2 ** 20;

interface Door {
  name: string;
  server: SallyportTransportOptions;
  client(server: TestServer, limits?: ClientLimits): Promise<SallyportClient | SallyportBrowserClient>;
  /** By which a player is told, although more waits than the system takes. */
  tellsAlways: boolean;
}

let lobby: RunningProgram;
const withLimits = (limits: ClientLimits | undefined) => (limits ? { limits } : {});
const UDP: Door = {
  name: "UDP",
  server: {},
  client: async (server, limits) => server.client(withLimits(limits)),
  tellsAlways: true,
};
const DOORS: Door[] = [
  UDP,
  {
    name: "UDP, introduced by a lobby",
    server: { connectivity: { via: [], stunServers: [] } },
    async client({ transport }, limits) {
      const { registration } = transport;
      const invite = await until(() => registration?.invite?.url, { what: "an invite" });
      return await SallyportClient.fromInvite(invite.replace("localhost", "127.0.0.1"), {
        lan: false,
        ...withLimits(limits),
      });
    },
    tellsAlways: true,
  },
  {
    name: "WebRTC",
    server: { webrtc: true },
    client: async ({ url }, limits) => new SallyportBrowserClient(url, withLimits(limits)),
    tellsAlways: true,
  },
  {
    name: "WebSocket",
    server: {},
    client: async (server) => server.client({ udp: false }),
    tellsAlways: false,
  },
];

beforeAll(async () => {
  // A browser's, on the library that the server uses too; what holds in Chromium is shown in webrtc-chromium.test.ts.
  Object.assign(globalThis, { RTCPeerConnection, addEventListener: () => {}, removeEventListener: () => {} });
  const PORT = String(await freePort());
  lobby = new RunningProgram("lobby.ts", [], { PORT });
  await lobby.line(/Lobby at/);
  for (const door of DOORS) if (door.name.includes("lobby")) door.server.lobby = `http://127.0.0.1:${PORT}`;
});
afterAll(() => lobby[Symbol.asyncDispose]());

type Arena = Awaited<ReturnType<typeof join>>;

async function join(server: TestServer, door: Door, options: object = {}, limits?: ClientLimits) {
  const client = await door.client(server, limits);
  const room = await client.create<ArenaState>("arena", options);
  room.reconnection.enabled = false;
  room.onMessage("*", () => {});
  expect(room.path.kind).toBe(door.name === "WebSocket" ? "websocket" : "direct");
  return room;
}

interface Closed {
  code: number;
}

/** How connections ended, as the server sees it. */
const closed: Closed[] = [];
const onClosed = (message: unknown): void => void closed.push(message as Closed);
beforeAll(() => subscribe("sallyport:player:closed", onClosed));
afterAll(() => void unsubscribe("sallyport:player:closed", onClosed));

const left = (room: Arena): Promise<[code: number, reason?: string]> => next((listener) => room.onLeave(listener));

describe.each(DOORS)("$name", { timeout: 120_000 }, (door) => {
  // 60 MB get through in the same way, and take 20 s over UDP.
  test("messages of 20 MB get through both ways, where maxPayload allows them", async () => {
    await using server = await startServer({ maxPayload: 64 * MIB, ...door.server });
    const room = await join(server, door);
    const sent = Buffer.alloc(20e6, "20 MB ");
    const back = next<[Uint8Array]>((listener) => room.onMessage("bytes", listener));
    room.sendBytes("bytes", sent);
    expect(Buffer.compare((await back)[0], sent)).toBe(0);
    expect(await room.request("double", 21)).toBe(42);
    await room.leave();
  });

  test("a first state of 9 MB, and 20 000 messages of 700 bytes at once, whatever maxPayload is", async () => {
    await using server = await startServer(door.server);
    Encoder.BUFFER_SIZE = 16 * MIB;
    const room = await join(server, door, { blob: 9 * 1024 });
    await until(() => room.state.blob?.length === 9 * 1024);
    let heard = 0;
    room.onMessage("piece", (text: string) => {
      heard += text.length;
    });
    room.send("pieces", { count: 20_000, bytes: 700 });
    await until(() => heard === 20_000 * 700);
    await room.leave();
  });

  test("a message above maxPayload ends the connection with 1009", async () => {
    await using server = await startServer({ maxPayload: 1000, ...door.server });
    const room = await join(server, door);
    const bystander = await join(server, door);
    const end = left(room);
    room.sendBytes("bytes", new Uint8Array(5000));
    expect((await end)[0]).toBe(1009);
    expect(await bystander.request("double", 1)).toBe(2);
  });

  test("a player for whom more would wait than may is told so, and nobody else suffers", async () => {
    await using server = await startServer({ limits: { queuedBytes: 100_000 }, ...door.server });
    const room = await join(server, door);
    const bystander = await join(server, door);
    closed.length = 0;
    const end = left(room);
    room.send("pieces", { count: 1, bytes: 200_000 });
    const [code, reason] = await end;
    const words = /^\d+ bytes wait to be sent, and 200\d+ more find no room in 100000 \(limits\.queuedBytes\)\.$/;
    expect([code, reason]).toEqual([4010, expect.stringMatching(words)]);
    await until(() => closed.length > 0);
    expect(closed.map((each) => each.code)).toEqual([4010]);
    expect(await bystander.request("double", 1)).toBe(2);
  });

  test("a player who holds most of the server's memory is told so, and nobody else suffers", async () => {
    const limits = { heldBytes: MIB, queuedBytes: 64 * MIB };
    await using server = await startServer({ limits, ...door.server });
    const room = await join(server, door);
    const bystander = await join(server, door);
    closed.length = 0;
    const complaints: string[] = [];
    logger.warn = (text: unknown) => void complaints.push(String(text));
    const end = left(room);
    // Several times what the system takes of a connection at once.
    room.send("pieces", { count: 1, bytes: 40 * MIB });
    const [code, reason] = await end;
    await until(() => closed.length > 0);
    // A WebSocket tells nothing before what waits: the log has the words.
    const heard = door.tellsAlways ? reason : complaints.at(-1);
    expect(heard).toMatch(
      /^The 1 MiB for messages that wait were full, and this session held \d\d.* of them \(limits\.heldBytes\)\.$/,
    );
    expect(code).toBe(door.tellsAlways ? 4010 : 1006);
    expect(closed.map((each) => each.code)).toEqual([code]);
    expect(await bystander.request("double", 1)).toBe(2);
  });

  test.runIf(door.tellsAlways)("a client does not take whatever a server sends", async () => {
    await using server = await startServer(door.server);
    const room = await join(server, door, {}, { maxPayload: 100_000 });
    const end = left(room);
    room.send("pieces", { count: 1, bytes: 200_000 });
    const words = /^The peer sent a message of 200\d+ bytes, 100000 are allowed\.$/;
    expect(await end).toEqual([1009, expect.stringMatching(words)]);
  });
});

test("who finds no place over UDP plays over WebSocket, and the number of places is an option", async () => {
  await using server = await startServer({ limits: { udpSessions: 2 } });
  const kinds = [];
  for (let n = 0; n < 3; n++) {
    kinds.push((await server.client().create("arena")).path.kind);
  }
  expect(kinds).toEqual(["direct", "direct", "websocket"]);
});

test.each([0, 70_000, Number.NaN])("%d is no number of places", async (udpSessions) => {
  await expect(startServer({ limits: { udpSessions } })).rejects.toThrow(/udpSessions|maxClients/);
});
