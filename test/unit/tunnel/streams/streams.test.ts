/** Streams between two programs on loopback; the session between them is a queue. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { TunnelStreams } from "../../../../sdk/src/tunnel/streams/streams.ts";
import { WindowBudget } from "../../../../sdk/src/tunnel/streams/window.ts";
import { FIRST_WINDOW_BYTES, TunnelWriter } from "../../../../sdk/src/tunnel/wire/protocol.ts";
import { until } from "../../../until.ts";

/** One end of a session that loses nothing; what is sent arrives when the other end `reads`. */
class End {
  readonly sent: Buffer[] = [];
  readonly violations: string[] = [];
  readonly windows = new WindowBudget(64 << 20);
  readonly streams: TunnelStreams;
  bufferedBytes = 0;
  peer: End | undefined;
  #held = false;

  constructor(dial?: (port: number) => Promise<Socket> | undefined) {
    const stats = { bufferedBytes: 0 };
    Object.defineProperty(stats, "bufferedBytes", { get: () => this.bufferedBytes });
    const session = {
      stats: stats as never,
      send: (data: Uint8Array) => {
        this.sent.push(Buffer.from(data));
        if (!this.#held) setImmediate(() => this.deliver());
        return true;
      },
    };
    this.streams = new TunnelStreams({
      session,
      writer: new TunnelWriter(),
      windows: this.windows,
      now: () => performance.now(),
      dial,
      onViolation: (reason) => this.violations.push(reason),
    });
  }

  /** What is sent stays. */
  hold(): void {
    this.#held = true;
  }

  deliver(): void {
    for (const message of this.sent.splice(0)) this.peer?.streams.receive(message);
  }
}

let program: Server;
let atProgram: Socket[];
let listener: Server;
let host: End;
let guest: End;

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

beforeEach(async () => {
  atProgram = [];
  program = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => undefined);
    atProgram.push(socket);
  });
  await once(program.listen(0, "127.0.0.1"), "listening");
  const programPort = portOf(program);
  host = new End((port) => {
    if (port !== 0) return undefined;
    const socket = connect({ port: programPort, host: "127.0.0.1", allowHalfOpen: true });
    return once(socket, "connect").then(() => socket);
  });
  guest = new End();
  host.peer = guest;
  guest.peer = host;
  listener = createServer({ allowHalfOpen: true }, (socket) => guest.streams.open(socket, 0));
  await once(listener.listen(0, "127.0.0.1"), "listening");
});

afterEach(() => {
  host.streams.close();
  guest.streams.close();
  for (const socket of atProgram) socket.destroy();
  program.close();
  listener.close();
  expect([host.windows.bytes, guest.windows.bytes]).toEqual([0, 0]);
});

async function dial(): Promise<{ client: Socket; server: Socket }> {
  const before = atProgram.length;
  const client = connect({ port: portOf(listener), host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => undefined);
  await until(() => atProgram.length > before, { timeoutMs: 10_000 });
  const server = atProgram[before];
  if (server === undefined) throw new Error("nobody came");
  return { client, server };
}

/** Iterating a socket would destroy it at the end of one half. */
function readAll(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => socket.on("end", () => resolve(Buffer.concat(chunks))));
}

test("what either program writes, the other reads, and the end of one half is not the end of the other", async () => {
  const { client, server } = await dial();
  client.end("hello");
  expect((await readAll(server)).toString()).toBe("hello");
  server.end("and back");
  expect((await readAll(client)).toString()).toBe("and back");
  await until(() => host.streams.size + guest.streams.size === 0, { timeoutMs: 10_000 });
});

test("8 MB each way arrive whole", async () => {
  const { client, server } = await dial();
  const data = Buffer.alloc(8 << 20);
  for (let n = 0; n < data.length; n += 4) data.writeUInt32LE(n, n);
  client.end(data);
  server.end(data);
  const [back, there] = await Promise.all([readAll(client), readAll(server)]);
  expect(Buffer.compare(back, data)).toBe(0);
  expect(Buffer.compare(there, data)).toBe(0);
});

test("a reset of either program's is one at the other's", async () => {
  for (const which of ["client", "server"] as const) {
    const pair = await dial();
    const other = which === "client" ? pair.server : pair.client;
    const failed = once(other, "error") as Promise<[NodeJS.ErrnoException]>;
    pair[which].resetAndDestroy();
    expect((await failed)[0].code).toBe("ECONNRESET");
  }
  await until(() => host.streams.size + guest.streams.size === 0, { timeoutMs: 10_000 });
});

test("a program that does not read holds its writer up at the window, and nobody else", async () => {
  const slow = await dial();
  const quick = await dial();
  slow.server.pause();
  slow.client.write(Buffer.alloc(64 << 20));
  quick.client.end(Buffer.alloc(1 << 20, 7));
  expect(await readAll(quick.server)).toHaveLength(1 << 20);
  // Held by us; the kernels of both sides hold as much as they like.
  expect(guest.windows.bytes + host.windows.bytes).toBeLessThan(16 << 20);
  expect(slow.client.writableLength).toBeGreaterThan(32 << 20);
});

test("a port that is not shared, or where nobody listens, resets the connection", async () => {
  program.close();
  for (const port of [0, 1, 255]) {
    listener.removeAllListeners("connection");
    listener.on("connection", (socket) => guest.streams.open(socket, port));
    const client = connect({ port: portOf(listener), host: "127.0.0.1" });
    const [error] = (await once(client, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNRESET");
  }
  expect(atProgram).toHaveLength(0);
  await until(() => host.streams.size + guest.streams.size === 0, { timeoutMs: 10_000 });
});

test("a session that holds much makes streams wait, and lets them go on by itself", async () => {
  const { client, server } = await dial();
  guest.bufferedBytes = 64 << 20;
  client.write("later");
  await until(() => client.writableLength === 0, { timeoutMs: 10_000 });
  const heard = once(server, "data");
  guest.bufferedBytes = 0;
  expect(String((await heard)[0])).toBe("later");
});

test("256 streams are open at once, and a hostile side opens no more", async () => {
  const writer = new TunnelWriter();
  for (let id = 1; id <= 300; id++) host.streams.receive(writer.open(id, 0));
  expect(host.streams.size).toBe(256);
  expect(host.violations).toEqual([]);
});

test("more than the window, or a stream opened twice, is a violation", async () => {
  const writer = new TunnelWriter();
  host.streams.receive(writer.open(1, 0));
  host.streams.receive(writer.open(1, 0));
  expect(host.violations).toEqual(["A stream is opened twice."]);
  const piece = new Uint8Array(32_768);
  // Before the program is connected nothing is taken out.
  for (let bytes = 0; bytes <= FIRST_WINDOW_BYTES; bytes += piece.length) host.streams.receive(writer.data(1, piece));
  expect(host.violations).toHaveLength(2);
  host.streams.receive(writer.window(1, 0xffff_ffff));
  expect(host.violations).toHaveLength(3);
  host.streams.receive(Buffer.from([7, 7]));
  expect(host.violations).toHaveLength(4);
});

test("closing resets all connections on this side", async () => {
  const { client, server } = await dial();
  const failed = once(client, "error") as Promise<[NodeJS.ErrnoException]>;
  guest.streams.close();
  expect((await failed)[0].code).toBe("ECONNRESET");
  expect(server.destroyed).toBe(false);
});
