import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { RoomPath } from "../../../../sdk/src/colyseus/client/path.ts";
import { RoomTransport } from "../../../../sdk/src/colyseus/client/transport.ts";
import { udpWay } from "../../../../sdk/src/colyseus/client/udp-attempt.ts";
import type { Endpoint } from "../../../../sdk/src/net/endpoint.ts";
import { FakeSession } from "../server/fake-session.ts";

let server: Server;
let url: string;
let session: FakeSession;
let peer: FakeSession;
let transport: RoomTransport;
let remote: Endpoint;
let paths: RoomPath[];
let got: number[][];
let closed: Promise<{ code: number; reason: string }>;

beforeEach(async () => {
  server = createServer((_request, response) => {
    const endpoints = [{ kind: "relayed", address: "192.0.2.9", port: 9 }];
    response.end(JSON.stringify({ protocol: 2, token: randomBytes(8).toString("base64"), endpoints }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/process/room?sessionId=s`;
  remote = { address: "127.0.0.1", port: 1 };
  paths = [];
  got = [];
  transport = new RoomTransport(
    { onmessage: ({ data }: { data: Uint8Array }) => got.push([...data]) },
    {
      way: udpWay({
        timeoutMs: 5000,
        connectSession: async () => {
          session = new FakeSession(0n, new Uint8Array(0));
          peer = new FakeSession(1n, new Uint8Array(0));
          session.remote = remote;
          session.peer = peer;
          peer.peer = session;
          return session;
        },
      }),
      onProgress: () => {},
      onPathChange: () => paths.push(transport.path),
    },
  );
  closed = new Promise((resolve) => {
    Object.assign(transport.events, { onclose: resolve });
  });
});
afterEach(() => server.close().closeAllConnections());

const open = () =>
  new Promise((resolve) => {
    Object.assign(transport.events, { onopen: resolve });
    transport.connect(url);
  });
const tick = () => new Promise((resolve) => setImmediate(resolve));

test("a server of another version: WebSocket, or an error, and why", async () => {
  const sentence = "UDP: This game's server speaks Sallyport protocol 1, this client 2: update the server";
  server.removeAllListeners("request");
  server.on(
    "request",
    (_request, response) => void response.end(JSON.stringify({ protocol: 1, token: "", endpoints: [] })),
  );
  // A WebSocket (RFC 6455 section 1.3) that says nothing.
  const upgrade = (request: IncomingMessage, socket: Duplex): void => {
    const key = `${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => undefined);
  };
  server.on("upgrade", upgrade);
  await open();
  expect(transport.path).toMatchObject({ kind: "websocket", reason: `${sentence}; playing over WebSocket meanwhile` });
  transport.close();

  // No WebSocket either: then nobody plays over it.
  server.off("upgrade", upgrade);
  const failed = new Promise<{ reason?: string }>((resolve) => {
    Object.assign(transport.events, { onerror: resolve });
  });
  transport.connect(url);
  const { reason } = await failed;
  expect(reason).toMatch(/^WebSocket: /);
  expect(reason?.endsWith(`; ${sentence}`)).toBe(true);
});

test("is open from the session's opening to its end", async () => {
  expect([transport.isOpen, transport.path.kind]).toEqual([false, "none"]);
  await open();
  expect([transport.isOpen, transport.path.kind]).toEqual([true, "direct"]);
  peer.close(4002, "why");
  expect(await closed).toEqual({ code: 4002, reason: "why" });
  expect(transport.isOpen).toBe(false);
});

test("passes frames both ways", async () => {
  await open();
  transport.send(new Uint8Array([13, 1]));
  transport.sendUnreliable(new Uint8Array([13, 2]));
  expect(session.sent.map(({ data, mode }) => [data[1], mode])).toEqual([
    [1, "reliable"],
    [2, "unreliable"],
  ]);
  peer.send(new Uint8Array([13, 3]), "reliable");
  peer.send(new Uint8Array([13, 4]), "unreliable");
  await tick();
  expect(got).toEqual([
    [13, 3],
    [13, 4],
  ]);
});

test("drops unreliable patches that overtook the full state, at each connection anew", async () => {
  for (let i = 0; i < 2; i++) {
    got.length = 0;
    await open();
    peer.send(new Uint8Array([0x4f, 1, 0]), "unreliable");
    peer.send(new Uint8Array([10]), "reliable");
    peer.send(new Uint8Array([14]), "reliable");
    peer.send(new Uint8Array([0x4f, 2, 0]), "unreliable");
    await tick();
    expect(got.map(([first]) => first)).toEqual([10, 14, 0x4f]);
  }
});

test("begins anew rather than leave a reliable message out", async () => {
  await open();
  session.hasRoom = false;
  transport.send(new Uint8Array([13]));
  expect((await closed).code).toBe(4010);
});

test("knows a relay by its address", async () => {
  await open();
  remote = { address: "192.0.2.9", port: 9 };
  await open();
  expect(paths.map(({ kind, remote: end }) => `${kind} ${end}`)).toEqual(["direct 127.0.0.1:1", "relayed 192.0.2.9:9"]);
});

describe("close()", () => {
  test("while it is open", async () => {
    await open();
    transport.close(4000, "bye");
    expect(await closed).toEqual({ code: 4000, reason: "bye" });
  });

  test("without a code ends as a WebSocket's does", async () => {
    await open();
    transport.close();
    expect((await closed).code).toBe(1005);
  });

  test("while it connects", async () => {
    transport.connect(url);
    transport.close(4010);
    expect((await closed).code).toBe(4010);
    await tick();
    expect(transport.isOpen).toBe(false);
  });
});

test("keeps the last sixteen paths", async () => {
  for (let i = 0; i < 20; i++) await open();
  expect(transport.path.history.length).toBe(16);
  expect(paths.length).toBe(20);
});

describe("a tool that looks for a WebSocket behind the room", () => {
  /** As load testers do: it listens, and puts a `send` of its own in place. */
  interface Socket extends EventTarget {
    readyState: number;
    binaryType: string;
    send: (data: Uint8Array) => void;
    close: (code?: number) => void;
  }
  const socketOf = (room: RoomTransport): Socket => room.ws;

  test("hears each frame, and counts what is sent, over UDP", async () => {
    await open();
    const socket = socketOf(transport);
    expect([socket.readyState, socket.binaryType]).toEqual([WebSocket.OPEN, "arraybuffer"]);
    let heard = 0;
    socket.addEventListener("message", (event) => {
      heard += new Uint8Array((event as MessageEvent<ArrayBuffer>).data).length;
    });
    let counted = 0;
    const { send } = socket;
    socket.send = function (data) {
      counted += data.byteLength;
      send.call(socket, data);
    };
    transport.send(Uint8Array.of(1, 2, 3));
    peer.send(Uint8Array.of(4, 5), "reliable");
    // A batch of two frames, of one byte and of three.
    peer.send(Uint8Array.of(0xff, 1, 14, 3, 15, 0, 0), "reliable");
    await tick();
    expect({ counted, heard, sent: session.sent.map(({ data }) => [...data]) }).toEqual({
      counted: 3,
      heard: 6,
      sent: [[1, 2, 3]],
    });
    // The same one, for as long as the room lives.
    expect(socketOf(transport)).toBe(socket);
    session.close();
    expect(socket.readyState).toBe(WebSocket.CLOSED);
  });

  test("closes the room by it", async () => {
    await open();
    socketOf(transport).close(4000);
    expect((await closed).code).toBe(4000);
  });

  test("costs nothing where nobody looks", async () => {
    await open();
    transport.send(Uint8Array.of(1));
    peer.send(Uint8Array.of(2), "reliable");
    await tick();
    expect([session.sent.length, got]).toEqual([1, [[2]]]);
  });
});
