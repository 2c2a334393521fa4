import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { stunBindingOverTCP } from "../../../sdk/src/stun/binding-tcp.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { StunMessage } from "../../../sdk/src/stun/message.ts";
import { respondToStun } from "../../../sdk/src/stun/responder.ts";
import { TurnStreamReader } from "../../../sdk/src/stun/stream-reader.ts";
import { TurnError } from "../../../sdk/src/turn/errors.ts";
import { openTurnRelay, type TurnProgress } from "../../../sdk/src/turn/open.ts";
import { until } from "../../until.ts";
import { CREDENTIALS, ScriptedTurnServer } from "./scripted-server.ts";

const LOOPBACK = "127.0.0.1";
const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function udpSocket(): UDPSocket {
  const socket = UDPSocket.open({ address: LOOPBACK });
  cleanups.push(() => socket.close());
  return socket;
}

/** On loopback, over UDP; `answer` may be late. */
function serveUDP(answer: (data: Buffer) => Promise<Buffer | null> | Buffer | null): string {
  const socket = udpSocket();
  socket.onDatagram = (data, address, port) => {
    void Promise.resolve(answer(data)).then((reply) => reply !== null && socket.send(reply, port, address));
  };
  return `turn:${LOOPBACK}:${socket.localPort}`;
}

async function serveTCP(onFrame: (data: Buffer) => Buffer | null): Promise<number> {
  const server: Server = createServer((socket) => {
    const reader = new TurnStreamReader();
    cleanups.push(() => socket.destroy());
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const whole = reader.push(chunk, (frame) => {
        const reply = onFrame(frame);
        // In two pieces, as a network may cut it.
        if (reply !== null) socket.write(reply.subarray(0, 3), () => socket.write(reply.subarray(3)));
      });
      if (!whole) socket.destroy();
    });
  }).listen(0, LOOPBACK);
  cleanups.push(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function failure(options: Parameters<typeof openTurnRelay>[0]): Promise<TurnError> {
  const error: unknown = await openTurnRelay(options).catch((reason: unknown) => reason);
  if (error instanceof TurnError) return error;
  throw new Error("it succeeded");
}

test("the first server that grants serves; one that comes later is given back", async () => {
  const [winner, loser] = [new ScriptedTurnServer(), new ScriptedTurnServer()];
  const granted = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const urls = [
    // Makes an allocation, and its answer is lost.
    serveUDP((data) => {
      const answer = loser.receive(data, performance.now());
      const last = loser.granted.at(-1);
      if (last === "allocate") granted.resolve();
      if (last === "release") released.resolve();
      return last === "allocate" ? null : answer;
    }),
    serveUDP(async (data) => {
      await granted.promise;
      return winner.receive(data, performance.now());
    }),
  ];
  const relay = await openTurnRelay({ socket: udpSocket(), servers: [{ urls, ...CREDENTIALS }] });
  expect(`turn:${LOOPBACK}:${relay.server.port}`).toBe(urls[1]);
  await released.promise;
  await relay.close();
  expect([winner.granted, loser.granted]).toEqual([
    ["allocate", "release"],
    ["allocate", "release"],
  ]);
});

test("over TCP: allocation, data with padding both ways, and the server's end", async () => {
  const server = new ScriptedTurnServer();
  const port = await serveTCP((data) => server.receive(data, performance.now()));
  const relay = await openTurnRelay({
    servers: [{ urls: `turn:${LOOPBACK}:${port}?transport=tcp`, ...CREDENTIALS }],
  });
  await until(() => {
    expect(relay.send(Buffer.from("odd"), "203.0.113.5", 9)).toBe(true);
    return server.toPeers.at(-1)?.by === "channel";
  });
  for (let i = 0; i < 50; i++) relay.send(Buffer.from("x".repeat(i)), "203.0.113.5", 9);
  await relay.close();
  expect(server.toPeers.slice(-50).map(({ data }) => data.length)).toEqual(Array.from({ length: 50 }, (_, i) => i));
});

test("servers that send us in circles, or on and on, are left", async () => {
  const redirect = (to: () => number) => (data: Buffer) =>
    new StunBuilder(StunMethod.ALLOCATE, "error", StunMessage.decode(data)?.transactionId)
      .errorCode(300, "")
      .address(A.ALTERNATE_SERVER, { address: LOOPBACK, port: to() })
      .build();
  const portOf = (url: string): number => Number(url.split(":")[2]);
  const urls: string[] = [];
  urls.push(serveUDP(redirect(() => portOf(urls[1] ?? ""))));
  urls.push(serveUDP(redirect(() => portOf(urls[0] ?? ""))));
  const servers = [{ urls: urls[0] ?? "", ...CREDENTIALS }];
  const error = await failure({ socket: udpSocket(), servers });
  expect([error.failure, error.message]).toEqual(["redirected", expect.stringContaining("in circles")]);
  let asked = 0;
  const chain: string[] = [];
  for (let i = 0; i < 9; i++) {
    chain.push(
      serveUDP((data) => {
        asked++;
        return redirect(() => portOf(chain[i + 1] ?? ""))(data);
      }),
    );
  }
  await failure({ socket: udpSocket(), servers: [{ urls: chain[0] ?? "", ...CREDENTIALS }] });
  expect(asked).toBe(3);
});

test("the most telling failure is told, and each of them", async () => {
  const server = new ScriptedTurnServer();
  const wrong = serveUDP((data) => server.receive(data, performance.now()));
  const hangsUp = createServer((socket) => socket.on("error", () => {}).destroy()).listen(0, LOOPBACK);
  cleanups.push(() => hangsUp.close());
  await once(hangsUp, "listening");
  const { port } = hangsUp.address() as AddressInfo;
  const urls = ["turn:", `turn:${LOOPBACK}:${port}?transport=tcp`, `turns:${LOOPBACK}:${port}`, wrong];
  const progress: TurnProgress[] = [];
  const error = await failure({
    socket: udpSocket(),
    servers: [{ urls, username: "me", credential: "wrong" }],
    onProgress: (step) => progress.push(step),
  });
  expect([error.failure, error.stunCode]).toEqual(["unauthorized", 401]);
  for (const url of urls) expect(error.message).toContain(url);
  const failures = progress.filter(({ step }) => step === "failed").map(({ url, error }) => [url, error?.failure]);
  expect(new Map(failures as [string, string][])).toEqual(
    new Map([
      ["turn:", "invalid-server"],
      [urls[1], "disconnected"],
      [urls[2], "unreachable"],
      [wrong, "unauthorized"],
    ]),
  );
  expect((await failure({ servers: [] })).failure).toBe("invalid-server");
  expect((await failure({ servers: [{ urls: wrong, ...CREDENTIALS }] })).failure).toBe("invalid-server");
});

test("it ends when the caller, the time or the socket does", async () => {
  const silent = serveUDP(() => null);
  const servers = [{ urls: silent, ...CREDENTIALS }];
  const caller = new AbortController();
  const given = failure({ socket: udpSocket(), servers, signal: caller.signal });
  caller.abort();
  expect((await given).failure).toBe("aborted");
  expect((await failure({ socket: udpSocket(), servers, signal: caller.signal })).failure).toBe("aborted");
  expect((await failure({ socket: udpSocket(), servers, timeoutMs: 20 })).failure).toBe("timeout");

  const server = new ScriptedTurnServer();
  const socket = udpSocket();
  const urls = serveUDP((data) => server.receive(data, performance.now()));
  const relay = await openTurnRelay({ socket, servers: [{ urls, ...CREDENTIALS }] });
  await socket.close();
  expect([(await relay.ended)?.failure, relay.send(Buffer.from("x"), LOOPBACK, 1)]).toEqual(["aborted", false]);
  await relay.close();
});

test("Binding over TCP tells our address, or why not", async () => {
  const mapped = { address: "203.0.113.9", port: 4000 };
  const port = await serveTCP((data) => respondToStun(data, mapped)?.data ?? null);
  expect((await stunBindingOverTCP({ address: LOOPBACK, port })).mapped).toEqual(mapped);
  const silent = await serveTCP(() => null);
  const error: unknown = await stunBindingOverTCP({ address: LOOPBACK, port: silent }, { timeoutMs: 50 }).catch(
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "StunError", failure: "timeout" });
});
