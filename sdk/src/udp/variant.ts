/**
 * Godot's binary serialisation of Variants (core/io/marshalls.cpp), for the types that JSON has, byte arrays and 64-bit
 * integers: what `put_var` sends. Objects are never read, since a peer must not choose what we instantiate.
 */

/**
 * A number that is a float in Godot, whatever its value. GDScript tells 5.0 from 5, JavaScript does not: a whole `number` is
 * written as an `int`, and `new GodotFloat(5)` as a `float`. Calculates as the number that it holds.
 */
export class GodotFloat {
  /** The number. */
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }

  /** The number, for arithmetic and comparison. */
  valueOf(): number {
    return this.value;
  }

  /** The number, for `JSON.stringify`. */
  toJSON(): number {
    return this.value;
  }
}

/** How a Variant is read. */
export interface VariantOptions {
  /** Floats are read as {@link GodotFloat}, so that they are floats again when they are written. Default false: numbers. */
  keepFloats?: boolean;
}

/**
 * What Godot calls a Variant, as far as JSON has it: `Map` for dictionaries with keys other than strings; `bigint` for integers
 * beyond 2^53; {@link GodotFloat} for a float that shall stay one. Byte arrays are `Uint8Array`.
 */
export type Variant =
  | null
  | boolean
  | number
  | bigint
  | GodotFloat
  | string
  | Uint8Array
  | readonly Variant[]
  | ReadonlyMap<Variant, Variant>
  | { readonly [key: string]: Variant };

/** Godot 4 numbers the types otherwise than Godot 3, and nothing in the bytes tells which of them wrote. */
export type VariantFormat = 3 | 4;

const NIL = 0;
const BOOL = 1;
const INT = 2;
const FLOAT = 3;
const STRING = 4;
const STRING_NAME = 21;
const CONTAINERS = {
  3: { dictionary: 18, array: 19, bytes: 20 },
  4: { dictionary: 27, array: 28, bytes: 29 },
} as const;

const TYPE_MASK = 0xff;
const FLAG_64 = 1 << 16;
/** Godot 4.4 marks typed containers in the header: what follows then is 1 a type number, 2 or 3 a name. */
const TYPED_ARRAY_SHIFT = 16;
const TYPED_KEY_SHIFT = 16;
const TYPED_VALUE_SHIFT = 18;
/** The top bit of a container's size once marked shared references. */
const SIZE_MASK = 0x7fffffff;
/** Far more than a game nests, far less than the stack bears. */
const MAX_DEPTH = 64;

class Malformed extends Error {}

/** Reads one Variant; what follows it is ignored, as in Godot. `undefined` for anything malformed or unsupported. */
export function decodeVariant(
  data: Uint8Array,
  format: VariantFormat = 4,
  options: VariantOptions = {},
): Variant | undefined {
  try {
    return new VariantReader(data, format, options.keepFloats ?? false).read(0);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

/** The Variant in bytes, or `undefined` for what Godot has no such type for (functions, symbols, cycles). */
export function encodeVariant(value: Variant, format: VariantFormat = 4): Buffer | undefined {
  const writer = new VariantWriter(format);
  try {
    writer.write(value, 0);
  } catch (error) {
    if (error instanceof Malformed) return undefined;
    throw error;
  }
  return Buffer.concat(writer.parts);
}

class VariantReader {
  readonly #data: Uint8Array;
  readonly #view: DataView;
  readonly #format: VariantFormat;
  readonly #keepFloats: boolean;
  #offset = 0;

  constructor(data: Uint8Array, format: VariantFormat, keepFloats: boolean) {
    this.#data = data;
    this.#format = format;
    this.#keepFloats = keepFloats;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  read(depth: number): Variant {
    if (depth > MAX_DEPTH) throw new Malformed();
    const header = this.#uint32();
    const wide = (header & FLAG_64) !== 0;
    const type = header & TYPE_MASK;
    switch (type) {
      case NIL:
        return null;
      case BOOL:
        return this.#uint32() !== 0;
      case INT:
        return wide ? this.#int64() : this.#view.getInt32(this.#take(4), true);
      case FLOAT: {
        const value = wide ? this.#view.getFloat64(this.#take(8), true) : this.#view.getFloat32(this.#take(4), true);
        return this.#keepFloats ? new GodotFloat(value) : value;
      }
      case STRING:
        return Buffer.from(this.#bytes()).toString();
      default:
        return this.#container(type, header, depth);
    }
  }

  #container(type: number, header: number, depth: number): Variant {
    const modern = this.#format === 4;
    const types = CONTAINERS[this.#format];
    if (type === types.bytes) return Uint8Array.from(this.#bytes());
    if (type === types.array) {
      if (modern) this.#skipType(header >>> TYPED_ARRAY_SHIFT);
      return this.#array(depth);
    }
    if (type === types.dictionary) {
      if (modern) {
        this.#skipType(header >>> TYPED_KEY_SHIFT);
        this.#skipType(header >>> TYPED_VALUE_SHIFT);
      }
      return this.#dictionary(depth);
    }
    if (modern && type === STRING_NAME) return Buffer.from(this.#bytes()).toString();
    throw new Malformed();
  }

  #take(length: number): number {
    const at = this.#offset;
    if (length > this.#data.length - at) throw new Malformed();
    this.#offset = at + length;
    return at;
  }

  #uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  #int64(): number | bigint {
    const value = this.#view.getBigInt64(this.#take(8), true);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  /** Length, bytes, padding to a multiple of four; the padding may be missing at the very end. */
  #bytes(): Uint8Array {
    const length = this.#uint32();
    const at = this.#take(length);
    this.#offset = Math.min(at + Math.ceil(length / 4) * 4, this.#data.length);
    return this.#data.subarray(at, at + length);
  }

  #skipType(kind: number): void {
    if ((kind & 3) === 1) this.#uint32();
    else if ((kind & 3) !== 0) this.#bytes();
  }

  /** Every element takes four bytes at least, so a size that lies is caught before anything is allocated for it. */
  #size(bytesEach: number): number {
    const size = this.#uint32() & SIZE_MASK;
    if (size > (this.#data.length - this.#offset) / bytesEach) throw new Malformed();
    return size;
  }

  #array(depth: number): Variant[] {
    const size = this.#size(4);
    const array: Variant[] = [];
    for (let i = 0; i < size; i++) array.push(this.read(depth + 1));
    return array;
  }

  #dictionary(depth: number): Variant {
    const size = this.#size(8);
    const map = new Map<Variant, Variant>();
    let named = true;
    for (let i = 0; i < size; i++) {
      const key = this.read(depth + 1);
      named &&= typeof key === "string";
      map.set(key, this.read(depth + 1));
    }
    if (!named) return map;
    // No prototype, so that a key such as __proto__ is a key.
    const object = Object.create(null) as Record<string, Variant>;
    for (const [key, value] of map) object[key as string] = value;
    return object;
  }
}

class VariantWriter {
  readonly parts: Buffer[] = [];
  readonly #format: VariantFormat;

  constructor(format: VariantFormat) {
    this.#format = format;
  }

  write(value: Variant, depth: number): void {
    if (depth > MAX_DEPTH) throw new Malformed();
    const containers = CONTAINERS[this.#format];
    if (value === null || value === undefined) this.#uint32(NIL);
    else if (typeof value === "boolean") this.#uint32(BOOL, value ? 1 : 0);
    else if (typeof value === "number") this.#number(value);
    else if (typeof value === "bigint") this.#int64(value);
    else if (value instanceof GodotFloat) this.#float(value.value);
    else if (typeof value === "string") this.#bytes(STRING, Buffer.from(value));
    else if (value instanceof Uint8Array) this.#bytes(containers.bytes, value);
    else if (Array.isArray(value)) {
      this.#uint32(containers.array, value.length);
      for (const element of value as readonly Variant[]) this.write(element, depth + 1);
    } else if (value instanceof Map) {
      this.#entries(containers.dictionary, [...(value as ReadonlyMap<Variant, Variant>)], depth);
    } else if (typeof value === "object") {
      this.#entries(containers.dictionary, Object.entries(value), depth);
    } else throw new Malformed();
  }

  #entries(type: number, entries: readonly (readonly [Variant, Variant])[], depth: number): void {
    this.#uint32(type, entries.length);
    for (const [key, value] of entries) {
      this.write(key, depth + 1);
      this.write(value, depth + 1);
    }
  }

  #uint32(...values: number[]): void {
    const part = Buffer.allocUnsafe(4 * values.length);
    values.forEach((value, i) => part.writeUInt32LE(value >>> 0, 4 * i));
    this.parts.push(part);
  }

  /** A whole number is an `int`, as it would be in GDScript's source; others are floats, in 4 bytes where that is exact. */
  #number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value === (value | 0)) this.#uint32(INT, value);
      else this.#int64(BigInt(value));
    } else this.#float(value);
  }

  #float(value: number): void {
    if (Object.is(Math.fround(value), value)) {
      const part = Buffer.allocUnsafe(8);
      part.writeUInt32LE(FLOAT, 0);
      part.writeFloatLE(value, 4);
      this.parts.push(part);
    } else {
      const part = Buffer.allocUnsafe(12);
      part.writeUInt32LE(FLOAT | FLAG_64, 0);
      part.writeDoubleLE(value, 4);
      this.parts.push(part);
    }
  }

  #int64(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw new Malformed();
    const part = Buffer.allocUnsafe(12);
    part.writeUInt32LE(INT | FLAG_64, 0);
    part.writeBigInt64LE(value, 4);
    this.parts.push(part);
  }

  #bytes(type: number, bytes: Uint8Array): void {
    this.#uint32(type, bytes.length);
    this.parts.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
    const padding = -bytes.length & 3;
    if (padding > 0) this.parts.push(Buffer.alloc(padding));
  }
}
