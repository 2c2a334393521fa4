/**
 * MQTT 3.1.1 (OASIS, 2014), as much as relaying takes: clean sessions, QoS 0, nothing retained, no will. Section numbers are its.
 *
 * The kept client for Node and browsers, `mqtt`, weighs 340 kB in a page: this is what of it is needed.
 */

/** Section 2.2.1. */
const TYPE = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  PINGREQ: 12,
  PINGRESP: 13,
} as const;

/** A packet that is longer is not kept: its bytes are counted and left out. */
const MAX_PACKET_BYTES = 8192;
/** Section 2.2.3: the length takes at most four bytes. */
const MAX_LENGTH_BYTES = 4;
/** Section 3.1.2.3. */
const FLAG = { CLEAN_SESSION: 0x02, PASSWORD: 0x40, USERNAME: 0x80 } as const;
/** Section 4.2 of table 3.1: `MQTT` and level 4. */
const PROTOCOL_LEVEL = 4;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export interface ConnectOptions {
  /** 1-23 of `0-9a-zA-Z` (section 3.1.3.1: no server must take more). */
  clientId: string;
  /** Both or none. */
  username?: string | undefined;
  password?: string | undefined;
  keepAliveSeconds: number;
}

export function connectPacket({ clientId, username, password = "", keepAliveSeconds }: ConnectOptions): Uint8Array {
  const flags = FLAG.CLEAN_SESSION | (username === undefined ? 0 : FLAG.USERNAME | FLAG.PASSWORD);
  const credentials = username === undefined ? [] : [text(username), text(password)];
  const head = [...text("MQTT"), PROTOCOL_LEVEL, flags, ...u16(keepAliveSeconds)];
  return packet(TYPE.CONNECT << 4, head, text(clientId), ...credentials);
}

/** Section 3.8: its first byte has a 2 at its end. */
export function subscribePacket(id: number, topics: readonly string[]): Uint8Array {
  return packet((TYPE.SUBSCRIBE << 4) | 2, u16(id), ...topics.map((topic) => [...text(topic), 0]));
}

/** Section 3.10. */
export function unsubscribePacket(id: number, topics: readonly string[]): Uint8Array {
  return packet((TYPE.UNSUBSCRIBE << 4) | 2, u16(id), ...topics.map(text));
}

/** QoS 0, not retained. */
export function publishPacket(topic: string, payload: Uint8Array): Uint8Array {
  return packet(TYPE.PUBLISH << 4, text(topic), payload);
}

export function pingPacket(): Uint8Array {
  return packet(TYPE.PINGREQ << 4);
}

export type MqttPacket =
  /** `code` 0: accepted (section 3.2.2.3). */
  | { type: "connack"; code: number }
  | { type: "suback"; id: number; granted: boolean }
  | { type: "publish"; topic: string; payload: Uint8Array; retained: boolean }
  | { type: "pingresp" };

/** Packets out of a stream of bytes, in whatever pieces it comes. Keeps at most MAX_PACKET_BYTES. */
export class MqttReader {
  #kept: Uint8Array = new Uint8Array(0);
  /** Of a packet that is too long, the bytes that are still to come. */
  #leftOut = 0;

  /** "malformed": the stream is none of MQTT. */
  read(bytes: Uint8Array): MqttPacket[] | "malformed" {
    const packets: MqttPacket[] = [];
    let rest = this.#skip(this.#kept.length === 0 ? bytes : join(this.#kept, bytes));
    while (rest.length > 0) {
      const length = readLength(rest);
      if (length === "malformed") return length;
      if (length === "more") break;
      const end = length.at + length.value;
      if (end > MAX_PACKET_BYTES) {
        this.#leftOut = end;
        rest = this.#skip(rest);
        continue;
      }
      if (rest.length < end) break;
      const found = parse(rest[0] ?? 0, rest.subarray(length.at, end));
      if (found !== undefined) packets.push(found);
      rest = rest.subarray(end);
    }
    this.#kept = rest.slice();
    return packets;
  }

  #skip(bytes: Uint8Array): Uint8Array {
    const skipped = Math.min(this.#leftOut, bytes.length);
    this.#leftOut -= skipped;
    return bytes.subarray(skipped);
  }
}

/** Undefined for packets that are nothing to us, and for malformed ones. */
function parse(head: number, body: Uint8Array): MqttPacket | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  switch (head >> 4) {
    case TYPE.CONNACK:
      return body.length === 2 ? { type: "connack", code: view.getUint8(1) } : undefined;
    case TYPE.SUBACK:
      if (body.length < 3) return undefined;
      return { type: "suback", id: view.getUint16(0), granted: body.subarray(2).every((code) => code < 0x80) };
    case TYPE.PINGRESP:
      return { type: "pingresp" };
    case TYPE.PUBLISH: {
      if (body.length < 2) return undefined;
      const qos = (head >> 1) & 3;
      const topicEnd = 2 + view.getUint16(0);
      const start = topicEnd + (qos > 0 ? 2 : 0);
      if (start > body.length) return undefined;
      const topic = decoder.decode(body.subarray(2, topicEnd));
      return { type: "publish", topic, payload: body.slice(start), retained: (head & 1) === 1 };
    }
    default:
      return undefined;
  }
}

/** Section 2.2.3: seven bits a byte, the highest says that more follow. */
function readLength(bytes: Uint8Array): { value: number; at: number } | "more" | "malformed" {
  let value = 0;
  for (let i = 0; i < MAX_LENGTH_BYTES; i++) {
    const byte = bytes[1 + i];
    if (byte === undefined) return "more";
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value, at: 2 + i };
  }
  return "malformed";
}

function packet(head: number, ...parts: (Uint8Array | number[])[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const lengthBytes: number[] = [];
  let left = length;
  do {
    const low = left & 0x7f;
    left >>= 7;
    lengthBytes.push(left > 0 ? low | 0x80 : low);
  } while (left > 0);
  const whole = new Uint8Array(1 + lengthBytes.length + length);
  whole[0] = head;
  whole.set(lengthBytes, 1);
  let at = 1 + lengthBytes.length;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function text(value: string): number[] {
  const bytes = encoder.encode(value);
  return [...u16(bytes.length), ...bytes];
}

function u16(value: number): number[] {
  return [value >> 8, value & 0xff];
}

function join(one: Uint8Array, other: Uint8Array): Uint8Array {
  const whole = new Uint8Array(one.length + other.length);
  whole.set(one);
  whole.set(other, one.length);
  return whole;
}
