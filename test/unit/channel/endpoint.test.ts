import { describe, expect, test, vi } from "vitest";
import { MessageEndpoint } from "../../../sdk/src/channel/endpoint.ts";
import type { ChannelHandler, DeliveryMode, MessageEndpointOptions } from "../../../sdk/src/channel/wire/types.ts";
import { Simulation } from "./simulator.ts";

const out = new Uint8Array(1200);
const ignore: ChannelHandler = { message: () => undefined };
const endpoint = (options: MessageEndpointOptions = {}, handler = ignore): MessageEndpoint =>
  new MessageEndpoint(options, handler);

/** All packets that are due. */
function packets(from: MessageEndpoint, now: number): Uint8Array[] {
  const sent: Uint8Array[] = [];
  for (let length = from.poll(out, now); length > 0; length = from.poll(out, now)) {
    sent.push(out.slice(0, length));
    if (sent.length > 1000) throw new Error("poll does not end");
  }
  return sent;
}

/** `a` sends a reliable message each `tickMs`, 40 times; `b` only listens. */
function stream(simulation: Simulation, tickMs: number): void {
  const from = simulation.now;
  for (let n = 0; n < 40; n++) {
    simulation.at(from + n * tickMs, () => {
      simulation.a.endpoint.send(Uint8Array.of(n), "reliable");
    });
  }
  simulation.runUntil(from + 40 * tickMs + 1000);
}

describe("acknowledging", () => {
  test("a stream of reliable messages on a calm path needs an acknowledgement for every other one", () => {
    const calm = new Simulation(1, { delayMs: 10 });
    stream(calm, 50);
    expect(calm.b.arrived.length).toBe(40);
    expect(calm.b.endpoint.stats.acksSent).toBeLessThanOrEqual(21);
    expect(calm.a.endpoint.stats.packetsSent).toBe(40);
  });

  test("messages far apart are acknowledged each, as no next one would show that one is missing", () => {
    const seldom = new Simulation(1, { delayMs: 10 });
    stream(seldom, 200);
    expect(seldom.b.endpoint.stats.acksSent).toBe(40);
  });

  test("a gap in a stream is told at once, and what was lost arrives behind the next message", () => {
    const simulation = new Simulation(1, { delayMs: 10 });
    const lost = simulation.now + 20 * 50;
    simulation.at(lost - 1, () => {
      simulation.a.line.conditions = { loss: 1 };
    });
    simulation.at(lost + 1, () => {
      simulation.a.line.conditions = { delayMs: 10 };
    });
    stream(simulation, 50);
    expect(simulation.b.arrived.map(({ data }) => data[0])).toEqual(Array.from({ length: 40 }, (_, n) => n));
    // The next message leaves 50 ms later; its arrival, the word of it and the lost message take 10 ms each, 9/8 of a round trip at most.
    const delay = (simulation.b.arrived[20]?.at ?? Infinity) - lost;
    expect(delay).toBeGreaterThan(50);
    expect(delay).toBeLessThan(50 + 35);
  });
});

describe("sending", () => {
  test("an idle endpoint sends nothing and asks for nothing", () => {
    const idle = endpoint();
    expect(idle.poll(out, 0)).toBe(0);
    expect(idle.nextTimeout(0)).toBe(Infinity);
  });

  test("messages between two polls share a packet", () => {
    const sender = endpoint();
    for (let i = 0; i < 17; i++) sender.send(new Uint8Array(64), "reliable");
    const [packet, ...more] = packets(sender, 0);
    expect(more).toEqual([]);
    // 8 bytes of header and a control byte, then type, id and length before each.
    expect(packet?.length).toBe(8 + 1 + 17 * (4 + 64));
  });

  test("the data is copied", () => {
    const received: number[] = [];
    const sender = endpoint();
    const receiver = endpoint({}, { message: (data) => received.push(...data) });
    const data = Uint8Array.of(1, 2, 3);
    sender.send(data, "reliable");
    data.fill(9);
    for (const packet of packets(sender, 0)) receiver.receive(packet, 1);
    expect(received).toEqual([1, 2, 3]);
  });

  test.each<[DeliveryMode, MessageEndpointOptions]>([
    ["reliable", { maxBufferedBytes: 484 }],
    ["unreliable", { maxUnreliableBytes: 100 }],
  ])("a %s message above its cap is refused", (mode, options) => {
    const sender = endpoint(options);
    expect(sender.send(new Uint8Array(100), mode)).toBe(true);
    expect(sender.send(new Uint8Array(101), mode)).toBe(false);
  });

  test("send answers false while too much waits, and true again once it arrived", () => {
    const simulation = new Simulation(1, { delayMs: 5 }, { maxBufferedBytes: 10_000 });
    const sender = simulation.a.endpoint;
    while (sender.send(new Uint8Array(500), "reliable"));
    expect(sender.bufferedBytes).toBeGreaterThan(9000);
    expect(sender.bufferedBytes).toBeLessThanOrEqual(10_000);
    expect(simulation.runUntil(5000)).toBe(true);
    expect(sender.bufferedBytes).toBe(0);
    expect(sender.send(new Uint8Array(500), "reliable")).toBe(true);
  });

  test("unreliable messages push out the oldest", () => {
    const simulation = new Simulation(1, {}, { maxUnreliableBufferedBytes: 1, maxUnreliableBytes: 1000 });
    for (let i = 0; i < 20; i++) expect(simulation.a.endpoint.send(Uint8Array.of(i), "unreliable")).toBe(true);
    simulation.runUntil(2000);
    // Each counts 64 bytes more than it has: 16 have room in 1064.
    expect(simulation.b.arrived.map(({ data }) => data[0])).toEqual(Array.from({ length: 16 }, (_, i) => i + 4));
    expect(simulation.a.endpoint.stats.unreliableDropped).toBe(4);
  });

  test("higher priority first, whole messages before slices", () => {
    const simulation = new Simulation(1, {});
    const sender = simulation.a.endpoint;
    sender.send(new Uint8Array(5000), "reliable", { channel: 1, priority: 100 });
    sender.send(Uint8Array.of(2), "unreliable", { channel: 2, priority: -1 });
    sender.send(Uint8Array.of(3), "reliable-unordered", { channel: 3 });
    sender.send(Uint8Array.of(4), "unreliable-sequenced", { channel: 4, priority: 1 });
    simulation.flush();
    simulation.runUntil(2000);
    expect(simulation.b.arrived.map(({ channel }) => channel)).toEqual([4, 3, 2, 1]);
  });

  test("empty messages arrive", () => {
    const simulation = new Simulation(1, {});
    const modes: DeliveryMode[] = ["reliable", "reliable-unordered", "unreliable", "unreliable-sequenced"];
    for (const mode of modes) simulation.a.endpoint.send(new Uint8Array(), mode);
    simulation.flush();
    simulation.runUntil(2000);
    expect(simulation.b.arrived.map(({ mode, data }) => [mode, data.length])).toEqual(modes.map((mode) => [mode, 0]));
  });

  test("the largest messages arrive", () => {
    const simulation = new Simulation(1, { delayMs: 10 }, { maxUnreliableBytes: 256 * 1024 });
    const large = Uint8Array.from({ length: 4 << 20 }, (_, i) => i * 31 + (i >> 8));
    expect(simulation.a.endpoint.send(large, "reliable")).toBe(true);
    expect(simulation.a.endpoint.send(large.subarray(0, 256 * 1024), "unreliable")).toBe(true);
    simulation.flush();
    expect(simulation.runUntil(60_000)).toBe(true);
    const lengths = simulation.b.arrived.map(({ data }) => data.length).sort((x, y) => x - y);
    expect(lengths).toEqual([256 * 1024, 4 << 20]);
    for (const { data } of simulation.b.arrived) expect(Buffer.compare(data, large.subarray(0, data.length))).toBe(0);
  });

  test("short packets fill no window wider than is remembered: none counts as lost that was not", () => {
    const simulation = new Simulation(1, { delayMs: 50 }, { maxPacketBytes: 256 });
    expect(simulation.a.endpoint.send(new Uint8Array(2 << 20), "reliable")).toBe(true);
    simulation.flush();
    expect(simulation.runUntil(600_000)).toBe(true);
    expect(simulation.b.arrived).toHaveLength(1);
    expect(simulation.a.endpoint.stats).toMatchObject({ packetsLost: 0, probes: 0 });
  });

  test("while the first block of a large message is missing, no more than the window follows it", () => {
    const received: number[] = [];
    const [sender, receiver] = [
      endpoint(),
      endpoint({}, { message: (data) => received.push(data.length), failed: ({ message }) => expect.fail(message) }),
    ];
    const large = new Uint8Array(1 << 20);
    large.fill(0xee, 0, 128);
    const marker = Buffer.alloc(64, 0xee);
    sender.send(large, "reliable");
    let now = 0;
    const exchange = (loseFirst: boolean): void => {
      now += 10;
      for (const packet of packets(sender, now)) {
        if (!loseFirst || !Buffer.from(packet).includes(marker)) receiver.receive(packet, now);
      }
      for (const packet of packets(receiver, now)) sender.receive(packet, now);
    };
    for (let i = 0; i < 500; i++) exchange(true);
    expect(received).toEqual([]);
    expect(receiver.stats.receiveBufferedBytes).toBeGreaterThan(500_000);
    expect(receiver.stats.receiveBufferedBytes).toBeLessThan((17 / 16) * 4096 * 128 + 8192);
    for (let i = 0; i < 500 && received.length === 0; i++) exchange(false);
    expect(received).toEqual([1 << 20]);
    expect(receiver.stats.receiveBufferedBytes).toBe(0);
  });

  test("options outside their range are refused", () => {
    expect(() => endpoint({ maxPacketBytes: 1428 })).toThrow(RangeError);
    expect(() => endpoint({ maxMessageBytes: 2 ** 28 })).toThrow(RangeError);
    expect(() => endpoint().send(new Uint8Array(1), "reliable", { channel: 256 })).toThrow(RangeError);
  });
});

describe("acknowledging", () => {
  test("what is reliable is acknowledged within 25 ms though nothing else is to be sent", () => {
    const [sender, receiver] = [endpoint(), endpoint()];
    sender.send(new Uint8Array(10), "reliable");
    for (const packet of packets(sender, 0)) receiver.receive(packet, 10);
    expect(receiver.nextTimeout(10)).toBe(35);
    expect(receiver.poll(out, 34)).toBe(0);
    const [ack, ...more] = packets(receiver, 35);
    expect(more).toEqual([]);
    sender.receive(ack ?? out, 45);
    expect(sender.stats).toMatchObject({ bufferedBytes: 0, bytesInFlight: 0, rttMs: 20 });
    expect([sender.nextTimeout(45), receiver.nextTimeout(45)]).toEqual([Infinity, Infinity]);
  });

  test("a gap is told at once", () => {
    const [sender, receiver] = [endpoint(), endpoint()];
    const sent = [0, 1, 2].flatMap((now) => {
      sender.send(new Uint8Array(10), "reliable");
      return packets(sender, now);
    });
    expect(sent).toHaveLength(3);
    receiver.receive(sent[0] ?? out, 3);
    expect(receiver.poll(out, 3)).toBe(0);
    receiver.receive(sent[2] ?? out, 4);
    expect(receiver.poll(out, 4)).toBeGreaterThan(0);
  });

  test("a burst of more than 32 packets is acknowledged whole", () => {
    const [sender, receiver] = [endpoint(), endpoint()];
    for (let i = 0; i < 60; i++) {
      sender.send(new Uint8Array(1), "reliable");
      for (const packet of packets(sender, i / 100)) receiver.receive(packet, i / 100);
    }
    const acks = packets(receiver, 100);
    expect(acks).toHaveLength(1);
    sender.receive(acks[0] ?? out, 100);
    expect(sender.stats).toMatchObject({ bufferedBytes: 0, bytesInFlight: 0, packetsLost: 0 });
  });
});

describe("the handler", () => {
  test("may send, but what it polls for is not due yet", () => {
    const polled: number[] = [];
    const receiver: MessageEndpoint = endpoint(
      {},
      {
        message: (data) => {
          receiver.send(data, "reliable");
          polled.push(receiver.poll(out, 1));
        },
      },
    );
    const sender = endpoint();
    sender.send(Uint8Array.of(1), "reliable");
    for (const packet of packets(sender, 0)) receiver.receive(packet, 1);
    expect(polled).toEqual([0]);
    expect(packets(receiver, 1)).toHaveLength(1);
  });

  test("may throw: the packet's other messages arrive, the fault is told outside", () => {
    const faults: (() => void)[] = [];
    vi.stubGlobal("queueMicrotask", (fault: () => void) => faults.push(fault));
    let received = 0;
    const throwing: ChannelHandler = {
      message: () => {
        received++;
        throw new Error("the application's");
      },
    };
    const [sender, receiver] = [endpoint(), endpoint({}, throwing)];
    for (let i = 0; i < 3; i++) sender.send(Uint8Array.of(i), "reliable");
    for (const packet of packets(sender, 0)) receiver.receive(packet, 1);
    vi.unstubAllGlobals();
    expect(received).toBe(3);
    expect(faults).toHaveLength(3);
    expect(faults[0]).toThrow("the application's");
  });

  test("may close in the middle of a packet", () => {
    let received = 0;
    const receiver: MessageEndpoint = endpoint(
      {},
      {
        message: () => {
          received++;
          receiver.close();
        },
      },
    );
    const sender = endpoint();
    for (let i = 0; i < 3; i++) sender.send(Uint8Array.of(i), "reliable");
    for (const packet of packets(sender, 0)) receiver.receive(packet, 1);
    expect(received).toBe(1);
    receiver.close();
    expect(receiver.send(Uint8Array.of(1), "reliable")).toBe(false);
    expect([receiver.poll(out, 2), receiver.nextTimeout(2)]).toEqual([0, Infinity]);
  });
});

describe("time", () => {
  test.each([NaN, Infinity, -1e300, 1e300])("a clock that says %d harms nothing", (wrong) => {
    const received: number[] = [];
    const [sender, receiver] = [endpoint(), endpoint({}, { message: (data) => received.push(data[0] ?? -1) })];
    for (const [i, now] of [0, wrong, 20, 30, wrong, 50].entries()) {
      sender.send(Uint8Array.of(i), "reliable");
      for (const packet of packets(sender, now)) receiver.receive(packet, now);
      for (const packet of packets(receiver, now)) sender.receive(packet, now);
    }
    expect(received).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe("the wire", () => {
  const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("hex");

  test("is as PROTOCOL.md's example has it", () => {
    const [sender, receiver] = [endpoint(), endpoint()];
    sender.send(new TextEncoder().encode("hi"), "reliable");
    const [packet] = packets(sender, 0);
    expect(hex(packet)).toBe("3e0000010000000002030000026869");
    receiver.receive(packet ?? out, 10);
    const [ack] = packets(receiver, 35);
    expect(hex(ack)).toBe("3e000000010000000464");
  });

  test("has slices of whole blocks", () => {
    const sender = endpoint({ maxPacketBytes: 256 });
    sender.send(new Uint8Array(300).fill(0xaa), "reliable-unordered", { channel: 7 });
    const frames = packets(sender, 0).map((packet) => hex(packet.subarray(8)).replace(/(aa)+$/, ""));
    // Control (urgency 3, the window is small), then type, channel, id, total 300, first block, length.
    expect(frames).toEqual(["030e070000ac02008001", "030e070000ac0201ac01"]);
  });
});
