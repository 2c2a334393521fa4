import { describe, expect, test } from "vitest";
import { MessageEndpoint } from "../../../../sdk/src/channel/endpoint.ts";
import { PathMtu } from "../../../../sdk/src/channel/recovery/path-mtu.ts";

/** The machine with a path under it that carries `carries` bytes, and a round trip of 50 ms. */
class Path {
  readonly mtu: PathMtu;
  readonly probes: number[] = [];
  carries: number;
  now = 1000;
  #sequence = 0;

  constructor(carries: number, max = 1200) {
    this.carries = carries;
    this.mtu = new PathMtu(max);
  }

  /** Sends packets, of which the path takes what is too long; then what became of them is known. */
  send(...lengths: number[]): void {
    const sentAt = this.now;
    this.now += 50;
    for (const bytes of lengths) {
      if (bytes <= this.mtu.floor) continue;
      if (bytes <= this.carries) this.mtu.onAcked(this.#sequence++, bytes, sentAt, this.now);
      else this.mtu.onLost(bytes, sentAt, this.now);
    }
  }

  /** Sends the probe that is due. @returns whether it got through; undefined if none is due. */
  probe(lose = false): boolean | undefined {
    const { mtu } = this;
    if (this.now < mtu.probeAt) return undefined;
    const sequence = 10_000 + this.#sequence++;
    const sentAt = this.now;
    const { probeBytes } = mtu;
    this.probes.push(probeBytes);
    mtu.onProbeSent(sequence);
    this.now += 50;
    const arrives = probeBytes <= this.carries && !lose;
    if (arrives) mtu.onAcked(sequence, probeBytes, sentAt, this.now);
    else mtu.onProbeLost(sentAt, this.now);
    return arrives;
  }

  /** Probes until none is due, which takes so many. */
  search(): number {
    for (let n = 0; ; n++) {
      if (this.probe() === undefined) return n;
      if (n > 100) throw new Error("the search does not end");
    }
  }

  /** Losses that make a black hole. */
  shrink(carries: number): void {
    this.carries = carries;
    for (let n = 0; n < 4; n++) this.send(this.mtu.size);
  }
}

describe("more than netcode's 1200 bytes", () => {
  test("are looked for at once, with one probe where the path carries all", () => {
    const path = new Path(1427, 1427);
    expect(path.mtu).toMatchObject({ size: 1200, frameBytes: 1160 });
    expect(path.search()).toBe(1);
    expect(path.probes).toEqual([1427]);
    // A datagram of 1400 bytes with its flow's and its frame's header.
    expect(path.mtu).toMatchObject({ size: 1427, probeAt: Infinity });
    expect(path.mtu.frameBytes).toBeGreaterThanOrEqual(1406);
  });

  test("are found as far as the path carries them, and 1200 stay meanwhile", () => {
    const path = new Path(1340, 1427);
    path.send(1200);
    path.search();
    expect(path.mtu.size).toBeGreaterThan(1340 - 32);
    expect(path.mtu.size).toBeLessThanOrEqual(1340);
    const none = new Path(1200, 1427);
    none.search();
    expect(none.mtu.size).toBe(1200);
    expect(none.mtu.safeBytes).toBe(512);
  });

  test("are not believed of another path", () => {
    const path = new Path(1427, 1427);
    path.search();
    path.carries = 1250;
    path.mtu.onPathChanged(path.now);
    expect(path.mtu.size).toBe(1200);
    path.search();
    expect(path.mtu.size).toBeLessThanOrEqual(1250);
    expect(path.mtu.size).toBeGreaterThanOrEqual(1200);
  });
});

describe("a path that carries all", () => {
  test("is asked nothing", () => {
    const path = new Path(1200);
    for (let n = 0; n < 1000; n++) path.send(100, 1200);
    expect(path.search()).toBe(0);
    expect(path.mtu).toMatchObject({ size: 1200, suspected: false, probeAt: Infinity });
  });

  test("packets that must get through are short until a long one did", () => {
    const path = new Path(1200);
    expect(path.mtu.safeBytes).toBe(512);
    path.send(512);
    expect(path.mtu.safeBytes).toBe(512);
    path.send(513);
    expect(path.mtu.safeBytes).toBe(1200);
  });

  test("one loss among long packets that arrived changes nothing", () => {
    const path = new Path(1200);
    path.send(1200);
    expect(path.mtu.onLost(1000, path.now, (path.now += 50))).toBe(true);
    expect(path.mtu).toMatchObject({ suspected: false, safeBytes: 1200, probeAt: Infinity });
    path.send(1000);
    expect(path.mtu.onLost(1000, path.now, path.now + 50)).toBe(true);
  });

  test("two losses make no black hole: one probe clears them", () => {
    const path = new Path(1200);
    path.send(1200);
    const { now } = path;
    path.now += 50;
    expect([path.mtu.onLost(1000, now, path.now), path.mtu.onLost(1000, now, path.now)]).toEqual([true, false]);
    expect(path.mtu).toMatchObject({ suspected: true, safeBytes: 512, size: 1200 });
    expect(path.search()).toBe(1);
    expect(path.probes).toEqual([1200]);
    expect(path.mtu).toMatchObject({ suspected: false, safeBytes: 1200, size: 1200, probeAt: Infinity });
  });

  test("nor does a loss of what was sent before something as long that arrived", () => {
    const path = new Path(1200);
    path.mtu.onAcked(1, 1100, 1010, 1060);
    for (let n = 0; n < 10; n++) path.mtu.onLost(1100, 1000 + n, 1060 + 50 * n);
    expect(path.mtu.suspected).toBe(false);
    for (let n = 0; n < 2; n++) path.mtu.onLost(1101, 1000, 1060);
    expect(path.mtu.suspected).toBe(true);
  });

  test("nor a burst of losses, however long, as of a full queue: all of it is one round", () => {
    const path = new Path(1200);
    for (let n = 0; n < 100; n++) path.mtu.onLost(1200, 1000 + n / 10, 1100);
    expect(path.mtu).toMatchObject({ size: 1200, suspected: true });
    path.mtu.onLost(1200, 1100, 1150);
    expect(path.mtu.size).toBe(512);
  });

  test("a mistake takes one round trip to heal", () => {
    const path = new Path(1200);
    for (let n = 0; n < 4; n++) path.mtu.onLost(1200, 1000 + 60 * n, 1050 + 60 * n);
    path.now = 1300;
    expect(path.mtu.size).toBe(512);
    expect(path.probe()).toBe(true);
    expect(path.mtu).toMatchObject({ size: 1200, probeAt: Infinity });
  });

  test("probes that were lost by chance are tried again after 10 s", () => {
    const path = new Path(1200);
    path.shrink(1000);
    path.carries = 1200;
    for (let n = 0; n < 3; n++) path.probe(true);
    path.search();
    expect(path.mtu.size).toBeLessThan(1200);
    path.now += 9900;
    expect(path.search()).toBe(0);
    path.now += 100;
    expect(path.search()).toBe(1);
    expect(path.mtu).toMatchObject({ size: 1200, probeAt: Infinity });
  });
});

describe("a path that carries less", () => {
  test.each([1199, 1147, 1053, 1000, 777, 600, 545, 512])("of %d bytes: what fits is found, to 32 bytes", (carries) => {
    const path = new Path(carries);
    path.shrink(carries);
    expect(path.mtu).toMatchObject({ size: 512, frameBytes: 512 - 40 });
    // Five halvings of 688 bytes, of which each may cost three probes, and three for the size that was.
    expect(path.search()).toBeLessThanOrEqual(3 + 5 * 3);
    expect(path.mtu.size).toBeLessThanOrEqual(carries);
    expect(path.mtu.size).toBeGreaterThan(carries - 32);
    expect(path.mtu.frameBytes).toBe(path.mtu.size - 40);
  });

  test("short packets that arrive, and longer ones that fit, don't hide that the longest vanish", () => {
    const path = new Path(1150);
    for (let n = 0; n < 4; n++) path.send(1160, 80, 1150, 600);
    expect(path.mtu.size).toBe(512);
  });

  test("what is lost beside it by chance does not put the verdict off", () => {
    const path = new Path(1000);
    for (let n = 0; n < 4; n++) {
      path.mtu.onLost(700, path.now, path.now + 50);
      path.send(1100, 700);
    }
    expect(path.mtu.size).toBe(512);
  });

  test("probes of the suspected size count as losses: one lost packet and three probes are enough", () => {
    const path = new Path(900);
    path.send(1200);
    expect([path.probe(), path.probe(), path.mtu.size]).toEqual([false, false, 1200]);
    expect([path.probe(), path.mtu.size]).toEqual([false, 512]);
  });

  test("three lost probes of the size that was make it certain; the same again does not", () => {
    const path = new Path(900);
    path.shrink(900);
    const certain: boolean[] = [];
    for (let n = 0; n < 3; n++) {
      expect(path.mtu.probeBytes).toBe(1200);
      path.mtu.onProbeSent(n);
      certain.push(path.mtu.onProbeLost(path.now, path.now));
    }
    expect(certain).toEqual([false, false, true]);
  });

  test("more is tried after 10 s, 20 s, … 10 min, for so long as a path lasts", () => {
    const path = new Path(600);
    path.shrink(600);
    path.search();
    const waits: number[] = [];
    for (let n = 0; n < 9; n++) {
      waits.push(Math.round((path.mtu.probeAt - path.now) / 1000));
      path.now = path.mtu.probeAt;
      path.search();
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600]);
    expect(path.mtu.size).toBeGreaterThan(600 - 32);
  });

  test("suspicion that comes again and again does not put that off", () => {
    const path = new Path(600);
    path.shrink(600);
    path.search();
    path.carries = 1200;
    const end = path.now + 10_500;
    while (path.now < end) {
      path.mtu.onLost(path.mtu.size, path.now, (path.now += 300));
      path.search();
    }
    expect(path.mtu.size).toBe(1200);
  });

  test("a path that shrinks further is found out, and one that grows", () => {
    const path = new Path(1100);
    path.shrink(1100);
    path.search();
    expect(path.mtu.size).toBeGreaterThan(1068);
    path.shrink(700);
    path.search();
    expect(path.mtu.size).toBeLessThanOrEqual(700);
    expect(path.mtu.size).toBeGreaterThan(668);
    path.carries = 1200;
    path.now = path.mtu.probeAt;
    expect(path.search()).toBeGreaterThan(0);
    expect(path.mtu.size).toBe(1200);
  });

  test("suspicion during a search is followed up after it", () => {
    const path = new Path(1100);
    path.shrink(1100);
    for (let n = 0; path.mtu.size < 800; n++) path.probe();
    path.carries = 520;
    path.send(path.mtu.size, path.mtu.size);
    path.search();
    expect(path.mtu.size).toBe(512);
  });
});

describe("another path", () => {
  test("is tried with the longest at once", () => {
    const path = new Path(600);
    path.shrink(600);
    path.search();
    path.now += 5;
    path.carries = 1200;
    path.mtu.onPathChanged(path.now);
    expect(path.probe()).toBe(true);
    expect(path.mtu.size).toBe(1200);
  });

  test("keeps its size, unproven, if it was the longest; what was lost on the old one does not count", () => {
    const path = new Path(1200);
    path.send(1200);
    path.mtu.onLost(1200, path.now, path.now + 50);
    path.mtu.onPathChanged(path.now + 60);
    expect(path.mtu).toMatchObject({ size: 1200, suspected: false, safeBytes: 512, probeAt: Infinity });
    for (let n = 0; n < 10; n++) path.mtu.onLost(1200, path.now + 5 * n, path.now + 70 + 50 * n);
    expect(path.mtu.suspected).toBe(false);
  });
});

test("where packets are shorter than 512 bytes anyway, nothing is looked for", () => {
  expect(new PathMtu(256)).toMatchObject({ floor: 256, size: 256, safeBytes: 256, frameBytes: 216 });
});

describe("the probe", () => {
  const out = new Uint8Array(1200);
  const packets = (from: MessageEndpoint, now: number): Uint8Array[] => {
    const sent: Uint8Array[] = [];
    for (let length = from.poll(out, now); length > 0; length = from.poll(out, now)) sent.push(out.slice(0, length));
    return sent;
  };

  test("is as PROTOCOL.md has it, and is acknowledged within 5 ms", () => {
    const [sender, receiver] = [0, 1].map(() => new MessageEndpoint({}, { message: () => undefined }));
    if (!sender || !receiver) throw new Error("never");
    sender.send(new Uint8Array(1000), "unreliable");
    expect(packets(sender, 0)).toHaveLength(1);
    sender.send(new Uint8Array(10), "reliable");
    for (let n = 1; n < 4; n++) {
      sender.send(new Uint8Array(10), "unreliable");
      for (const packet of packets(sender, n)) receiver.receive(packet, 10 + n);
    }
    // The gap is told at once; with it the loss is known, and the next packet to leave is the probe.
    for (const packet of packets(receiver, 14)) sender.receive(packet, 24);
    const [probe, ...more] = packets(sender, 24);
    expect(more).toEqual([]);
    expect(probe).toHaveLength(1200);
    const content = Buffer.from(probe ?? out);
    const start = content.indexOf(0x10, 5);
    expect(content.subarray(start + 1).every((byte) => byte === 0)).toBe(true);
    // Control: urgency 3, whatever else it says of acknowledgements; no frame.
    expect((content[start - 1] ?? 0) & 3 || (content[start - 2] ?? 0) & 3).toBe(3);
    receiver.receive(probe ?? out, 34);
    expect(receiver.nextTimeout(34)).toBe(34 + 5);
    for (const packet of packets(receiver, 39)) sender.receive(packet, 49);
    expect(sender.stats).toMatchObject({ maxPacketBytes: 1200, mtuProbes: 1, bytesInFlight: 0 });
    expect(sender.poll(out, 1000)).toBe(0);
  });

  test("does not take the place of an acknowledgement, for it may be lost", () => {
    const [sender, receiver] = [0, 1].map(() => new MessageEndpoint({}, { message: () => undefined }));
    if (!sender || !receiver) throw new Error("never");
    sender.send(new Uint8Array(1000), "unreliable");
    packets(sender, 0);
    for (let n = 1; n < 4; n++) {
      sender.send(new Uint8Array(10), "reliable");
      for (const packet of packets(sender, n)) receiver.receive(packet, 10 + n);
    }
    receiver.send(new Uint8Array(10), "reliable");
    for (const packet of packets(receiver, 14)) sender.receive(packet, 24);
    expect(packets(sender, 24).map(({ length }) => length)).toEqual([1200]);
    expect(sender.nextTimeout(24)).toBeLessThanOrEqual(24 + 25);
    for (const packet of packets(sender, 49)) receiver.receive(packet, 59);
    expect(receiver.stats).toMatchObject({ bytesInFlight: 0, bufferedBytes: 0, packetsLost: 0 });
  });
});
