import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  MAX_STREAM_DATA_BYTES,
  parseStreamMessage,
  STREAM_DATA,
  STREAM_END,
  STREAM_OPEN,
  STREAM_RESET,
  STREAM_WINDOW,
  streamChannel,
  TunnelWriter,
} from "../../../../sdk/src/tunnel/wire/protocol.ts";

const writer = new TunnelWriter();
const ID = 0xfedc_ba98;

test("each message of a stream reads as it was written", () => {
  expect(parseStreamMessage(writer.open(ID, 63))).toEqual({ kind: STREAM_OPEN, id: ID, port: 63 });
  expect(parseStreamMessage(writer.window(ID, 0xffff_ffff))).toEqual({
    kind: STREAM_WINDOW,
    id: ID,
    more: 0xffff_ffff,
  });
  expect(parseStreamMessage(writer.bare(STREAM_END, ID))).toEqual({ kind: STREAM_END, id: ID });
  expect(parseStreamMessage(writer.bare(STREAM_RESET, ID))).toEqual({ kind: STREAM_RESET, id: ID });
  const data = new Uint8Array(MAX_STREAM_DATA_BYTES).fill(7);
  const read = parseStreamMessage(writer.data(ID, data));
  expect(read).toMatchObject({ kind: STREAM_DATA, id: ID });
  expect(read?.kind === STREAM_DATA && Buffer.compare(read.data, data)).toBe(0);
});

test("a datagram has its port and flow before it; the longest that UDP has does not fit", () => {
  expect(writer.datagram(2, 0xabcd, Uint8Array.of(9, 8))).toEqual(Buffer.from([2, 0xcd, 0xab, 9, 8]));
  expect(writer.datagram(0, 1, new Uint8Array(0))).toHaveLength(3);
  expect(writer.datagram(0, 1, new Uint8Array(65_507))).toHaveLength(65_510);
  expect(writer.datagram(0, 1, new Uint8Array(65_534))).toBeUndefined();
});

test("messages of the wrong length, or none of a stream's, are none", () => {
  expect(parseStreamMessage(Uint8Array.of(STREAM_OPEN, 1, 0, 0, 0))).toBeUndefined();
  expect(parseStreamMessage(Uint8Array.of(STREAM_DATA, 1, 0, 0, 0))).toBeUndefined();
  expect(parseStreamMessage(Uint8Array.of(STREAM_END, 1, 0, 0, 0, 0))).toBeUndefined();
  expect(parseStreamMessage(Uint8Array.of(STREAM_WINDOW, 1, 0, 0, 0, 1, 1, 1))).toBeUndefined();
  expect(parseStreamMessage(Uint8Array.of(9, 1, 0, 0, 0))).toBeUndefined();
  const tooLong = Buffer.concat([Buffer.from([STREAM_DATA, 1, 0, 0, 0]), Buffer.alloc(MAX_STREAM_DATA_BYTES + 1)]);
  expect(parseStreamMessage(tooLong)).toBeUndefined();
  fc.assert(fc.property(fc.uint8Array({ maxLength: 16 }), (bytes) => void parseStreamMessage(bytes)));
});

test("streams use the channels from 1 to 250, one after another", () => {
  expect([0, 1, 249, 250].map(streamChannel)).toEqual([1, 2, 250, 1]);
});
