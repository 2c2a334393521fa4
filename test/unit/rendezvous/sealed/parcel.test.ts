/** Records through relays that drop, repeat and swap, with a stranger who writes what he likes. */
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  NoiseInitiator,
  NoiseResponder,
  noiseReady,
  randomKeyPair,
} from "../../../../sdk/src/rendezvous/sealed/noise.ts";
import {
  encodeGuestOpening,
  parseGuestOpening,
  parseRecords,
  recordsThatFit,
} from "../../../../sdk/src/rendezvous/sealed/opening.ts";
import { ParcelStream } from "../../../../sdk/src/rendezvous/sealed/parcel.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 100);
const psk = new Uint8Array(32).fill(7);

beforeAll(() => noiseReady);

interface End {
  stream: ParcelStream;
  got: number[];
  emitted: number;
  isGivenUp: boolean;
}

/** Two ends, and a clock of their own. */
class Wire {
  now = 0;
  readonly ends: [End, End];
  /** What is on its way. */
  #queue: { at: number; to: 0 | 1; parcel: Uint8Array }[] = [];
  readonly #random: () => number;
  readonly #loss: number;
  readonly #isHostile: boolean;

  constructor(seed: number, { loss = 0, isHostile = false } = {}) {
    let state = seed | 1;
    this.#random = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state / 2 ** 32;
    };
    this.#loss = loss;
    this.#isHostile = isHostile;
    const options = { prologue: new Uint8Array(1), psk };
    const initiator = new NoiseInitiator(options);
    const responder = new NoiseResponder({ ...options, key: randomKeyPair(), pattern: "NX" });
    responder.read(initiator.write() ?? new Uint8Array());
    const answer = responder.write();
    const transport = initiator.read(answer?.message ?? new Uint8Array());
    if (transport === undefined || answer === undefined) throw new Error("no handshake");
    this.ends = [this.#end(0, transport), this.#end(1, answer.transport)];
  }

  #end(
    index: 0 | 1,
    {
      send,
      receive,
      handshakeHash,
    }: Pick<NonNullable<ReturnType<NoiseInitiator["read"]>>, "send" | "receive" | "handshakeHash">,
  ): End {
    const end: End = {
      got: [],
      emitted: 0,
      isGivenUp: false,
      stream: new ParcelStream({
        conversation: handshakeHash.slice(0, 8),
        send,
        receive,
        sent: 0,
        received: 0,
        emit: (parcel) => {
          end.emitted++;
          this.#carry(index === 0 ? 1 : 0, parcel);
        },
        deliver: (record) => end.got.push(new DataView(record.buffer, record.byteOffset).getUint32(0)),
        onGivenUp: () => {
          end.isGivenUp = true;
        },
        now: () => this.now,
      }),
    };
    return end;
  }

  #carry(to: 0 | 1, parcel: Uint8Array): void {
    // A relay has each copy or none; two relays may both have it.
    for (let copy = 0; copy < 2; copy++) {
      if (this.#random() < this.#loss) continue;
      this.#queue.push({ at: this.now + 20 + this.#random() * 150, to, parcel });
    }
    if (!this.#isHostile) return;
    const forged = parcel.slice();
    const at = Math.floor(this.#random() * forged.length);
    forged[at] = (forged[at] ?? 0) ^ (1 + Math.floor(this.#random() * 255));
    for (const each of [forged, parcel, parcel.subarray(0, at)]) {
      this.#queue.push(
        { at: this.now + this.#random() * 2000, to, parcel: each },
        { at: this.now, to: to === 0 ? 1 : 0, parcel: each },
      );
    }
  }

  say(from: 0 | 1, ...numbers: number[]): void {
    for (const number of numbers) {
      const record = new Uint8Array(256);
      new DataView(record.buffer).setUint32(0, number);
      this.ends[from].stream.sendRecord(record);
    }
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const due = Math.min(...this.#queue.map(({ at }) => at), ...this.ends.map(({ stream }) => stream.dueAt));
      if (due > end) break;
      this.now = Math.max(this.now, due);
      const ready = this.#queue.filter(({ at }) => at <= this.now);
      this.#queue = this.#queue.filter(({ at }) => at > this.now);
      for (const { to, parcel } of ready) this.ends[to].stream.receive(parcel);
      for (const { stream } of this.ends) if (stream.dueAt <= this.now) stream.tick();
      if (this.ends.some(({ isGivenUp }) => isGivenUp)) return;
    }
    this.now = end;
  }
}

const numbers = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe("a conversation through relays", () => {
  test("brings each record once, in order, whatever is lost, repeated, swapped and forged", () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 60 }),
        (seed, ours, theirs) => {
          const wire = new Wire(seed, { loss: 0.3, isHostile: true });
          wire.say(0, ...numbers(ours));
          wire.say(1, ...numbers(theirs));
          wire.run(60_000);
          expect([wire.ends[1].got, wire.ends[0].got]).toEqual([numbers(ours), numbers(theirs)]);
        },
      ),
      { numRuns: runs / 4 },
    );
  });

  test("an answer acknowledges: a request and its response are two parcels, and one more at the end", () => {
    const wire = new Wire(1);
    wire.say(0, 1);
    wire.run(200);
    wire.say(1, 2);
    wire.run(10_000);
    expect([wire.ends[0].emitted, wire.ends[1].emitted]).toEqual([2, 1]);
    wire.run(600_000);
    expect([wire.ends[0].emitted, wire.ends[1].emitted]).toEqual([2, 1]);
  });

  test("a stranger's copies make nobody talk", () => {
    const wire = new Wire(3, { isHostile: true });
    wire.say(0, ...numbers(10));
    wire.run(60_000);
    expect(wire.ends[1].got).toEqual(numbers(10));
    expect(wire.ends[0].emitted + wire.ends[1].emitted).toBeLessThan(16);
  });

  test("ends when nothing comes through", () => {
    const wire = new Wire(1, { loss: 1 });
    wire.say(0, 1);
    wire.run(60_000);
    expect(wire.ends[0].isGivenUp).toBe(true);
    expect(wire.ends[0].emitted).toBe(4);
  });
});

describe("an opening", () => {
  test("comes back as it was", () => {
    const records = [256, 1024, 3072].map((size) => new Uint8Array(size).fill(size & 0xff));
    const opening = { seed: new Uint8Array(16).fill(3), unixSeconds: 4_000_000_000, records };
    expect(parseGuestOpening(encodeGuestOpening(opening))).toEqual(opening);
    expect(recordsThatFit(records, 1 + 258 + 1026)).toBe(2);
    expect(recordsThatFit(records, 1 + 258 + 1025)).toBe(1);
  });

  test("may be anything", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        parseGuestOpening(bytes);
        parseRecords(bytes);
      }),
      { numRuns: runs * 5 },
    );
  });
});
