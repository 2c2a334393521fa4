// A bad line at will, as an option of client and server and as a property of the room, over UDP and over WebSocket.
import { afterEach, describe, expect, test } from "vitest";
import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";
import type { SallyportTransportOptions } from "../../../sdk/src/colyseus/server/transport-options.ts";
import { until } from "../../until.ts";
import { next, startServer, type TestClientOptions, type TestServer } from "./harness.ts";

const DELAY_MS = 60;
const servers: TestServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

async function join(
  client: TestClientOptions,
  server: SallyportTransportOptions = {},
): Promise<SallyportRoom & { answer(): Promise<number> }> {
  const started = await startServer(server);
  servers.push(started);
  const room = await started.client(client).create("arena");
  room.onMessage("*", () => {});
  await until(() => room.state?.players?.has(room.sessionId) === true);
  /** How long the room takes to answer, ms. */
  const answer = async (): Promise<number> => {
    const began = performance.now();
    const answered = next((listener) => room.onMessage("moved", listener));
    room.sendUnreliable("move", 1);
    await answered;
    return performance.now() - began;
  };
  return Object.assign(room, { answer });
}

describe.each([
  ["UDP", {}],
  ["WebSocket", { udp: false }],
] as const)("over %s", (_, client) => {
  test("of the client: there and back, until it is taken away", async () => {
    const room = await join({ ...client, conditions: { delayMs: DELAY_MS } });
    expect(room.conditions).toEqual({ delayMs: DELAY_MS });
    expect(await room.answer()).toBeGreaterThanOrEqual(2 * DELAY_MS - 2);
    room.conditions = null;
    expect(room.conditions).toBeNull();
    // The quickest of some, since a loaded machine is slow by itself.
    const answers: number[] = [];
    await until(async () => answers.push(await room.answer()) > 0 && Math.min(...answers) < 2 * DELAY_MS);
  });

  test("of the server", async () => {
    const room = await join(client, { conditions: { delayMs: DELAY_MS } });
    expect(await room.answer()).toBeGreaterThanOrEqual(DELAY_MS - 2);
  });
});

test("by name, and a name that there is not", async () => {
  const room = await join({ conditions: "other continent" });
  expect(room.conditions).toMatchObject({ delayMs: 110 });
  expect(() => {
    room.conditions = "dial-up" as "mobile";
  }).toThrow(RangeError);
  expect(() => servers[0]?.client({ conditions: "dial-up" as "mobile" })).toThrow(/mobile, hotel Wi-Fi/);
});

test("on another line the room's clock begins anew: it would take the longer round trip for an outlier", async () => {
  const started = await startServer();
  servers.push(started);
  const room = await started.client().create("table");
  await until(() => room.state !== undefined);
  const input = room.input({ mode: "unreliable" });
  const send = async (): Promise<void> => {
    input.send();
    await new Promise((resolve) => setTimeout(resolve, 5));
  };
  const { clock } = room;
  await until(async () => (await send(), clock.smoothedRtt() > 0));
  const before = clock.smoothedRtt();
  room.conditions = { delayMs: 4 * before + 100 };
  await until(async () => (await send(), clock.smoothedRtt() > 4 * before));
});
