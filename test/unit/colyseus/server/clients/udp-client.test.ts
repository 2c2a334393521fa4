import { ClientState, CloseCode, getMessageBytes, logger, Protocol } from "@colyseus/core";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { doorLimits } from "../../../../../sdk/src/colyseus/server/admission/limits.ts";
import { FrameBatches } from "../../../../../sdk/src/colyseus/server/clients/frame-batches.ts";
import {
  UDPClient,
  type UDPClientSettings,
  UDPConnection,
} from "../../../../../sdk/src/colyseus/server/clients/udp-client.ts";
import { until } from "../../../../until.ts";
import { FakeSession } from "../fake-session.ts";

let session: FakeSession;
let peer: FakeSession;
let settings: UDPClientSettings;
let connection: UDPConnection;
const batches = new FrameBatches();
let client: UDPClient;

beforeAll(() => {
  logger.error = () => {};
});

beforeEach(() => {
  session = new FakeSession(1n, new Uint8Array(256));
  peer = new FakeSession(0n, new Uint8Array(0));
  session.peer = peer;
  peer.peer = session;
  settings = { latencyMs: 0, limits: doorLimits(100, { queuedBytes: 1000 }), batches };
  connection = new UDPConnection(session, settings);
  client = new UDPClient("session", connection);
});

const frames = () => session.sent.map(({ data, mode }) => [[...data], mode]);
const tick = () => new Promise((resolve) => setImmediate(resolve));
const closed = () => new Promise<[number, string]>((resolve) => connection.on("close", (...why) => resolve(why)));

describe("frames that go out", () => {
  test("are copied: Colyseus reuses the buffers of its patches", async () => {
    const patch = new Uint8Array([15, 1, 2]);
    const unreliable = new Uint8Array([0x4f, 7, 0, 9]);
    client.raw(patch);
    client.rawUnreliable(unreliable);
    settings.latencyMs = 1;
    client.raw(patch);
    patch.fill(0);
    unreliable.fill(0);
    await until(() => session.sent.length === 3);
    expect(frames()).toEqual([
      [[15, 1, 2], "reliable"],
      [[0x4f, 1, 0, 9], "unreliable"],
      [[15, 1, 2], "reliable"],
    ]);
  });

  test("leave the room's own buffer as it was, for the next client", () => {
    const patch = new Uint8Array([0x4f, 0x40, 0x9c, 9]);
    client.rawUnreliable(patch);
    expect([...patch]).toEqual([0x4f, 0x40, 0x9c, 9]);
    expect(frames()).toEqual([[[0x4f, 1, 0, 9], "unreliable"]]);
  });

  test("wait until the client has joined, unless they are raw", () => {
    client.send("a", 1);
    client.sendBytes("b", new Uint8Array([1]));
    expect(session.sent).toEqual([]);
    expect(client._enqueuedMessages.map((frame) => frame[0])).toEqual([Protocol.ROOM_DATA, Protocol.ROOM_DATA_BYTES]);
    client.state = ClientState.JOINED;
    client.send("a", 1);
    batches.flush(connection);
    client.error(4000, "no");
    batches.flush(connection);
    expect(frames()).toEqual([
      [[...getMessageBytes.raw(Protocol.ROOM_DATA, "a", 1)], "reliable"],
      [[...getMessageBytes[Protocol.ERROR](4000, "no")], "reliable"],
    ]);
  });

  test("tell their callback whether they went", async () => {
    const outcome = () =>
      new Promise<Error | undefined>((resolve) => client.raw(new Uint8Array([15]), undefined, resolve));
    expect(await outcome()).toBeUndefined();
    session.open = false;
    expect(await outcome()).toBeInstanceOf(Error);
  });

  test("go to the connection of a player who came back, from the old client object too", () => {
    const other = new FakeSession(2n, new Uint8Array(256));
    client.ref = new UDPConnection(other, settings);
    client.raw(new Uint8Array([15]));
    client.leave(4001);
    expect([session.sent.length, other.sent.length, session.open, other.open]).toEqual([0, 1, true, false]);
  });
});

test("a client for whom too much waits is told to come back, for its state would be broken", async () => {
  const end = closed();
  session.hasRoom = false;
  client.raw(new Uint8Array([15]));
  expect(await end).toEqual([
    CloseCode.MAY_TRY_RECONNECT,
    "0 bytes wait to be sent, and 1 more find no room in 1000 (limits.queuedBytes).",
  ]);
});

test("frames that wait for a client to have joined are bounded, and counted until they leave", async () => {
  const end = closed();
  const { budget } = settings.limits;
  for (let n = 0; n < 2; n++) client.enqueueRaw(new Uint8Array(100));
  expect(budget.bytes).toBeGreaterThanOrEqual(200);
  client.state = ClientState.JOINED;
  for (const frame of client._enqueuedMessages.splice(0)) client.raw(frame);
  expect(budget.bytes).toBe(0);
  client.state = ClientState.RECONNECTING;
  for (let n = 0; n < 10; n++) client.enqueueRaw(new Uint8Array(100));
  expect(await end).toEqual([CloseCode.MAY_TRY_RECONNECT, expect.stringMatching(/limits.queuedBytes/)]);
  expect([client._enqueuedMessages.length, budget.bytes]).toEqual([6, 0]);
});

describe("frames that come in", () => {
  test("are whole, and the handler's to keep", async () => {
    const got: Buffer[] = [];
    connection.on("message", (frame) => got.push(frame));
    peer.send(new Uint8Array([13, 1]), "reliable");
    peer.send(new Uint8Array([13, 2]), "unreliable");
    await tick();
    await tick();
    expect(got.map((frame) => [...frame])).toEqual([
      [13, 1],
      [13, 2],
    ]);
  });

  test("end the connection with 1009 when they are too long", async () => {
    const end = closed();
    peer.send(new Uint8Array(101), "reliable");
    expect((await end)[0]).toBe(1009);
  });

  test("end the connection, not the process, when a handler throws", async () => {
    const end = closed();
    connection.on("message", () => {
      throw new Error("from a handler");
    });
    peer.send(new Uint8Array([13]), "reliable");
    expect((await end)[0]).toBe(CloseCode.WITH_ERROR);
  });
});

describe("the end", () => {
  test.each([
    ["the player leaves with a code", () => peer.close(4000), 4000],
    ["the player leaves without", () => peer.close(0), 1005],
    ["silence", () => session.lose(), 1006],
    ["the server stops", () => session.end("shutdown", 1001, ""), 1001],
    ["kicked with a code", () => client.leave(4005, "out"), 4005],
    ["kicked without", () => client.leave(), 1005],
    ["the player came back on another connection", () => client.supersede(), 1006],
  ])("%s", async (_what, how, code) => {
    const codes: number[] = [];
    connection.on("close", (why) => codes.push(why));
    expect(client.readyState).toBe(1);
    how();
    await tick();
    await tick();
    expect(codes).toEqual([code]);
    expect(client.readyState).toBe(3);
  });

  test("is not heard within leave(): rooms close clients while they walk over their list", async () => {
    let within = true;
    const heard = new Promise((resolve) => connection.on("close", () => resolve(within)));
    client.leave(4000);
    within = false;
    expect(await heard).toBe(false);
  });

  test("tells a player who was superseded not to come back", async () => {
    const told = new Promise((resolve) => {
      peer.onClose = (_reason, code) => resolve(code);
    });
    client.supersede();
    expect(await told).toBe(CloseCode.WITH_ERROR);
  });
});
