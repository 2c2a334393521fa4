import type { Endpoint } from "../net/endpoint.ts";
import { readAddress } from "./address.ts";
import { COMPREHENSION_OPTIONAL, STUN_HEADER_BYTES, StunAttribute, TRANSACTION_ID_BYTES } from "./constants.ts";
import { fingerprint, hmacMatches, INTEGRITY_BYTES, type IntegrityAlgorithm, messageHmac } from "./integrity.ts";

/** What a message is (RFC 8489 section 5). */
export type StunClass = "request" | "indication" | "success" | "error";

const CLASSES: readonly StunClass[] = ["request", "indication", "success", "error"];
/** No message that we know has nearly as many; more would only be there to keep us busy. */
const MAX_ATTRIBUTES = 64;

/** The message type's number: the class's two bits stand between the method's (RFC 8489 section 5). */
export function messageType(method: number, cls: StunClass): number {
  const c = CLASSES.indexOf(cls);
  return (method & 0x0f) | ((method & 0x70) << 1) | ((method & 0xf80) << 2) | ((c & 1) << 4) | ((c & 2) << 7);
}

/**
 * Whether a datagram looks like STUN: two zero bits, the cookie, a length that fits (RFC 8489 section 6.3). Cheap enough
 * for every packet of a game that shares the socket. RFC 7983's range for STUN, 0-3, does not suffice for that: a
 * netcode packet may begin with such a byte too.
 */
export function isStun(data: Uint8Array): boolean {
  if (data.length < STUN_HEADER_BYTES || ((data[0] ?? 0xff) & 0xc0) !== 0) return false;
  if (data[4] !== 0x21 || data[5] !== 0x12 || data[6] !== 0xa4 || data[7] !== 0x42) return false;
  return (((data[2] ?? 0) << 8) | (data[3] ?? 0)) === data.length - STUN_HEADER_BYTES && (data.length & 3) === 0;
}

interface Attribute {
  readonly type: number;
  readonly value: Buffer;
  /** Where its header begins in the message. */
  readonly offset: number;
}

/** A STUN message that was received. Its values are views of the datagram. */
export class StunMessage {
  /** What the message is. */
  readonly class: StunClass;
  /** One of {@link StunMethod}, or any other, 0-0xfff. */
  readonly method: number;
  /** 12 bytes. */
  readonly transactionId: Buffer;
  /** In the message's order, without what follows the integrity attributes and must be ignored. */
  readonly attributes: readonly Attribute[];
  readonly #data: Buffer;

  private constructor(data: Buffer, attributes: readonly Attribute[]) {
    const type = data.readUInt16BE(0);
    this.class = CLASSES[((type >> 4) & 1) | ((type >> 7) & 2)] ?? "request";
    this.method = (type & 0x0f) | ((type >> 1) & 0x70) | ((type >> 2) & 0xf80);
    this.transactionId = data.subarray(8, 8 + TRANSACTION_ID_BYTES);
    this.attributes = attributes;
    this.#data = data;
  }

  /** Reads one datagram; `null` for anything that is not one whole, well-formed STUN message. Never throws. */
  static decode(data: Uint8Array): StunMessage | null {
    if (!isStun(data)) return null;
    const buffer = Buffer.from(data.buffer, data.byteOffset, data.length);
    const attributes: Attribute[] = [];
    let last = 0;
    for (let offset = STUN_HEADER_BYTES; offset < buffer.length; ) {
      // The whole message is a multiple of four, so that a header is always there.
      const type = buffer.readUInt16BE(offset);
      const length = buffer.readUInt16BE(offset + 2);
      const end = offset + 4 + length;
      if (end > buffer.length || last === StunAttribute.FINGERPRINT || attributes.length === MAX_ATTRIBUTES)
        return null;
      if (mayFollow(last, type)) {
        attributes.push({ type, value: buffer.subarray(offset + 4, end), offset });
        if (isSeal(type)) last = type;
      }
      offset = end + (-length & 3);
    }
    return new StunMessage(buffer, attributes);
  }

  /** Bytes of the whole message. */
  get bytes(): number {
    return this.#data.length;
  }

  /** The transaction id as a key for maps. */
  get transactionKey(): string {
    return this.transactionId.toString("latin1");
  }

  /** Whether an attribute is there. */
  has(type: number): boolean {
    return this.get(type) !== undefined;
  }

  /** The first attribute of this type; those that repeat it are ignored (RFC 8489 section 14). */
  get(type: number): Buffer | undefined {
    return this.#find(type)?.value;
  }

  /** Every attribute of this type, for those that may repeat (XOR-PEER-ADDRESS in CreatePermission). */
  all(type: number): Buffer[] {
    return this.attributes.filter((attribute) => attribute.type === type).map(({ value }) => value);
  }

  /** An attribute in MAPPED-ADDRESS's format: ALTERNATE-SERVER, RESPONSE-ORIGIN, OTHER-ADDRESS. */
  address(type: number): Endpoint | null {
    const value = this.get(type);
    return value === undefined ? null : readAddress(value);
  }

  /** An attribute in XOR-MAPPED-ADDRESS's format: XOR-RELAYED-ADDRESS, XOR-PEER-ADDRESS. */
  xorAddress(type: number): Endpoint | null {
    const value = this.get(type);
    return value === undefined ? null : readAddress(value, this.transactionId);
  }

  /** XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS from servers that know no other. */
  mappedAddress(): Endpoint | null {
    return this.xorAddress(StunAttribute.XOR_MAPPED_ADDRESS) ?? this.address(StunAttribute.MAPPED_ADDRESS);
  }

  /** An attribute's UTF-8 text; undefined where it is not there. */
  text(type: number): string | undefined {
    return this.get(type)?.toString();
  }

  /** A 32-bit number: PRIORITY, LIFETIME, CHANGE-REQUEST. */
  uint32(type: number): number | undefined {
    const value = this.get(type);
    return value?.length === 4 ? value.readUInt32BE(0) : undefined;
  }

  /** A 64-bit number: the tie-breaker of ICE-CONTROLLING and ICE-CONTROLLED. */
  uint64(type: number): bigint | undefined {
    const value = this.get(type);
    return value?.length === 8 ? value.readBigUInt64BE(0) : undefined;
  }

  /** ERROR-CODE, 300-699 (RFC 8489 section 14.8). */
  errorCode(): { code: number; reason: string } | null {
    const value = this.get(StunAttribute.ERROR_CODE);
    if (value === undefined || value.length < 4) return null;
    const hundreds = (value[2] ?? 0) & 7;
    const rest = value[3] ?? 0;
    if (hundreds < 3 || hundreds > 6 || rest > 99) return null;
    return { code: hundreds * 100 + rest, reason: value.toString("utf8", 4) };
  }

  /** UNKNOWN-ATTRIBUTES of an error 420. */
  unknownAttributes(): number[] {
    const value = this.get(StunAttribute.UNKNOWN_ATTRIBUTES) ?? Buffer.alloc(0);
    return Array.from({ length: value.length >> 1 }, (_, i) => value.readUInt16BE(2 * i));
  }

  /** The attributes that must be understood, and are not among `known` (RFC 8489 section 6.3.1). */
  unknownRequired(known: ReadonlySet<number>): number[] {
    const unknown = this.attributes
      .map(({ type }) => type)
      .filter((type) => type < COMPREHENSION_OPTIONAL && !known.has(type));
    return [...new Set(unknown)];
  }

  /** `true` and `false` for a right and a wrong FINGERPRINT, `undefined` where there is none. */
  fingerprintMatches(): boolean | undefined {
    const attribute = this.#find(StunAttribute.FINGERPRINT);
    if (attribute === undefined) return undefined;
    return (
      attribute.value.length === 4 && attribute.value.readUInt32BE(0) === fingerprint(this.#data, attribute.offset)
    );
  }

  /**
   * `true` and `false` for a right and a wrong MESSAGE-INTEGRITY (or, with `sha256`, MESSAGE-INTEGRITY-SHA256),
   * `undefined` where there is none. Compared in constant time.
   */
  integrityMatches(key: Uint8Array, algorithm: IntegrityAlgorithm = "sha1"): boolean | undefined {
    const sha1 = algorithm === "sha1";
    const attribute = this.#find(sha1 ? StunAttribute.MESSAGE_INTEGRITY : StunAttribute.MESSAGE_INTEGRITY_SHA256);
    if (attribute === undefined) return undefined;
    const { value, offset } = attribute;
    const shortest = sha1 ? INTEGRITY_BYTES.sha1 : 16;
    if (value.length < shortest || value.length > INTEGRITY_BYTES[algorithm] || value.length % 4 !== 0) return false;
    return hmacMatches(value, messageHmac(this.#data, offset, value.length, key, algorithm));
  }

  #find(type: number): Attribute | undefined {
    return this.attributes.find((attribute) => attribute.type === type);
  }
}

function isSeal(type: number): boolean {
  return (
    type === StunAttribute.MESSAGE_INTEGRITY ||
    type === StunAttribute.MESSAGE_INTEGRITY_SHA256 ||
    type === StunAttribute.FINGERPRINT
  );
}

/** After an integrity attribute only the stronger one and FINGERPRINT count (RFC 8489 sections 14.5 and 14.6). */
function mayFollow(seal: number, type: number): boolean {
  if (seal === 0) return true;
  if (type === StunAttribute.FINGERPRINT) return true;
  return seal === StunAttribute.MESSAGE_INTEGRITY && type === StunAttribute.MESSAGE_INTEGRITY_SHA256;
}
