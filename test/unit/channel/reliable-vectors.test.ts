import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ReliableEndpoint } from "../../../sdk/src/channel/reliable.ts";
import {
  type FragmentHeader,
  readFragmentHeader,
  readPacketHeader,
  writePacketHeader,
} from "../../../sdk/src/channel/wire/reliable-header.ts";
import { sequenceNewer } from "../../../sdk/src/channel/wire/sequence.ts";

// Made by running the reference implementation (reliable 1.4.0); they hold numbers only.

interface Config {
  max_packet_size: number;
  fragment_above: number;
  fragment_size: number;
  max_fragments: number;
}
interface Delivered {
  sequence: number;
  payload: string;
}
interface Op {
  op: "send" | "deliver" | "deliver_raw" | "bulk_send";
  endpoint: "A" | "B";
  to: "A" | "B";
  payload: string;
  sequence: number;
  first_id: number;
  datagrams: string[];
  id: number;
  bytes: string;
  delivered: Delivered[];
  acks: number[];
  count: number;
  deliver_when_sequence_multiple_of: number;
}
interface Vector {
  name: string;
  kind: string;
  expect: "accept" | "reject";
  bytes: string;
  sequence: number;
  ack: number;
  ack_bits: number;
  header_bytes: number;
  canonical: boolean;
  max_fragments: number;
  fragment_size: number;
  fragment_id: number;
  num_fragments: number;
  fragment_bytes: number;
  a: number;
  b: number;
  a_greater_than_b: boolean;
  a_less_than_b: boolean;
  a_sends: number;
  reach_b_in_order: number[];
  b_sequence: number;
  b_ack: number;
  b_ack_bits: number;
  b_header: string;
  a_acks_newest_first: number[];
  config: Config;
  payload: string;
  datagrams: string[];
  ops: Op[];
}

const file = JSON.parse(readFileSync(new URL("vectors/reliable-1.0.json", import.meta.url), "utf8")) as {
  vectors: Vector[];
};
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, "hex"));

/** An endpoint that writes down what it is told. */
class Recorder {
  readonly delivered: Delivered[] = [];
  readonly acks: number[] = [];
  readonly endpoint: ReliableEndpoint;

  constructor(config?: Config) {
    const options = config
      ? {
          maxPacketBytes: config.max_packet_size,
          fragmentAbove: config.fragment_above,
          fragmentBytes: config.fragment_size,
          maxFragments: config.max_fragments,
        }
      : {};
    this.endpoint = new ReliableEndpoint(options, {
      packet: (sequence, bytes, start, end) => {
        this.delivered.push({ sequence, payload: hex(bytes.subarray(start, end)) });
        return true;
      },
      acked: (sequence) => this.acks.push(sequence),
    });
  }

  send(payload: Uint8Array): { sequence: number; datagrams: Uint8Array[] } {
    const datagrams: Uint8Array[] = [];
    return { sequence: this.endpoint.sendPacket(payload, (datagram) => datagrams.push(datagram)), datagrams };
  }

  take(): { delivered: Delivered[]; acks: number[] } {
    return { delivered: this.delivered.splice(0), acks: this.acks.splice(0) };
  }
}

/** Brings `receiver` into the state that acknowledges `ack` and `ackBits`, oldest first. */
function receiveUpTo(receiver: Recorder, ack: number, ackBits: number): void {
  const { received } = receiver.endpoint;
  received.advance(ack);
  for (let n = 31; n >= 0; n--) if ((ackBits >>> n) & 1) received.insert((ack - n) & 0xffff);
}

const kinds: Record<string, (vector: Vector) => void> = {
  packet_header(vector) {
    const bytes = new Uint8Array(9);
    const length = writePacketHeader(bytes, 0, vector.sequence, vector.ack, vector.ack_bits);
    expect(hex(bytes.subarray(0, length))).toBe(vector.bytes);
    const header = { sequence: 0, ack: 0, ackBits: 0 };
    expect(readPacketHeader(bytes, 0, length, header)).toBe(length);
    expect(header).toEqual({ sequence: vector.sequence, ack: vector.ack, ackBits: vector.ack_bits });
  },

  packet_header_read(vector) {
    const bytes = unhex(vector.bytes);
    const header = { sequence: 0, ack: 0, ackBits: 0 };
    const length = readPacketHeader(bytes, 0, bytes.length, header);
    if (vector.expect === "reject") {
      expect(length).toBe(-1);
      return;
    }
    expect(length).toBe(vector.header_bytes);
    expect(header).toEqual({ sequence: vector.sequence, ack: vector.ack, ackBits: vector.ack_bits });
    const again = new Uint8Array(9);
    const canonical = hex(again.subarray(0, writePacketHeader(again, 0, header.sequence, header.ack, header.ackBits)));
    expect(canonical === hex(bytes.subarray(0, length))).toBe(vector.canonical);
  },

  fragment_header_read(vector) {
    const header: FragmentHeader = {
      sequence: 0,
      ack: 0,
      ackBits: 0,
      fragmentId: 0,
      numFragments: 0,
      dataOffset: 0,
      dataBytes: 0,
    };
    const valid = readFragmentHeader(unhex(vector.bytes), vector.max_fragments, vector.fragment_size, header);
    expect(valid).toBe(vector.expect === "accept");
    if (!valid) return;
    expect(header).toMatchObject({
      sequence: vector.sequence,
      fragmentId: vector.fragment_id,
      numFragments: vector.num_fragments,
      dataBytes: vector.fragment_bytes,
    });
    if (vector.fragment_id === 0) expect(header).toMatchObject({ ack: vector.ack, ackBits: vector.ack_bits });
  },

  sequence_compare({ a, b, a_greater_than_b, a_less_than_b }) {
    expect([sequenceNewer(a, b), sequenceNewer(b, a)]).toEqual([a_greater_than_b, a_less_than_b]);
  },

  ack_exchange(vector) {
    const a = new Recorder();
    const b = new Recorder();
    const sent: Uint8Array[] = [];
    for (let i = 0; i < vector.a_sends; i++) sent.push(...a.send(Uint8Array.of(0)).datagrams);
    for (const i of vector.reach_b_in_order) b.endpoint.receivePacket(sent[i] ?? new Uint8Array());
    expect(b.endpoint.received).toMatchObject({ ack: vector.b_ack, ackBits: vector.b_ack_bits });
    for (let i = 0; i < vector.b_sequence; i++) b.endpoint.commit();
    const [datagram] = b.send(Uint8Array.of(0)).datagrams;
    if (!datagram) throw new Error("nothing sent");
    expect(hex(datagram.subarray(0, -1))).toBe(vector.b_header);
    a.endpoint.receivePacket(datagram);
    expect(a.acks).toEqual(vector.a_acks_newest_first);
  },

  send(vector) {
    const sender = new Recorder(vector.config);
    receiveUpTo(sender, vector.ack, vector.ack_bits);
    for (let i = 0; i < vector.sequence; i++) sender.endpoint.commit();
    const { sequence, datagrams } = sender.send(unhex(vector.payload));
    expect(sequence).toBe(vector.sequence);
    expect(datagrams.map(hex)).toEqual(vector.datagrams);
    const receiver = new Recorder(vector.config);
    receiver.endpoint.received.advance((sequence - 1) & 0xffff);
    for (const datagram of datagrams.toReversed()) receiver.endpoint.receivePacket(datagram);
    expect(receiver.delivered).toEqual([{ sequence, payload: vector.payload }]);
  },

  endpoint_trace(vector) {
    const endpoints = { A: new Recorder(vector.config), B: new Recorder(vector.config) };
    const datagrams = new Map<number, Uint8Array>();
    for (const op of vector.ops) {
      if (op.op === "send") {
        const sent = endpoints[op.endpoint].send(unhex(op.payload));
        expect(sent.sequence).toBe(op.sequence);
        expect(sent.datagrams.map(hex)).toEqual(op.datagrams);
        for (const [i, datagram] of sent.datagrams.entries()) datagrams.set(op.first_id + i, datagram);
      } else if (op.op === "bulk_send") {
        const other = endpoints[op.endpoint === "A" ? "B" : "A"];
        const every = op.deliver_when_sequence_multiple_of;
        for (let i = 0; i < op.count; i++) {
          const sent = endpoints[op.endpoint].send(unhex(op.payload));
          if (every > 0 && sent.sequence % every === 0) {
            for (const datagram of sent.datagrams) other.endpoint.receivePacket(datagram);
          }
        }
        endpoints.A.take();
        endpoints.B.take();
      } else {
        const datagram = op.op === "deliver" ? datagrams.get(op.id) : unhex(op.bytes);
        endpoints[op.to].endpoint.receivePacket(datagram ?? new Uint8Array());
        expect(endpoints[op.to].take()).toEqual({ delivered: op.delivered, acks: op.acks });
      }
    }
  },
};

describe("reliable 1.0 vectors", () => {
  test("there are 144", () => {
    expect(file.vectors).toHaveLength(144);
  });
  for (const vector of file.vectors) {
    test(vector.name, () => {
      const check = kinds[vector.kind];
      if (!check) throw new Error(`no check for ${vector.kind}`);
      check(vector);
    });
  }
});
