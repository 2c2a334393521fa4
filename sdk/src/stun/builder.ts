import { randomBytes } from "node:crypto";

import type { Endpoint } from "../net/endpoint.ts";
import { writeAddress } from "./address.ts";
import { MAGIC_COOKIE, STUN_HEADER_BYTES, StunAttribute, TRANSACTION_ID_BYTES } from "./constants.ts";
import { fingerprint, INTEGRITY_BYTES, type IntegrityAlgorithm, messageHmac } from "./integrity.ts";
import { messageType, type StunClass } from "./message.ts";

/** Enough for what we send but data in TURN; it grows. */
const INITIAL_BYTES = 256;

/** 96 random bits: nobody off the path can guess them, and forge an answer (RFC 8489 section 5). */
export function newTransactionId(): Buffer {
  return randomBytes(TRANSACTION_ID_BYTES);
}

/**
 * Writes a STUN message, attribute by attribute in the order of the calls. Integrity and fingerprint come last, in this
 * order. Wrong use throws a RangeError; nothing here depends on what a peer sent.
 */
export class StunBuilder {
  /** 12 bytes that the answer repeats. */
  readonly transactionId: Uint8Array;
  #buffer: Buffer = Buffer.alloc(INITIAL_BYTES);
  #length = STUN_HEADER_BYTES;

  constructor(method: number, cls: StunClass, transactionId: Uint8Array = newTransactionId()) {
    if (transactionId.length !== TRANSACTION_ID_BYTES) throw new RangeError("a transaction id has 12 bytes");
    this.transactionId = transactionId;
    this.#buffer.writeUInt16BE(messageType(method, cls), 0);
    this.#buffer.writeUInt32BE(MAGIC_COOKIE, 4);
    this.#buffer.set(transactionId, 8);
  }

  /** The bytes so far. */
  get length(): number {
    return this.#length;
  }

  /** An attribute of any type; its padding is added. */
  add(type: number, value: Uint8Array): this {
    const start = this.#length;
    const end = start + 4 + value.length;
    this.#reserve(end + 3);
    this.#buffer.writeUInt16BE(type, start);
    this.#buffer.writeUInt16BE(value.length, start + 2);
    this.#buffer.set(value, start + 4);
    this.#length = end + (-value.length & 3);
    return this;
  }

  /** An attribute that says something by being there: USE-CANDIDATE, DONT-FRAGMENT. */
  flag(type: number): this {
    return this.add(type, new Uint8Array(0));
  }

  /** MAPPED-ADDRESS's format: ALTERNATE-SERVER, RESPONSE-ORIGIN, OTHER-ADDRESS. */
  address(type: number, endpoint: Endpoint): this {
    return this.add(type, writeAddress(endpoint));
  }

  /** XOR-MAPPED-ADDRESS's format: XOR-RELAYED-ADDRESS, XOR-PEER-ADDRESS. */
  xorAddress(type: number, endpoint: Endpoint): this {
    return this.add(type, writeAddress(endpoint, this.transactionId));
  }

  /** An attribute of UTF-8 text: USERNAME, REALM, SOFTWARE. */
  text(type: number, text: string): this {
    return this.add(type, Buffer.from(text));
  }

  /** An attribute of 32 bits: LIFETIME, PRIORITY. */
  uint32(type: number, value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return this.add(type, bytes);
  }

  /** An attribute of 64 bits: ICE-CONTROLLED, ICE-CONTROLLING. */
  uint64(type: number, value: bigint): this {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    return this.add(type, bytes);
  }

  /** ERROR-CODE, 300-699. */
  errorCode(code: number, reason: string): this {
    if (!Number.isInteger(code) || code < 300 || code > 699) throw new RangeError(`${code} is no STUN error code`);
    return this.add(
      StunAttribute.ERROR_CODE,
      Buffer.concat([Buffer.of(0, 0, Math.floor(code / 100), code % 100), Buffer.from(reason)]),
    );
  }

  /** UNKNOWN-ATTRIBUTES (RFC 8489 section 14.9). */
  unknownAttributes(types: readonly number[]): this {
    const bytes = Buffer.alloc(2 * types.length);
    types.forEach((type, i) => bytes.writeUInt16BE(type, 2 * i));
    return this.add(StunAttribute.UNKNOWN_ATTRIBUTES, bytes);
  }

  /** MESSAGE-INTEGRITY or MESSAGE-INTEGRITY-SHA256 over all that was added before. */
  integrity(key: Uint8Array, algorithm: IntegrityAlgorithm = "sha1"): this {
    const type = algorithm === "sha1" ? StunAttribute.MESSAGE_INTEGRITY : StunAttribute.MESSAGE_INTEGRITY_SHA256;
    return this.add(type, messageHmac(this.#buffer, this.#length, INTEGRITY_BYTES[algorithm], key, algorithm));
  }

  /** FINGERPRINT, which ends the message. */
  fingerprint(): this {
    return this.uint32(StunAttribute.FINGERPRINT, fingerprint(this.#buffer, this.#length));
  }

  /** The message. It is valid until the next attribute is added. */
  build(): Buffer {
    this.#buffer.writeUInt16BE(this.#length - STUN_HEADER_BYTES, 2);
    return this.#buffer.subarray(0, this.#length);
  }

  #reserve(length: number): void {
    if (length - STUN_HEADER_BYTES > 0xffff) throw new RangeError("a STUN message holds at most 65535 bytes");
    if (length <= this.#buffer.length) return;
    const larger = Buffer.alloc(Math.max(length, this.#buffer.length * 2));
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }
}
