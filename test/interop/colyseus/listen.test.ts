import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { logger, matchMaker, Server } from "@colyseus/core";
import { afterEach, beforeAll, expect, test } from "vitest";
import { SallyportTransport } from "../../../sdk/src/colyseus/server/transport.ts";
import { type SallyportTransportOptions } from "../../../sdk/src/colyseus/server/transport-options.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";

const transports: SallyportTransport[] = [];
beforeAll(() => {
  logger.error = () => {};
});
afterEach(async () => {
  for (const transport of transports.splice(0)) await transport[Symbol.asyncDispose]();
});

function makeTransport(options: SallyportTransportOptions = {}): SallyportTransport {
  const transport = new SallyportTransport({ connectivity: false, ...options });
  transports.push(transport);
  return transport;
}
const serve = (transport: SallyportTransport) => new Server({ transport, greet: false, gracefullyShutdown: false });
const portOf = (transport: SallyportTransport) => (transport.server.address() as AddressInfo).port;
const canBind = (port: number) => {
  try {
    void UDPSocket.open({ port }).close();
    return true;
  } catch {
    return false;
  }
};

test("one port number for TCP and UDP, both free again after shutdown", async () => {
  const transport = makeTransport();
  await serve(transport).listen(0);
  const port = portOf(transport);
  expect(canBind(port)).toBe(false);
  await transport[Symbol.asyncDispose]();
  expect(canBind(port)).toBe(true);
  await new Promise<void>((resolve, reject) => {
    const probe = createServer().once("error", reject);
    probe.listen(port, () => probe.close(() => resolve()));
  });
});

test("a port that is taken over TCP, over UDP, or is none, ends in an error that says so", async () => {
  const tcp = createServer();
  await new Promise<void>((resolve) => tcp.listen(0, resolve));
  const first = makeTransport();
  await expect(serve(first).listen((tcp.address() as AddressInfo).port)).rejects.toMatchObject({ code: "EADDRINUSE" });
  tcp.close();

  const udp = UDPSocket.open();
  const second = makeTransport();
  await expect(serve(second).listen(udp.localPort)).rejects.toMatchObject({ code: "EADDRINUSE" });
  // The TCP port, which was free, is so again.
  expect(second.server.listening).toBe(false);
  await udp.close();

  for (const port of [65536, -1, "/tmp/socket"]) {
    await expect(serve(makeTransport()).listen(port)).rejects.toThrow(/a port number from 0 to 65535/);
  }
});

test("serves an express app beside matchmaking", async () => {
  const transport = makeTransport();
  const server = new Server({
    transport,
    greet: false,
    gracefullyShutdown: false,
    express: (app) => {
      app.get("/hello", (_request: unknown, response: { send(text: string): void }) => response.send("hello"));
    },
  });
  await server.listen(0, "127.0.0.1");
  const url = `http://127.0.0.1:${portOf(transport)}`;
  expect(await (await fetch(`${url}/hello`)).text()).toBe("hello");
  expect((await fetch(`${url}/sallyport/connect`, { method: "POST", body: "{}" })).status).toBe(400);
});

// Last: the matchmaker, which is the process's, does not come back.
test("Colyseus' graceful shutdown, which ends the process, waits until the transport is closed", async () => {
  const transport = makeTransport();
  const server = serve(transport);
  await server.listen(0);
  const port = portOf(transport);
  let freeAtEnd: boolean | undefined;
  server.onShutdown(() => {
    freeAtEnd = canBind(port);
  });
  await server.gracefullyShutdown(false);
  expect(freeAtEnd).toBe(true);
  expect(matchMaker.state).toBe(matchMaker.MatchMakerState.SHUTTING_DOWN);
});
