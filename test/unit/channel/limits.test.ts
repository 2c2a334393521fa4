import { describe, expect, test } from "vitest";
import { MessageEndpoint } from "../../../sdk/src/channel/endpoint.ts";
import { assemblyBytes } from "../../../sdk/src/channel/receive/message-assembly.ts";
import { writePacketHeader } from "../../../sdk/src/channel/wire/reliable-header.ts";
import { type HeldBytes, HeldBytesBudget } from "../../../sdk/src/net/held-bytes.ts";
import { check, numbered, type Sent } from "./promises.ts";
import { Simulation } from "./simulator.ts";

const MIB = 2 ** 20;

/** Hands over all packets of `from` that are due, but those that `lost` says. */
function carry(
  from: MessageEndpoint,
  to: MessageEndpoint,
  now: number,
  lost: (n: number) => boolean = () => false,
): void {
  const out = new Uint8Array(1200);
  for (let n = 0; ; n++) {
    const length = from.poll(out, now);
    if (length === 0) return;
    if (!lost(n)) to.receive(out.slice(0, length), now);
  }
}

describe("a receive buffer that is smaller than what is on its way", () => {
  test.each([
    ["small messages", 3000, 500, [0], 20_000],
    ["messages of several slices", 200, 5000, [0], 20_000],
    ["messages that no buffer has room for", 5, 1_500_000, [0], 512 * 1024],
    ["such messages in many channels at once", 2, 700_000, [0, 1, 2, 3], 512 * 1024],
  ])("%s arrive all, in order, however much is lost", (_what, count, length, channels, maxReceiveBytes) => {
    const options = { maxReceiveBytes, maxMessageBytes: length, maxBufferedBytes: Infinity };
    const simulation = new Simulation(7, { delayMs: 20, loss: 0.1, jitterMs: 5, reorder: 0.05 }, options);
    const sent: Sent[] = [];
    for (let n = 0; n < count; n++) {
      for (const channel of channels) {
        for (const mode of ["reliable", "reliable-unordered"] as const) {
          const data = numbered(sent.length, length);
          sent.push({ data, mode, channel });
          expect(simulation.a.endpoint.send(data, mode, { channel })).toBe(true);
        }
      }
    }
    let most = 0;
    simulation.b.onMessage = (arrived) => {
      simulation.b.arrived.push(arrived);
      most = Math.max(most, simulation.b.endpoint.stats.receiveBufferedBytes);
    };
    expect(simulation.runUntil(3_600_000)).toBe(true);
    check(sent, simulation.b);
    if (length < 10_000) expect(simulation.b.endpoint.stats.packetsDropped).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(maxReceiveBytes + assemblyBytes(length) + 1024);
    expect(simulation.b.endpoint.stats.receiveBufferedBytes).toBe(0);
  });

  test("costs nothing where nothing is lost", () => {
    const simulation = new Simulation(7, { delayMs: 20 }, { maxReceiveBytes: 1000, maxMessageBytes: 5 * MIB });
    simulation.a.endpoint.send(new Uint8Array(5 * MIB), "reliable");
    for (let n = 0; n < 500; n++) simulation.a.endpoint.send(new Uint8Array(700), "reliable");
    expect(simulation.runUntil(60_000)).toBe(true);
    expect(simulation.b.arrived.length).toBe(501);
    // The tail of the small ones may come before the large one is whole.
    expect(simulation.a.endpoint.stats.packetsLost).toBeLessThan(10);
  });
});

test("messages shorter than a packet, more than can be remembered as being on their way, go on leaving as they arrive", () => {
  const simulation = new Simulation(7, { delayMs: 20 }, { maxMessageBytes: 5 * MIB, maxBufferedBytes: Infinity });
  simulation.a.endpoint.send(new Uint8Array(5 * MIB), "reliable");
  for (let n = 0; n < 3000; n++) simulation.a.endpoint.send(new Uint8Array(700), "reliable");
  expect(simulation.runUntil(60_000)).toBe(true);
  expect(simulation.b.arrived.length).toBe(3001);
  expect(simulation.a.endpoint.stats.packetsLost).toBe(0);
});

test("a long transfer in one channel does not keep a message of a few slices waiting in another", () => {
  const simulation = new Simulation(7, { delayMs: 20 }, { maxMessageBytes: 20 * MIB, maxBufferedBytes: Infinity });
  simulation.a.endpoint.send(new Uint8Array(20 * MIB), "reliable");
  simulation.at(1500, () =>
    simulation.a.endpoint.send(new Uint8Array(50_000), "reliable", { channel: 1, priority: 1 }),
  );
  expect(simulation.runUntil(60_000)).toBe(true);
  const [first, second] = simulation.b.arrived;
  expect([first?.channel, second?.channel]).toEqual([1, 0]);
  expect(first?.at).toBeLessThan(1700);
});

describe("the memory that all peers share", () => {
  const open = (budget: HeldBytesBudget): { endpoint: MessageEndpoint; held: HeldBytes; ended: number[] } => {
    const ended: number[] = [];
    const held = budget.open((bytes) => {
      ended.push(bytes);
      endpoint.close();
    });
    const endpoint = new MessageEndpoint({ held, maxBufferedBytes: 100 * MIB }, { message: () => undefined });
    return { endpoint, held, ended };
  };

  test("counts what waits to be sent, and what is early, and counts it no more once it is gone", () => {
    const budget = new HeldBytesBudget(MIB);
    const [sender, receiver] = [open(budget), open(budget)];
    for (let n = 0; n < 3; n++) sender.endpoint.send(new Uint8Array(50_000), "reliable", { channel: n });
    sender.endpoint.send(new Uint8Array(500), "unreliable");
    expect(sender.held.bytes).toBeGreaterThan(150_500);
    for (let now = 0; now < 5000; now += 5) {
      carry(sender.endpoint, receiver.endpoint, now, (n) => n === 0 && now < 1000);
      if (now === 500) expect(receiver.held.bytes).toBeGreaterThan(1000);
      carry(receiver.endpoint, sender.endpoint, now);
    }
    expect([sender.held.bytes, sender.ended, receiver.ended]).toEqual([0, [], []]);
    // Three streams are known.
    expect(receiver.held.bytes).toBeLessThan(4096);
    receiver.endpoint.close();
    expect(budget.bytes).toBe(0);
  });

  test("a peer that takes nothing has to go when it is full, whoever fills it", () => {
    const budget = new HeldBytesBudget(MIB);
    const [deaf, other] = [open(budget), open(budget)];
    for (let n = 0; n < 8; n++) expect(deaf.endpoint.send(new Uint8Array(100_000), "reliable")).toBe(true);
    for (let n = 0; n < 4; n++) expect(other.endpoint.send(new Uint8Array(100_000), "reliable")).toBe(true);
    expect([deaf.ended.length, deaf.endpoint.closed, other.ended]).toEqual([1, true, []]);
    for (let n = 0; n < 7; n++) other.endpoint.send(new Uint8Array(100_000), "reliable");
    expect(other.ended.length).toBe(1);
    expect(other.endpoint.send(Uint8Array.of(1), "reliable")).toBe(false);
    expect(budget.bytes).toBe(0);
  });

  test("a peer that withholds a beginning has to go in the middle of its packet, and nothing is left of it", () => {
    const budget = new HeldBytesBudget(200_000);
    const [honest, withholding] = [open(budget), open(budget)];
    honest.endpoint.send(new Uint8Array(50_000), "reliable");
    const packet = new Uint8Array(1200);
    for (let sequence = 0; withholding.ended.length === 0; sequence++) {
      expect(sequence).toBeLessThan(1000);
      const start = writePacketHeader(packet, 0, sequence, 0xffff, 0);
      // Urgency 2, and a whole reliable message of 500 bytes, twice: ids from 1 on.
      const frames = [1, 2].flatMap((n) => {
        const id = sequence * 2 + n;
        return [3, id & 0xff, id >>> 8, 0xf4, 0x03, ...Array.from({ length: 500 }, () => 7)];
      });
      packet.set([2, ...frames], start);
      withholding.endpoint.receive(packet.subarray(0, start + 1 + frames.length), 0);
    }
    expect(withholding.ended[0]).toBeGreaterThan(100_000);
    expect(withholding.endpoint.stats.receiveBufferedBytes).toBe(0);
    expect(honest.ended).toEqual([]);
    expect(budget.bytes).toBe(honest.held.bytes);
  });
});

describe("a farewell", () => {
  test("drops what waits and is held, and still tells why", () => {
    const failures: string[] = [];
    const got: number[] = [];
    const leaving = new MessageEndpoint(
      { maxMessageBytes: 1000 },
      { message: () => undefined, failed: ({ code }) => failures.push(code) },
    );
    const peer = new MessageEndpoint({}, { message: ([first = 0]) => got.push(first) });
    for (let n = 0; n < 100; n++) leaving.send(new Uint8Array(10_000).fill(7), "reliable");
    carry(leaving, peer, 0);
    peer.send(new Uint8Array(2000), "reliable");
    carry(peer, leaving, 1);
    expect([failures, leaving.closed, leaving.send(Uint8Array.of(1), "reliable")]).toEqual([
      ["message-too-large"],
      true,
      false,
    ]);
    expect([leaving.poll(new Uint8Array(1200), 2), leaving.nextTimeout(2)]).toEqual([0, Infinity]);
    const already = got.length;
    expect(leaving.farewell(Uint8Array.of(42), 255)).toBe(true);
    // It gets through a window that is full of what nobody acknowledges, and on a second try.
    for (let now = 2; now < 2000 && leaving.bufferedBytes > 0; now++) {
      carry(leaving, peer, now, () => now < 300);
      if (now >= 300) carry(peer, leaving, now);
    }
    expect(got.slice(already)).toEqual([42]);
    expect(leaving.bufferedBytes).toBe(0);
    leaving.close();
    expect(leaving.farewell(Uint8Array.of(42), 254)).toBe(false);
  });
});
