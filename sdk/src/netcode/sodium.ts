import sodium, { ready } from "libsodium-wrappers";
import { NetcodeError } from "./errors.ts";

/** The parts of libsodium's Emscripten module that are used. 64-bit lengths are passed as two 32-bit halves. */
interface RawSodium {
  readonly HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _crypto_aead_chacha20poly1305_ietf_encrypt: RawEncrypt;
  _crypto_aead_chacha20poly1305_ietf_decrypt: RawDecrypt;
  _crypto_aead_xchacha20poly1305_ietf_encrypt: RawEncrypt;
  _crypto_aead_xchacha20poly1305_ietf_decrypt: RawDecrypt;
}
type RawEncrypt = (
  cipher: number,
  cipherLengthOut: number,
  message: number,
  messageLow: number,
  messageHigh: number,
  ad: number,
  adLow: number,
  adHigh: number,
  secretNonce: number,
  nonce: number,
  key: number,
) => number;
type RawDecrypt = (
  message: number,
  messageLengthOut: number,
  secretNonce: number,
  cipher: number,
  cipherLow: number,
  cipherHigh: number,
  ad: number,
  adLow: number,
  adHigh: number,
  nonce: number,
  key: number,
) => number;

const REGION_BYTES = 2048;
const CELL_BYTES = 32;
const CELLS_PER_CHUNK = 128;

/**
 * A fixed piece of libsodium's WASM memory in which all packets of this process are sealed and opened, one at a time:
 * what goes in is copied once, what comes out is a cached view. libsodium's own JavaScript interface allocates and
 * copies five times per call, which costs as much as the cipher. Keys live here too, in cells that are zeroed on
 * release, so that they are neither copied per packet nor left to the garbage collector.
 *
 * Views that leave are valid until the next netcode call.
 */
export class Slab {
  readonly #raw: RawSodium;
  #u8: Uint8Array;
  #u32: Uint32Array;
  readonly #freeCells: number[] = [];
  #cells = 0;
  #plainViews: Uint8Array[] = [];
  #wireOutViews: Uint8Array[] = [];

  /** 24 bytes. Packet nonces use the first 12, of which the first four stay zero. */
  readonly nonce: number;
  /** Associated data of tokens. */
  readonly ad: number;
  /** What decryption produced. */
  readonly plain: number;
  /** What encryption takes. */
  readonly body: number;
  /** A datagram to read. */
  readonly wireIn: number;
  /** A datagram to send. */
  readonly wireOut: number;

  constructor(raw: RawSodium) {
    this.#raw = raw;
    const base = raw._malloc(5 * REGION_BYTES);
    this.nonce = base;
    this.ad = base + 64;
    this.plain = base + REGION_BYTES;
    this.body = base + 2 * REGION_BYTES;
    this.wireIn = base + 3 * REGION_BYTES;
    this.wireOut = base + 4 * REGION_BYTES;
    this.#u8 = raw.HEAPU8;
    this.#u32 = new Uint32Array(this.#u8.buffer);
  }

  /** All of WASM's memory. Fetch it anew after anything that may allocate there: growth detaches it. */
  get u8(): Uint8Array {
    if (this.#u8.length === 0) this.#refresh();
    return this.#u8;
  }

  get u32(): Uint32Array {
    if (this.#u32.length === 0) this.#refresh();
    return this.#u32;
  }

  /** The first `length` decrypted bytes. */
  plainView(length: number): Uint8Array {
    if (this.#u8.length === 0) this.#refresh();
    return (this.#plainViews[length] ??= this.#u8.subarray(this.plain, this.plain + length));
  }

  /** The first `length` bytes of the datagram to send. */
  wireOutView(length: number): Uint8Array {
    if (this.#u8.length === 0) this.#refresh();
    return (this.#wireOutViews[length] ??= this.#u8.subarray(this.wireOut, this.wireOut + length));
  }

  /** Cells that were allocated and not released: a leak would show here. */
  get cellsInUse(): number {
    return this.#cells - this.#freeCells.length;
  }

  /** A zeroed cell of 32 bytes. */
  allocateCell(): number {
    if (this.#freeCells.length === 0) {
      const chunk = this.#raw._malloc(CELL_BYTES * CELLS_PER_CHUNK);
      this.u8.fill(0, chunk, chunk + CELL_BYTES * CELLS_PER_CHUNK);
      this.#cells += CELLS_PER_CHUNK;
      for (let cell = CELLS_PER_CHUNK - 1; cell >= 0; cell--) this.#freeCells.push(chunk + cell * CELL_BYTES);
    }
    return this.#freeCells.pop() as number;
  }

  /** A cell that holds `secret`, which is at most 32 bytes long. */
  storeCell(secret: Uint8Array): number {
    const cell = this.allocateCell();
    this.u8.set(secret, cell);
    return cell;
  }

  /** Zeroes the cell and takes it back. */
  releaseCell(cell: number): void {
    this.u8.fill(0, cell, cell + CELL_BYTES);
    this.#freeCells.push(cell);
  }

  /** ChaCha20-Poly1305-IETF (RFC 8439): `length` bytes at `message` become `length + 16` bytes at `cipher`. */
  seal(cipher: number, message: number, length: number, ad: number, adLength: number, key: number): void {
    this.#raw._crypto_aead_chacha20poly1305_ietf_encrypt(
      cipher,
      0,
      message,
      length,
      0,
      ad,
      adLength,
      0,
      0,
      this.nonce,
      key,
    );
  }

  /** The reverse: `length` bytes with their tag at `cipher`; false if they are not authentic. */
  open(message: number, cipher: number, length: number, ad: number, adLength: number, key: number): boolean {
    return (
      this.#raw._crypto_aead_chacha20poly1305_ietf_decrypt(
        message,
        0,
        0,
        cipher,
        length,
        0,
        ad,
        adLength,
        0,
        this.nonce,
        key,
      ) === 0
    );
  }

  /** XChaCha20-Poly1305-IETF, for the private part of connect tokens; `nonce` is 24 bytes. */
  sealToken(cipher: number, message: number, length: number, adLength: number, nonce: number, key: number): void {
    this.#raw._crypto_aead_xchacha20poly1305_ietf_encrypt(
      cipher,
      0,
      message,
      length,
      0,
      this.ad,
      adLength,
      0,
      0,
      nonce,
      key,
    );
  }

  openToken(message: number, cipher: number, length: number, adLength: number, nonce: number, key: number): boolean {
    return (
      this.#raw._crypto_aead_xchacha20poly1305_ietf_decrypt(
        message,
        0,
        0,
        cipher,
        length,
        0,
        this.ad,
        adLength,
        0,
        nonce,
        key,
      ) === 0
    );
  }

  /** Puts a 64-bit sequence where packet nonces are read: four zero bytes, then the sequence, low byte first. */
  setNonce(low: number, high: number): void {
    const word = this.nonce >> 2;
    const u32 = this.u32;
    u32[word] = 0;
    u32[word + 1] = low;
    u32[word + 2] = high;
  }

  #refresh(): void {
    this.#u8 = this.#raw.HEAPU8;
    this.#u32 = new Uint32Array(this.#u8.buffer);
    this.#plainViews = [];
    this.#wireOutViews = [];
  }
}

let slab: Slab | undefined;

/** Resolves when libsodium's WASM is ready. Await it once before anything else of this door is used. */
export async function netcodeReady(): Promise<void> {
  await ready;
  slab ??= new Slab((sodium as unknown as { libsodium: RawSodium }).libsodium);
}

/** @throws {NetcodeError} `not-ready` before {@link netcodeReady} has resolved. */
export function getSlab(): Slab {
  if (!slab) throw new NetcodeError("not-ready", "netcode is not ready: await netcodeReady() once at the start.");
  return slab;
}
