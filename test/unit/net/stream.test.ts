import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { connectStream, type Stream, StreamError } from "../../../sdk/src/net/stream.ts";

const LOOPBACK = "127.0.0.1";
const never = new AbortController().signal;
const servers: Server[] = [];
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** A TCP server; what it accepts is in `accepted`. */
async function serve(): Promise<{ port: number; accepted: Promise<Socket> }> {
  const server = createServer();
  servers.push(server);
  const accepted = once(server, "connection").then(([socket]) => {
    sockets.push(socket as Socket);
    return socket as Socket;
  });
  server.listen(0, LOOPBACK);
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, accepted };
}

const open = (port: number, signal: AbortSignal = never): Promise<Stream> =>
  connectStream({ address: LOOPBACK, port }, { peer: "the peer", signal });

async function failureOf(work: Promise<unknown>): Promise<StreamError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof StreamError) return error;
  throw new Error(`no StreamError: ${String(error)}`);
}

test("bytes go both ways, and what waits is sent before the end", async () => {
  const { port, accepted } = await serve();
  const stream = await open(port);
  const peer = await accepted;
  const heard = Promise.withResolvers<string>();
  stream.onData = (chunk) => heard.resolve(chunk.toString());
  peer.write("hello");
  expect(await heard.promise).toBe("hello");
  const chunks: Buffer[] = [];
  peer.on("data", (chunk: Buffer) => chunks.push(chunk));
  const ended = once(peer, "end");
  const bytes = Buffer.alloc(100_000, 1);
  expect(stream.send(bytes)).toBe(true);
  // They were copied.
  bytes.fill(2);
  stream.close();
  await ended;
  expect(Buffer.concat(chunks)).toEqual(Buffer.alloc(100_000, 1));
  expect(stream.send(bytes)).toBe(false);
});

test("a peer that does not read is given a bounded amount", async () => {
  const { port, accepted } = await serve();
  const stream = await open(port);
  (await accepted).pause();
  const chunk = Buffer.alloc(64 * 1024);
  let taken = 0;
  // The system takes some MiB; what waits in the process is refused above 256 KiB.
  while (taken < 10_000 && stream.send(chunk)) taken++;
  expect(taken).toBeLessThan(10_000);
});

test("the peer's end is told, and our own is not", async () => {
  const { port, accepted } = await serve();
  const stream = await open(port);
  const closed = new Promise<StreamError>((resolve) => (stream.onClosed = resolve));
  (await accepted).destroy();
  expect(await closed).toMatchObject({ code: "disconnected", message: expect.stringContaining("the peer") as string });

  const other = await serve();
  const own = await open(other.port);
  let told = false;
  own.onClosed = () => (told = true);
  own.close();
  await once(await other.accepted, "close");
  expect(told).toBe(false);
});

test("nobody listens there: unreachable, with the system's code", async () => {
  const { port } = await serve();
  const [server] = servers.splice(0);
  server?.close();
  await once(server as Server, "close");
  const error = await failureOf(open(port));
  expect(error.code).toBe("unreachable");
  expect(error.message).toMatch(/^Cannot reach the peer 127\.0\.0\.1:\d+ over TCP \(ECONNREFUSED\): /);
});

test("TLS with a server that speaks none is refused, and a server that hangs up", async () => {
  const { port, accepted } = await serve();
  const tls = connectStream({ address: LOOPBACK, port }, { peer: "the peer", tls: {}, signal: never });
  (await accepted).end("no TLS here\n");
  expect(await failureOf(tls)).toMatchObject({ code: "unreachable", message: expect.stringMatching("TLS") as string });
});

test("given up before and during the attempt", async () => {
  const { port, accepted } = await serve();
  expect((await failureOf(open(port, AbortSignal.abort()))).code).toBe("aborted");
  const abort = new AbortController();
  // The TCP connection stands, and the TLS handshake goes on until it is given up.
  const tls = connectStream({ address: LOOPBACK, port }, { peer: "the peer", tls: {}, signal: abort.signal });
  const peer = await accepted;
  abort.abort(new Error("enough"));
  const error = await failureOf(tls);
  expect(error).toMatchObject({ code: "aborted", cause: new Error("enough") });
  peer.on("error", () => undefined);
  await once(peer, "close");
});
