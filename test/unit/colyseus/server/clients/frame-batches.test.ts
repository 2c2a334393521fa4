import { describe, expect, test } from "vitest";
import {
  type Batch,
  type BatchReceiver,
  FrameBatches,
} from "../../../../../sdk/src/colyseus/server/clients/frame-batches.ts";
import { BATCH, readBatch } from "../../../../../sdk/src/colyseus/wire/frame-batch.ts";

class Receiver implements BatchReceiver {
  pendingBatch: Batch | null = null;
  readonly got: Uint8Array[] = [];
  sendBatch(message: Uint8Array): void {
    this.got.push(message);
  }
  get frames(): number[][] {
    return this.got.flatMap((message) => {
      if (message[0] !== BATCH) return [[...message]];
      const frames: number[][] = [];
      expect(readBatch(message, (frame) => frames.push([...frame]) > 0)).toBe(true);
      return frames;
    });
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const broadcast = (batches: FrameBatches, receivers: Receiver[], frame: Uint8Array): void => {
  for (const receiver of receivers) expect(batches.push(receiver, frame)).toBe(true);
};

describe("frames of one turn", () => {
  test("come in order, as one message, which is made once for all who get the same", async () => {
    const batches = new FrameBatches();
    const receivers = Array.from({ length: 5 }, () => new Receiver());
    for (const n of [1, 2, 3]) broadcast(batches, receivers, new Uint8Array([13, n]));
    expect(receivers.flatMap(({ got }) => got)).toEqual([]);
    await turn();
    const [first] = receivers;
    expect(first?.frames).toEqual([
      [13, 1],
      [13, 2],
      [13, 3],
    ]);
    for (const { got } of receivers) {
      expect(got.length).toBe(1);
      expect(got[0]).toBe(first?.got[0]);
    }
  });

  test("are kept as they were, whatever becomes of Colyseus' buffer, also if it is the same array again", async () => {
    const batches = new FrameBatches();
    const receivers = [new Receiver(), new Receiver()];
    const buffer = new Uint8Array([15, 1]);
    broadcast(batches, receivers, buffer);
    buffer[1] = 2;
    broadcast(batches, receivers, buffer);
    buffer.fill(0);
    await turn();
    for (const { frames } of receivers)
      expect(frames).toEqual([
        [15, 1],
        [15, 2],
      ]);
  });

  test("may differ: who hears something of their own gets that in its place", async () => {
    const batches = new FrameBatches();
    const receivers = Array.from({ length: 4 }, () => new Receiver());
    const [ann, bob] = receivers as [Receiver, Receiver];
    broadcast(batches, receivers, new Uint8Array([13, 1]));
    batches.push(ann, new Uint8Array([13, 100]));
    broadcast(batches, receivers, new Uint8Array([13, 2]));
    batches.push(bob, new Uint8Array([13, 101]));
    await turn();
    expect(receivers.map(({ frames }) => frames.map(([, n]) => n))).toEqual([
      [1, 100, 2],
      [1, 2, 101],
      [1, 2],
      [1, 2],
    ]);
  });
});

test("one that is alone travels as it is, and each turn begins anew", async () => {
  const batches = new FrameBatches();
  const receiver = new Receiver();
  for (const n of [1, 2]) {
    batches.push(receiver, new Uint8Array([13, n]));
    await turn();
  }
  expect(receiver.got.map((message) => [...message])).toEqual([
    [13, 1],
    [13, 2],
  ]);
});

test("what was flushed does not come again", async () => {
  const batches = new FrameBatches();
  const receiver = new Receiver();
  batches.push(receiver, new Uint8Array([13, 1]));
  batches.flush(receiver);
  batches.push(receiver, new Uint8Array([13, 2]));
  await turn();
  batches.flush(receiver);
  expect(receiver.frames).toEqual([
    [13, 1],
    [13, 2],
  ]);
});

test("a batch has a limit, and long frames are not taken", async () => {
  const batches = new FrameBatches();
  const receiver = new Receiver();
  expect(batches.push(receiver, new Uint8Array(3000))).toBe(false);
  for (let i = 0; i < 20; i++) batches.push(receiver, new Uint8Array(2000).fill(i));
  await turn();
  expect(receiver.got.length).toBe(3);
  expect(receiver.frames.map(([n]) => n)).toEqual(Array.from({ length: 20 }, (_, i) => i));
});
