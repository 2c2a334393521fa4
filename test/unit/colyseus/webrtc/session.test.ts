import * as fc from "fast-check";
import { expect, test } from "vitest";
import { encodeControl, PART_BYTES, parseControl } from "../../../../sdk/src/colyseus/webrtc/control.ts";
import { HeldBytesBudget } from "../../../../sdk/src/net/held-bytes.ts";
import { FakeEnd, Pair } from "./fake-channels.ts";

const numRuns = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 300);
const bytes = (length: number, seed = 1): Uint8Array => Uint8Array.from({ length }, (_, i) => i * seed + (i >> 8));

test("messages arrive as they are, each by its channel", () => {
  const { client, server, ...pair } = new Pair();
  expect(client.session.send(bytes(3), "reliable")).toBe(true);
  expect(client.session.send(bytes(4), "unreliable")).toBe(true);
  expect(client.reliable.sent).toEqual([bytes(3)]);
  expect(client.unreliable.sent).toEqual([bytes(4)]);
  Pair.prototype.deliver.call({ client, server, ...pair });
  expect(server.got).toEqual([
    { data: bytes(3), mode: "reliable" },
    { data: bytes(4), mode: "unreliable" },
  ]);
});

test("messages of any length arrive whole and in order; no piece is longer than a part", () => {
  const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 * PART_BYTES })), {
    maxLength: 6,
  });
  const edges = fc.constantFrom([PART_BYTES], [PART_BYTES + 1], [2 * PART_BYTES, 1], [2 * PART_BYTES - 1]);
  fc.assert(
    fc.property(fc.oneof(lengths, edges), (all) => {
      const pair = new Pair();
      const messages = all.map((length, i) => bytes(length, i + 1));
      for (const message of messages) expect(pair.client.session.send(message, "reliable")).toBe(true);
      for (const piece of pair.client.reliable.sent) expect(piece.length).toBeLessThanOrEqual(PART_BYTES);
      pair.deliver();
      expect(pair.server.got.map(({ data }) => data)).toEqual(messages);
      expect(pair.server.ends).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

test("refuses what is too long or too much, and drops what would be late", () => {
  const { client } = new Pair();
  expect(client.session.send(new Uint8Array((8 << 20) + 1), "reliable")).toBe(false);
  client.reliable.buffered = 8 << 20;
  expect(client.session.send(bytes(1), "reliable")).toBe(false);
  // Too long to be sent unreliably: the caller sends it reliably.
  expect(client.session.send(bytes(PART_BYTES + 1), "unreliable")).toBe(false);
  client.unreliable.buffered = (64 << 10) + 1;
  expect(client.session.send(bytes(1), "unreliable")).toBe(true);
  expect([...client.reliable.sent, ...client.unreliable.sent]).toEqual([]);
  expect(client.session.open).toBe(true);
});

test("what a channel does not take waits, and follows in order as it drains, a goodbye last", () => {
  const pair = new Pair({ maxMessageBytes: 8 << 20 });
  const { client, server } = pair;
  client.reliable.isSlow = true;
  const messages = [bytes(5 << 20), bytes(3), bytes(2 << 20, 3)];
  for (const message of messages) expect(client.session.send(message, "reliable")).toBe(true);
  client.session.close(4000, "done");
  const { buffered } = client.reliable;
  expect(buffered).toBeLessThan(300_000);
  let turns = 0;
  for (; server.ends.length === 0; turns++) {
    pair.deliver();
    client.reliable.drain();
  }
  expect(turns).toBeGreaterThan(20);
  expect(server.got.map(({ data }) => data.length)).toEqual(messages.map(({ length }) => length));
  for (const [n, message] of messages.entries())
    expect(Buffer.compare(server.got[n]?.data ?? bytes(0), message)).toBe(0);
  expect(server.ends).toEqual([["remote", 4000, "done"]]);
});

test("a goodbye is waited for while what was sent before still waits, five seconds at most", () => {
  const { client } = new Pair();
  client.reliable.isSlow = true;
  client.session.send(bytes(1 << 20), "reliable");
  client.session.close();
  for (let second = 1; second <= 5; second++) {
    expect(client.closed).toBe(0);
    client.later.shift()?.();
  }
  expect(client.closed).toBe(1);
});

test("what waits both ways is counted, and who holds most is told why it has to go", () => {
  const budget = new HeldBytesBudget(4 << 20);
  const [stubborn, honest, withholding] = Array.from({ length: 3 }, () => {
    return new FakeEnd({ now: 0 }, { budget, budgetSpentCode: 4010 });
  }) as [FakeEnd, FakeEnd, FakeEnd];
  // Reads nothing.
  stubborn.reliable.isSlow = true;
  stubborn.session.send(bytes(2 << 20), "reliable");
  expect(budget.bytes).toBeGreaterThan(2 << 20);
  // Never sends the last part.
  withholding.session.receive(encodeControl(["parts", 1 << 20]), "reliable");
  for (let n = 1; n < (1 << 20) / PART_BYTES; n++) withholding.session.receive(bytes(PART_BYTES), "reliable");
  expect(budget.bytes).toBeGreaterThan((3 << 20) - PART_BYTES);
  honest.reliable.isSlow = true;
  expect(honest.session.send(bytes(1.2 * 2 ** 20), "reliable")).toBe(true);
  const told = [4010, expect.stringMatching(/^The 4 MiB .* held 2 of them \(limits.heldBytes\)\.$/)];
  expect(stubborn.ends).toEqual([["limit", ...told]]);
  expect(parseControl(String(stubborn.reliable.sent.at(-1)))).toEqual(["close", ...told]);
  expect([honest.session.open, withholding.session.open]).toEqual([true, true]);
  for (const work of [...stubborn.later, ...honest.later]) work();
  honest.reliable.drain();
  withholding.session.ended("timeout");
  expect(budget.bytes).toBeLessThan(1.2 * 2 ** 20);
  for (let n = 0; n < 10; n++) honest.reliable.drain();
  expect(budget.bytes).toBe(0);
});

test("a channel that throws has lost a message: the session is over", () => {
  const { client } = new Pair();
  client.reliable.broken = true;
  expect(client.session.send(bytes(1), "reliable")).toBe(false);
  expect(client.ends).toEqual([["timeout", 0, "the data channel is closed"]]);
  expect([client.session.open, client.closed]).toEqual([false, 1]);
});

test("a goodbye arrives after all that was sent before it, with its code", () => {
  const pair = new Pair();
  const { client, server } = pair;
  client.session.send(bytes(PART_BYTES * 2), "reliable");
  client.session.close(4002, "why");
  expect(client.ends).toEqual([["local", 4002, "why"]]);
  // The connection stays until the other side has heard it, or a while.
  expect([client.closed, client.later.length]).toEqual([0, 1]);
  expect(client.session.send(bytes(1), "reliable")).toBe(false);
  pair.deliver();
  expect(server.got.length).toBe(1);
  expect(server.ends).toEqual([["remote", 4002, "why"]]);
  expect(server.closed).toBe(1);
  client.later[0]?.();
  expect(client.closed).toBe(1);
  client.session.close(4003);
  expect(client.ends.length).toBe(1);
});

test("the client joins once", () => {
  const pair = new Pair();
  let joins = 0;
  pair.server.session.onJoin = () => joins++;
  pair.client.session.join();
  pair.deliver();
  expect(joins).toBe(1);
});

test("round trip and loss are told by pings, both ways", () => {
  const pair = new Pair();
  pair.client.session.tick();
  pair.clock.now += 40;
  pair.deliver();
  pair.deliver();
  expect(pair.client.session.stats).toMatchObject({ rttMs: 40, jitterMs: 20, loss: 0 });
  for (let i = 0; i < 100; i++) pair.second(() => i % 4 === 0);
  expect(pair.client.session.stats.loss).toBeGreaterThan(0.1);
  expect(pair.client.session.stats.loss).toBeLessThan(0.45);
  expect(pair.server.session.stats.rttMs).toBeLessThan(40);
});

test("silence ends a session, after its time and not before; 0 waits for ever", () => {
  const pair = new Pair({ timeoutMs: 9000 });
  for (let i = 0; i < 20; i++) pair.second();
  for (let i = 0; i < 9; i++) pair.second(() => true);
  expect(pair.server.ends).toEqual([]);
  pair.second(() => true);
  expect(pair.server.ends).toEqual([["timeout", 0, "nothing was heard from the other side"]]);
  expect(pair.server.closed).toBe(1);
  const patient = new Pair({ timeoutMs: 0 });
  for (let i = 0; i < 100; i++) patient.second(() => true);
  expect(patient.server.session.open).toBe(true);
});

test("what came is counted", () => {
  const pair = new Pair();
  pair.client.session.send(bytes(10), "reliable");
  pair.client.session.send(bytes(5), "unreliable");
  pair.deliver();
  expect(pair.client.session.stats).toMatchObject({ bytesOut: 15, packetsOut: 2 });
  expect(pair.server.session.stats).toMatchObject({ bytesIn: 15, packetsIn: 2 });
});

test.each<[string, (end: FakeEnd) => void, number, RegExp]>([
  ["text that is no message", (end) => end.session.receive("hello", "reliable"), 1002, /no message/],
  ["a kind that there is not", (end) => end.session.receive('["dance",1]', "reliable"), 1002, /no message/],
  ["a ping on the reliable channel", (end) => end.session.receive('["ping",1]', "reliable"), 1002, /no message/],
  ["a goodbye on the unreliable one", (end) => end.session.receive('["close",1,""]', "unreliable"), 1002, /no message/],
  ["parts where one would do", (end) => end.session.receive('["parts",1]', "reliable"), 1002, /no message/],
  ["more than is taken", (end) => end.session.receive(`["parts",${2 ** 40}]`, "reliable"), 1009, /1048576 are/],
  ["too long a message", (end) => end.session.receive(bytes((1 << 20) + 1), "reliable"), 1009, /1048576 are/],
  [
    "a part of another length",
    (end) => {
      end.session.receive(encodeControl(["parts", PART_BYTES * 2]), "reliable");
      end.session.receive(bytes(1), "reliable");
    },
    1002,
    /another length/,
  ],
  [
    "parts within parts",
    (end) => {
      for (let i = 0; i < 2; i++) end.session.receive(encodeControl(["parts", PART_BYTES * 2]), "reliable");
    },
    1002,
    /no message/,
  ],
])("a peer that sends %s is told why, and ends", (_what, misbehave, code, why) => {
  const { server } = new Pair();
  misbehave(server);
  expect(server.session.open).toBe(false);
  expect(server.got).toEqual([]);
  const [goodbye] = server.reliable.sent;
  expect(parseControl(String(goodbye))).toEqual(["close", code, expect.stringMatching(why)]);
  for (const work of server.later) work();
  expect(server.closed).toBe(1);
});

test("whatever comes, nothing is thrown and nothing kept beyond the cap", () => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc.tuple(fc.constantFrom("join", "parts", "close", "ping", "pong"), fc.anything(), fc.anything()).map((all) => {
      return JSON.stringify(all) ?? "";
    }),
  );
  const message = fc.record({
    data: fc.oneof(text, fc.uint8Array({ maxLength: 40 }), fc.constant(bytes(PART_BYTES))),
    channel: fc.constantFrom("reliable" as const, "unreliable" as const),
  });
  fc.assert(
    fc.property(fc.array(message, { maxLength: 20 }), (all) => {
      const end = new FakeEnd({ now: 0 }, { maxMessageBytes: 3 * PART_BYTES });
      for (const { data, channel } of all) end.session.receive(data, channel);
      for (const { data } of end.got) expect(data.length).toBeLessThanOrEqual(3 * PART_BYTES);
      expect(end.ends.length).toBeLessThanOrEqual(1);
    }),
    { numRuns },
  );
});

test("goodbyes of any code and reason survive the way, cut where they must be", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffff }), fc.string({ maxLength: 300 }), (code, reason) => {
      const parsed = parseControl(encodeControl(["close", code, reason]));
      expect(parsed).toEqual(["close", code, reason.slice(0, 123)]);
    }),
    { numRuns },
  );
});
