import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { KEEP_ALIVE_MS, LOW_BYTES, MAX_PACKET_BYTES } from "../../../../sdk/src/colyseus/webrtc/link.ts";
import { HeldBytesBudget } from "../../../../sdk/src/net/held-bytes.ts";
import { FakeEnd, Pair } from "./fake-channels.ts";

const bytes = (length: number, seed = 1): Uint8Array => Uint8Array.from({ length }, (_, i) => i * seed + (i >> 8));
const readTime = (data: Uint8Array): number => new DataView(data.buffer, data.byteOffset).getFloat64(0, true);
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** The ticks of both, as their owners give them. */
async function tick(pair: Pair, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += KEEP_ALIVE_MS) {
    for (const { link, closed } of [pair.client, pair.server]) if (closed === 0) link.tick();
    await pass(KEEP_ALIVE_MS);
  }
}

test("messages of all kinds and lengths arrive, the reliable ones in order, in packets that SCTP does not cut", async () => {
  const { client, server } = new Pair();
  client.channel.loss = server.channel.loss = 0.1;
  const reliable = [1, 1100, 1101, 65_536, 1 << 20, 3].map((length, n) => bytes(length, n + 1));
  for (const message of reliable) expect(client.session.send(message, "reliable")).toBe(true);
  await pass(20_000);
  for (let n = 0; n < 100; n++) {
    client.session.send(bytes(40), "unreliable");
    await pass(16);
  }
  expect(server.got.filter(({ mode }) => mode === "reliable").map(({ data }) => data)).toEqual(reliable);
  const unreliable = server.got.filter(({ mode }) => mode === "unreliable").length;
  expect(unreliable).toBeGreaterThan(70);
  expect(unreliable).toBeLessThan(101);
  // libdatachannel's 1172 less SCTP's 28.
  expect(Math.max(...client.channel.sent.map(({ length }) => length))).toBeLessThanOrEqual(1144);
  expect(client.session.stats).toMatchObject({ maxPacketBytes: MAX_PACKET_BYTES, bufferedBytes: 0 });
  expect(client.session.stats.rttMs).toBeGreaterThanOrEqual(20);
  expect(client.session.stats.packetsLost).toBeGreaterThan(0);
});

test("a lost packet holds nothing up for long: reliable messages at 60 Hz both ways, 5 % lost", async () => {
  const { client, server } = new Pair();
  const late: number[] = [];
  server.session.onMessage = (data) => late.push(performance.now() - readTime(data) - 10);
  client.channel.loss = server.channel.loss = 0.05;
  for (let n = 0; n < 2000; n++) {
    client.session.send(new Uint8Array(Float64Array.of(performance.now()).buffer), "reliable");
    server.session.send(bytes(200), "reliable");
    await pass(16);
  }
  await pass(1000);
  expect(late.length).toBe(2000);
  late.sort((a, b) => a - b);
  expect(client.session.stats.packetsLost).toBeGreaterThan(50);
  expect(late[Math.floor(0.99 * late.length)]).toBeLessThan(35);
});

test("what the channel does not take waits as messages, not as packets, and follows as it drains", async () => {
  const { client, server } = new Pair();
  client.channel.isSlow = true;
  expect(client.session.send(bytes(100_000), "reliable")).toBe(true);
  await pass(200);
  expect(client.channel.bufferedAmount()).toBeGreaterThan(0);
  expect(client.channel.bufferedAmount()).toBeLessThanOrEqual(LOW_BYTES + MAX_PACKET_BYTES);
  expect(client.session.stats.bufferedBytes).toBeGreaterThan(90_000);
  for (let n = 0; n < 300; n++) {
    client.channel.drain();
    await pass(10);
  }
  expect(server.got.map(({ data }) => data.length)).toEqual([100_000]);
});

test("keep-alives keep a quiet session; silence ends it, after its time and not before; 0 waits for ever", async () => {
  const pair = new Pair({ timeoutMs: 3000 });
  await tick(pair, 10_000);
  expect([pair.client.session.silentMs < 2 * KEEP_ALIVE_MS, pair.client.session.open]).toEqual([true, true]);
  pair.server.channel.loss = pair.client.channel.loss = 1;
  const patient = new Pair({ timeoutMs: 0 });
  patient.server.channel.loss = 1;
  await tick(pair, 2900);
  expect(pair.client.ends).toEqual([]);
  await tick(pair, 600);
  expect(pair.client.ends).toEqual([["timeout", 1006, "nothing was heard from the other side"]]);
  expect(pair.client.closed).toBe(1);
  await tick(patient, 60_000);
  expect(patient.client.session.open).toBe(true);
});

test("a page whose timers sleep says all the same that it is there", async () => {
  const { client, server } = new Pair({ timeoutMs: 1000 });
  for (let passed = 0; passed < 10_000; passed += KEEP_ALIVE_MS) {
    server.link.tick();
    await pass(KEEP_ALIVE_MS);
  }
  expect([server.session.open, client.session.open]).toEqual([true, true]);
});

test("what is no packet is passed over", async () => {
  const { client, server } = new Pair();
  for (const data of [bytes(0), Uint8Array.of(0xc0), Uint8Array.of(0xff, 1), bytes(1201), bytes(60_000)]) {
    client.channel.send(data);
  }
  client.session.send(bytes(3), "reliable");
  await pass(100);
  expect([server.got.length, server.session.open]).toEqual([1, true]);
});

test("a goodbye arrives after all that was sent before it, with its code, though much is lost", async () => {
  const { client, server } = new Pair();
  client.channel.loss = server.channel.loss = 0.2;
  client.session.send(bytes(40_000), "reliable");
  client.session.close(4002, "why");
  expect(client.ends).toEqual([["local", 4002, "why"]]);
  // The connection stays until the other side has it.
  expect(client.closed).toBe(0);
  expect(client.session.send(bytes(1), "reliable")).toBe(false);
  await pass(6000);
  expect(server.got.map(({ data }) => data.length)).toEqual([40_000]);
  expect(server.ends).toEqual([["remote", 4002, "why"]]);
  expect([client.closed > 0, server.closed > 0]).toEqual([true, true]);
});

test("a channel that throws is lost: the session is over", async () => {
  const { client } = new Pair();
  client.channel.broken = true;
  client.session.send(bytes(1), "reliable");
  await pass(1);
  expect(client.ends).toEqual([["timeout", 1006, "the data channel is closed"]]);
  expect([client.session.open, client.closed > 0]).toEqual([false, true]);
});

test("limits are those of a session over UDP: a message too long, and the memory of all", async () => {
  const short = new Pair({ limits: { maxMessageBytes: 1000 } });
  short.client.session.send(bytes(2000), "reliable");
  await pass(200);
  const words = "The peer sent a message of 2000 bytes, 1000 are allowed.";
  expect(short.server.ends).toEqual([["limit", 1009, words]]);
  expect(short.client.ends).toEqual([["remote", 1009, words]]);

  const budget = new HeldBytesBudget(1 << 20);
  const stubborn = new FakeEnd({ limits: { budget, budgetSpentCode: 4010 } });
  stubborn.session.send(bytes(2 << 20), "reliable");
  await pass(10);
  expect(stubborn.ends).toEqual([["limit", 4010, expect.stringMatching(/limits\.heldBytes/)]]);
  stubborn.link.ended("timeout");
  expect(budget.bytes).toBe(0);
});

test("a bad line is one for packets, as over UDP", async () => {
  const { client, server } = new Pair();
  client.session.conditions = { delayMs: 50, loss: 0.3 };
  for (let n = 0; n < 20; n++) {
    client.session.send(Uint8Array.of(n), "reliable");
    await pass(16);
  }
  await pass(3000);
  expect(server.got.map(({ data }) => data[0])).toEqual([...Array(20).keys()]);
  expect(client.session.stats.packetsLost).toBeGreaterThan(0);
  expect(client.session.stats.rttMs).toBeGreaterThan(110);
});
