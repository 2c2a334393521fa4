/** Hosts that are killed, started again, or stand still, and players who leave them. */
import { afterEach, describe, expect, test } from "vitest";
import { SallyportBrowserClient } from "../../../sdk/src/colyseus/browser/client.ts";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";
import type { SessionClient } from "../../../sdk/src/colyseus/client/session-client.ts";
import { next } from "./harness.ts";
import { pretendToBeAPage } from "./page-in-node.ts";
import { Program } from "./program.ts";

pretendToBeAPage();
console.info = console.warn = () => {};

const TRANSPORTS: { client: (url: string) => SessionClient }[] = [
  { client: (url) => new SallyportClient(url) },
  { client: (url) => new SallyportBrowserClient(url) },
  { client: (url) => new SallyportClient(url, { udp: false }) },
];
const joined: SallyportRoom[] = [];
afterEach(() => {
  // Their hosts are gone.
  for (const room of joined.splice(0)) {
    room.reconnection.enabled = false;
    room.connection.close();
  }
});

async function start(port = "0", ...flags: string[]): Promise<{ host: Program; port: string; url: string }> {
  const host = new Program("strict.ts", [port, ...flags]);
  const bound = await host.line(/^listening (\d+)/);
  return { host, port: bound, url: `http://127.0.0.1:${bound}` };
}

async function join(client: SessionClient, options: object = {}): Promise<SallyportRoom> {
  const room = await client.joinOrCreate("strict", options);
  Object.assign(room.reconnection, { minUptime: 0, maxDelay: 300, maxRetries: 1000 });
  room.onMessage("*", () => {});
  joined.push(room);
  return room;
}

const since = (begun: number): number => Math.round(performance.now() - begun);

test("a host that is killed and started again is noticed within two seconds, over all transports", async () => {
  const { host, port, url } = await start();
  const rooms = await Promise.all(TRANSPORTS.map(({ client }) => join(client(url), { reconnection: 60 })));
  const dropped = rooms.map(async (room) => {
    await next((listener) => room.onDrop(listener));
    return since(killed);
  });
  const left = rooms.map((room) => next<[number]>((listener) => room.onLeave(listener)));
  const killed = performance.now();
  host.process.kill("SIGKILL");
  await host.exited;
  const again = await start(port);
  await using _host = again.host;
  const up = performance.now();
  // Their seats are gone with the old host, and they hear of it from the new one.
  const codes = (await Promise.all(left)).map(([code]) => code);
  expect(codes).toEqual([4003, 4003, 4003]);
  expect(since(up)).toBeLessThan(10_000);
  const [udp, webrtc, webSocket] = await Promise.all(dropped);
  // A page cannot tell a host that is gone from a network that is: it waits for the new one.
  expect({ udp, webSocket }).toEqual({ udp: underTwoSeconds, webSocket: underTwoSeconds });
  expect(webrtc).toBeLessThan(up - killed + 2000);
});

/** Players on all transports in one host. */
async function joinAll(url: string): Promise<SallyportRoom[]> {
  return await Promise.all(TRANSPORTS.map(({ client }) => join(client(url))));
}

/** How long each room takes to be left, ms. */
async function leaveAll(rooms: SallyportRoom[]): Promise<number[]> {
  return await Promise.all(
    rooms.map(async (room) => {
      const begun = performance.now();
      await room.leave();
      return since(begun);
    }),
  );
}

const underTwoSeconds = expect.toSatisfy((ms: number) => ms < 2000) as number;

describe("leave() of a host", () => {
  test.each([
    ["is killed", "SIGKILL"],
    ["stands still", "SIGSTOP"],
  ] as const)("that %s resolves within two seconds, whether the room would come back or not", async (_what, signal) => {
    const { host, url } = await start();
    await using _host = host;
    const rooms = [...(await joinAll(url)), ...(await joinAll(url))];
    for (const room of rooms.slice(0, TRANSPORTS.length)) room.reconnection.enabled = false;
    host.process.kill(signal);
    expect(await leaveAll(rooms)).toEqual(rooms.map(() => underTwoSeconds));
    // Once more, and nothing comes of it.
    const [again] = await leaveAll(rooms);
    expect(again).toBeLessThan(100);
    expect(rooms.map(({ connection }) => connection.isOpen)).toEqual(rooms.map(() => false));
  });

  test("that is dead, while the room tries to come back, resolves at once, and it tries no more", async () => {
    const { host, url } = await start();
    await using _host = host;
    const rooms = await joinAll(url);
    const dropped = rooms.map((room) => next((listener) => room.onDrop(listener)));
    host.process.kill("SIGKILL");
    // WebRTC's silence alone tells of it; the others hear of it sooner.
    rooms[1]?.connection.close();
    await Promise.all(dropped);
    let drops = 0;
    for (const room of rooms) room.onDrop(() => drops++);
    expect(Math.max(...(await leaveAll(rooms)))).toBeLessThan(500);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(drops).toBe(0);
  });
});

test("a host that stands still for three seconds loses nobody, and leave() waits for what its room does", async () => {
  const { host, url } = await start("0", "slow");
  await using _host = host;
  const rooms = await joinAll(url);
  let drops = 0;
  for (const room of rooms) room.onDrop(() => drops++);
  host.process.kill("SIGSTOP");
  await new Promise((resolve) => setTimeout(resolve, 3000));
  host.process.kill("SIGCONT");
  expect(await Promise.all(rooms.map((room) => room.request("double", 4)))).toEqual([8, 8, 8]);
  expect(drops).toBe(0);
  const begun = performance.now();
  expect(await Promise.all(rooms.map((room) => room.leave()))).toEqual([4000, 4000, 4000]);
  expect(since(begun)).toBeGreaterThan(2900);
});
