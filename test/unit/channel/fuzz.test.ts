import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MessageEndpoint } from "../../../sdk/src/channel/endpoint.ts";
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import { assemblyBytes } from "../../../sdk/src/channel/receive/message-assembly.ts";
import { UnreliableAssemblies } from "../../../sdk/src/channel/receive/unreliable-assemblies.ts";
import { ReliableEndpoint } from "../../../sdk/src/channel/reliable.ts";
import {
  MAX_PACKET_HEADER_BYTES,
  readPacketHeader,
  writeFragmentHeader,
  writePacketHeader,
} from "../../../sdk/src/channel/wire/reliable-header.ts";
import type { ChannelFailure, DeliveryMode } from "../../../sdk/src/channel/wire/types.ts";
import { unboundedBytes } from "../../../sdk/src/net/held-bytes.ts";

// All of it: SALLYPORT_FUZZ_RUNS=100000 npm exec -- vitest run --project unit test/unit/channel/fuzz (over a million packets)
const RUNS = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 2000);
const CAP = 64 * 1024;
/** Beside what is early, one message may be held that is next. */
const HELD = CAP + assemblyBytes(CAP) + 1024;

/** An endpoint with small caps that a stranger writes to. */
class Target {
  failure: ChannelFailure | undefined;
  received = 0;
  readonly endpoint: MessageEndpoint = new MessageEndpoint(
    { maxMessageBytes: CAP, maxUnreliableBytes: 8192, maxReceiveBytes: CAP },
    { message: () => this.received++, failed: (reason) => (this.failure = reason) },
  );
  #sequence = 0;

  /** Delivers a payload under the next valid header. */
  deliver(payload: Uint8Array, now = 0, ack = 0xffff, ackBits = 0): void {
    const packet = new Uint8Array(MAX_PACKET_HEADER_BYTES + payload.length);
    const length = writePacketHeader(packet, 0, this.#sequence, ack, ackBits);
    this.#sequence = (this.#sequence + 1) & 0xffff;
    packet.set(payload, length);
    this.endpoint.receive(packet.subarray(0, length + payload.length), now);
  }
}

const varint = (value: number): number[] => {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
};
const filled = (length: number, value: number): number[] => Array.from({ length }, () => value);
const u16 = (value: number): number[] => [value & 0xff, value >>> 8];

const MODE = { unreliable: 0, sequenced: 1, unordered: 2, reliable: 3 };
const wholeFrame = (mode: number, id: number, data: number[]): number[] => [
  mode,
  ...(mode === 0 ? [] : u16(id)),
  ...varint(data.length),
  ...data,
];
const sliceFrame = (mode: number, id: number, total: number, first: number, length: number): number[] => [
  mode | 4,
  ...u16(id),
  ...varint(total),
  ...varint(first),
  ...varint(length),
  ...filled(length, 7),
];
const CONTROL = 2;

describe("hostile packets", { timeout: 3_600_000 }, () => {
  test("packet headers: what is written is read, what is not is refused without a throw", () => {
    const u = fc.integer({ min: 0, max: 0xffff });
    fc.assert(
      fc.property(u, u, fc.integer({ min: 0, max: 0xffffffff }), (sequence, ack, ackBits) => {
        const bytes = new Uint8Array(MAX_PACKET_HEADER_BYTES);
        const length = writePacketHeader(bytes, 0, sequence, ack, ackBits);
        const header = { sequence: 0, ack: 0, ackBits: 0 };
        expect(readPacketHeader(bytes, 0, length, header)).toBe(length);
        expect(header).toEqual({ sequence, ack, ackBits });
        for (let cut = 0; cut < length; cut++) expect(readPacketHeader(bytes, 0, cut, header)).toBe(-1);
      }),
      { numRuns: RUNS },
    );
  });

  test("any bytes: nothing throws, nothing grows", () => {
    let target = new Target();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1300 }), fc.boolean(), (bytes, headed) => {
        if (target.failure) target = new Target();
        if (headed) target.deliver(bytes);
        else target.endpoint.receive(bytes, 0);
        expect(target.endpoint.stats.receiveBufferedBytes).toBeLessThanOrEqual(HELD);
      }),
      { numRuns: RUNS },
    );
  });

  test("well-formed frames of any content: nothing throws, nothing grows", () => {
    let target = new Target();
    const failures = new Set<string>();
    const random = seededRandom(1);
    const upTo = (n: number): number => Math.floor(random() * n);
    for (let run = 0; run < RUNS * 10; run++) {
      if (target.failure) {
        failures.add(target.failure.code);
        target = new Target();
      }
      const payload = [CONTROL];
      while (payload.length < 600) {
        const mode = upTo(4);
        const id = random() < 0.95 ? upTo(40) : upTo(65_536);
        if (random() < 0.5) {
          payload.push(...wholeFrame(mode, id, filled(upTo(200), 1)));
        } else {
          const total = random() < 0.95 ? 1 + upTo(20) * 100 : 1 + upTo(CAP * 1.1);
          const first = upTo(Math.ceil(total / 128));
          const length = Math.min(128 * (1 + upTo(3)), total - first * 128);
          payload.push(...sliceFrame(mode, id, total, first, random() < 0.99 ? length : upTo(300)));
        }
      }
      target.deliver(Uint8Array.from(payload));
      expect(target.endpoint.stats.receiveBufferedBytes).toBeLessThanOrEqual(HELD);
    }
    expect(failures).toEqual(new Set(["malformed", "message-too-large", "window-exceeded"]));
  });

  test("padding: what stands before it is read, what stands behind it is not, and no other reserved type is taken for it", () => {
    const target = new Target();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1000 }), (rest) => {
        const { received } = target;
        target.deliver(Uint8Array.from([CONTROL, ...wholeFrame(MODE.unreliable, 0, [1]), 0x10, ...rest]));
        expect([target.received, target.failure]).toEqual([received + 1, undefined]);
      }),
      { numRuns: RUNS },
    );
    for (let type = 0x11; type < 0x100; type++) {
      const other = new Target();
      other.deliver(Uint8Array.from([CONTROL, type]));
      expect(other.failure?.code).toBe("malformed");
    }
  });

  test("messages that wait for one that never comes: held up to the cap, then refused", () => {
    const target = new Target();
    const { stats } = target.endpoint;
    let id = 1;
    for (; stats.packetsDropped === 0; id++) {
      target.deliver(Uint8Array.from([CONTROL, ...wholeFrame(MODE.reliable, id, filled(1000, 1))]));
      expect(stats.receiveBufferedBytes).toBeLessThanOrEqual(CAP);
    }
    expect(id).toBe(Math.floor(CAP / (1024 + 384)) + 2);
    expect([target.failure, target.received]).toEqual([undefined, 0]);
    target.deliver(Uint8Array.from([CONTROL, ...wholeFrame(MODE.reliable, 0, [1])]));
    expect(target.received).toBe(id - 1);
    expect(stats.receiveBufferedBytes).toBe(0);
  });

  test("packets of a conversation, cut, flipped and spliced: nothing throws, poll ends", () => {
    const random = seededRandom(4);
    const upTo = (n: number): number => Math.floor(random() * n);
    const modes: DeliveryMode[] = ["reliable", "reliable-unordered", "unreliable", "unreliable-sequenced"];
    const out = new Uint8Array(1200);
    for (let run = 0; run < RUNS / 10; run++) {
      const sides = [new Target(), new Target()] as const;
      let now = 0;
      let previous = new Uint8Array([0]);
      for (let step = 0; step < 100; step++) {
        now += random() * 30;
        for (const [index, side] of sides.entries()) {
          side.endpoint.send(new Uint8Array(upTo(step % 7 === 0 ? 5000 : 100)), modes[upTo(4)] ?? "reliable");
          for (let n = 0; ; n++) {
            const length = side.endpoint.poll(out, now);
            if (length === 0) break;
            expect(n).toBeLessThan(1000);
            const packet = out.slice(0, length);
            const kind = upTo(12);
            if (kind === 0) packet[upTo(length)] = upTo(256);
            if (kind === 1) packet.set(previous.subarray(upTo(previous.length)).subarray(0, length >> 1), length >> 1);
            sides[1 - index]?.endpoint.receive(kind === 2 ? packet.subarray(0, upTo(length)) : packet, now);
            previous = packet;
          }
        }
      }
      for (const { endpoint } of sides) {
        expect(endpoint.stats.bytesInFlight).toBeGreaterThanOrEqual(0);
        expect(endpoint.stats.receiveBufferedBytes).toBeLessThanOrEqual(HELD);
      }
    }
  });

  test("acknowledgements of what was never sent do nothing", () => {
    const target = new Target();
    const out = new Uint8Array(1200);
    target.endpoint.send(new Uint8Array(10), "reliable");
    expect(target.endpoint.poll(out, 0)).toBeGreaterThan(0);
    const before = { ...target.endpoint.stats };
    for (let ack = 100; ack < 60_000; ack += 31) target.deliver(Uint8Array.of(0), 1, ack, 0xffffffff);
    // Older ones, up to 224 below.
    for (const ack of [500, 40_000]) target.deliver(Uint8Array.of(8, 28, ...filled(28, 0xff)), 1, ack);
    const { bytesInFlight, bufferedBytes, congestionWindow, rttMs, packetsLost } = before;
    expect(target.endpoint.stats).toMatchObject({ bytesInFlight, bufferedBytes, congestionWindow, rttMs, packetsLost });
    expect(target.failure).toBeUndefined();
    target.deliver(Uint8Array.of(0), 1, 0, 1);
    expect(target.endpoint.stats).toMatchObject({ bytesInFlight: 0, bufferedBytes: 0 });
  });

  test("reliable 1.0's fragments that never complete stay within the cap", () => {
    const endpoint = new ReliableEndpoint({ maxReassemblyBytes: CAP }, { packet: () => true, acked: () => undefined });
    const random = seededRandom(9);
    for (let run = 0; run < RUNS * 5; run++) {
      const datagram = new Uint8Array(5 + 1024);
      writeFragmentHeader(datagram, 0, Math.floor(random() * 300), 1 + Math.floor(random() * 14), 16);
      endpoint.receivePacket(datagram);
      expect(endpoint.reassemblyBytes).toBeLessThanOrEqual(CAP);
    }
    expect(endpoint.reassemblyBytes).toBeGreaterThan(CAP / 2);
  });

  test("unreliable messages that never complete stay within the cap", () => {
    const assemblies = new UnreliableAssemblies(16_384, unboundedBytes());
    const data = new Uint8Array(1024);
    let most = 0;
    for (let id = 0; id < 2000; id++) {
      for (let first = 0; first < 56; first += 8) {
        expect(assemblies.add(id % 3, id, 8192, first, data, 0, 1024)).toBeUndefined();
        most = Math.max(most, assemblies.bytes);
      }
    }
    expect(most).toBeGreaterThan(8192);
    expect(most).toBeLessThanOrEqual(16_384);
  });

  test("a slice costs what it brings, not what it claims", () => {
    const target = new Target();
    target.deliver(Uint8Array.from([CONTROL, ...sliceFrame(MODE.reliable, 5, CAP, 0, 128)]));
    expect(target.failure).toBeUndefined();
    expect(target.endpoint.stats.receiveBufferedBytes).toBeLessThan(6000);
  });

  test("overlapping slices of one message are the message once", () => {
    const target = new Target();
    for (const [first, length] of [
      [0, 256],
      [1, 256],
      [0, 384],
      [2, 200],
      [0, 128],
    ] as const) {
      target.deliver(Uint8Array.from([CONTROL, ...sliceFrame(MODE.reliable, 0, 456, first, length)]));
    }
    expect(target.failure).toBeUndefined();
    expect(target.received).toBe(1);
    expect(target.endpoint.stats.receiveBufferedBytes).toBe(0);
  });

  const broken: [ChannelFailure["code"], string, number[]][] = [
    ["malformed", "no control byte", []],
    ["malformed", "reserved bits of the control byte", [0x10]],
    ["malformed", "older acks cut short", [8, 5, 1, 2]],
    ["malformed", "no older acks", [8, 0]],
    ["malformed", "a frame of unknown type", [CONTROL, 0x80]],
    ["malformed", "a frame cut short", [CONTROL, 3, 0]],
    ["malformed", "a length behind the end", [CONTROL, 0, 5, 1, 2]],
    ["malformed", "a varint of five bytes", [CONTROL, 0, 0x80, 0x80, 0x80, 0x80, 0]],
    ["malformed", "an empty slice", [CONTROL, ...sliceFrame(3, 0, 1000, 0, 0)]],
    ["malformed", "a slice behind its message's end", [CONTROL, ...sliceFrame(3, 0, 1000, 7, 128)]],
    ["malformed", "a slice of half a block", [CONTROL, ...sliceFrame(3, 0, 1000, 0, 64)]],
    [
      "malformed",
      "two lengths of one message",
      [CONTROL, ...sliceFrame(3, 0, 1000, 0, 128), ...sliceFrame(3, 0, 999, 1, 128)],
    ],
    ["message-too-large", "a message above the cap", [CONTROL, ...sliceFrame(3, 0, CAP + 1, 0, 128)]],
    ["message-too-large", "an unreliable one", [CONTROL, ...sliceFrame(0, 0, 8193, 0, 128)]],
    ["window-exceeded", "a message beyond the window", [CONTROL, ...wholeFrame(3, 2048, [])]],
  ];
  test.each(broken)("%s: %s", (code, _name, payload) => {
    const target = new Target();
    target.deliver(Uint8Array.from(payload));
    expect(target.failure?.code).toBe(code);
    expect(target.endpoint.closed).toBe(true);
    expect(target.endpoint.poll(new Uint8Array(1200), 0)).toBe(0);
  });
});
