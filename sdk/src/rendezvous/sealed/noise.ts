/**
 * The Noise Protocol Framework (revision 34), as much of it as introductions need: an unknown initiator and a responder with
 * a static key. In the pattern NK the initiator knows that key, with or without a key that both have been given before
 * (psk0). In NXpsk0 it does not: the key comes sealed in the answer.
 *
 * ```
 * NK:  <- s              NKpsk0:  <- s             NXpsk0:  -> psk, e
 *      ...                        ...                       <- e, ee, s, es
 *      -> e, es                   -> psk, e, es
 *      <- e, ee                   <- e, ee
 * ```
 *
 * No I/O. {@link noiseReady} must have resolved before anything else is used.
 */
import sodium, { ready } from "libsodium-wrappers";

/** Sections 4.1 to 4.3: DHLEN, HASHLEN, and the length of the cipher's tag. */
export const DH_BYTES = 32;
const HASH_BYTES = 64;
export const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** BLAKE2b's block, for HMAC (section 4.3: BLOCKLEN). */
const BLOCK_BYTES = 128;
/** Section 3: no Noise message is longer. */
const MAX_MESSAGE_BYTES = 65_535;
const EMPTY: Uint8Array = new Uint8Array(0);

export interface NoiseKeyPair {
  publicKey: Uint8Array;
  privateKey: Uint8Array;
}

/** Resolves when libsodium's WASM is ready. */
export const noiseReady: Promise<void> = ready;

export function keyPairOf(privateKey: Uint8Array): NoiseKeyPair {
  return { privateKey, publicKey: sodium.crypto_scalarmult_base(privateKey) };
}

export function randomKeyPair(): NoiseKeyPair {
  return keyPairOf(sodium.randombytes_buf(DH_BYTES));
}

export function blake2b(bytes: number, ...parts: Uint8Array[]): Uint8Array {
  return sodium.crypto_generichash(bytes, concat(...parts), null);
}

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** RFC 2104 with BLAKE2b. */
function hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array {
  const inner = new Uint8Array(BLOCK_BYTES).fill(0x36);
  const outer = new Uint8Array(BLOCK_BYTES).fill(0x5c);
  for (const [i, byte] of key.entries()) {
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  return blake2b(HASH_BYTES, outer, blake2b(HASH_BYTES, inner, ...parts));
}

/** Section 4.3, with two outputs. */
function hkdf(chainingKey: Uint8Array, material: Uint8Array): [Uint8Array, Uint8Array] {
  const [, first, second] = hkdfParts(chainingKey, material);
  return [first, second];
}

/** The same with three. */
function hkdf3(chainingKey: Uint8Array, material: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const [temporary, first, second] = hkdfParts(chainingKey, material);
  return [first, second, hmac(temporary, second, Uint8Array.of(3))];
}

function hkdfParts(chainingKey: Uint8Array, material: Uint8Array): [Uint8Array, Uint8Array, Uint8Array] {
  const temporary = hmac(chainingKey, material);
  const first = hmac(temporary, Uint8Array.of(1));
  return [temporary, first, hmac(temporary, first, Uint8Array.of(2))];
}

/** Section 5.1: a key and the number of the next message, so that nothing can be repeated, left out or put elsewhere. */
export class CipherState {
  readonly #key: Uint8Array;
  readonly #nonce = new Uint8Array(12);
  readonly #counter = new DataView(this.#nonce.buffer);
  #next = 0;

  constructor(key: Uint8Array) {
    this.#key = key.slice(0, KEY_BYTES);
  }

  clone(): CipherState {
    const copy = new CipherState(this.#key);
    copy.#next = this.#next;
    return copy;
  }

  encrypt(plaintext: Uint8Array, ad: Uint8Array = EMPTY): Uint8Array {
    return sodium.crypto_aead_chacha20poly1305_ietf_encrypt(
      plaintext,
      ad,
      null,
      this.#nonceOf(this.#next++),
      this.#key,
    );
  }

  /** Undefined for whatever is not the very next message; the state does not move then. */
  decrypt(ciphertext: Uint8Array, ad: Uint8Array = EMPTY): Uint8Array | undefined {
    if (ciphertext.length < TAG_BYTES || ciphertext.length > MAX_MESSAGE_BYTES) return undefined;
    const nonce = this.#nonceOf(this.#next);
    try {
      const plaintext = sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, ciphertext, ad, nonce, this.#key);
      this.#next++;
      return plaintext;
    } catch {
      return undefined;
    }
  }

  /** The number of the next message: what {@link encrypt} uses, and {@link decryptNumbered} needs. */
  get next(): number {
    return this.#next;
  }

  /** The message of this number, in whatever order they come (section 11.4). The caller sees to it that each counts once. */
  decryptNumbered(n: number, ciphertext: Uint8Array): Uint8Array | undefined {
    if (ciphertext.length < TAG_BYTES || ciphertext.length > MAX_MESSAGE_BYTES) return undefined;
    try {
      return sodium.crypto_aead_chacha20poly1305_ietf_decrypt(null, ciphertext, EMPTY, this.#nonceOf(n), this.#key);
    } catch {
      return undefined;
    }
  }

  /** Section 12.3: 32 zero bits, then the number in little endian. */
  #nonceOf(n: number): Uint8Array {
    this.#counter.setUint32(4, n >>> 0, true);
    this.#counter.setUint32(8, Math.floor(n / 2 ** 32), true);
    return this.#nonce;
  }
}

export interface HandshakeOptions {
  /** What both sides must agree on beforehand; not sent. */
  prologue: Uint8Array;
  /** 32 bytes: makes the pattern NKpsk0. */
  psk?: Uint8Array | undefined;
  /** For tests with known answers only. Default: random. */
  ephemeral?: NoiseKeyPair | undefined;
}

/** Section 5.2 and 5.3. One message each way, then {@link split}. */
class Handshake {
  readonly #psk: Uint8Array | undefined;
  /** Made when it is needed: a responder that reads junk needs none. */
  #ephemeral: NoiseKeyPair | undefined;
  #hash: Uint8Array;
  #chainingKey: Uint8Array;
  #cipher: CipherState | undefined;

  /** @param known the responder's key where the pattern is NK; without it the pattern is NX */
  constructor({ prologue, psk, ephemeral }: HandshakeOptions, known: Uint8Array | undefined) {
    const pattern = known === undefined ? "NX" : "NK";
    const name = `Noise_${pattern}${psk === undefined ? "" : "psk0"}_25519_ChaChaPoly_BLAKE2b`;
    this.#hash = new Uint8Array(HASH_BYTES);
    this.#hash.set(new TextEncoder().encode(name));
    this.#chainingKey = this.#hash;
    this.#psk = psk;
    this.#ephemeral = ephemeral;
    this.#mixHash(prologue);
    if (known !== undefined) this.#mixHash(known);
  }

  get hash(): Uint8Array {
    return this.#hash;
  }

  /** As it is now, to try a message on. */
  clone(): Handshake {
    const copy = new Handshake({ prologue: EMPTY, psk: this.#psk, ephemeral: this.#ephemeral }, undefined);
    copy.#hash = this.#hash;
    copy.#chainingKey = this.#chainingKey;
    copy.#cipher = this.#cipher?.clone();
    return copy;
  }

  mixPsk(): void {
    if (this.#psk === undefined) return;
    const [chainingKey, hash, key] = hkdf3(this.#chainingKey, this.#psk);
    this.#chainingKey = chainingKey;
    this.#mixHash(hash);
    this.#cipher = new CipherState(key);
  }

  /** Token `e` when writing. */
  writeEphemeral(): Uint8Array {
    this.#ephemeral ??= randomKeyPair();
    this.mixEphemeral(this.#ephemeral.publicKey);
    return this.#ephemeral.publicKey;
  }

  /** Token `e` when reading; with a psk the key is mixed in as well (section 9.2). */
  mixEphemeral(publicKey: Uint8Array): void {
    this.#mixHash(publicKey);
    if (this.#psk !== undefined) this.#mixKey(publicKey);
  }

  /** DH of our ephemeral (or of `privateKey`) with theirs; false for a key that makes the result predictable. */
  mixDh(publicKey: Uint8Array, privateKey: Uint8Array | undefined = this.#ephemeral?.privateKey): boolean {
    if (privateKey === undefined) return false;
    try {
      this.#mixKey(sodium.crypto_scalarmult(privateKey, publicKey));
      return true;
    } catch {
      return false;
    }
  }

  /** Tokens `s, es` when reading as the initiator: the responder's static key. */
  readStatic(sealed: Uint8Array): Uint8Array | undefined {
    const publicKey = this.decrypt(sealed);
    return publicKey !== undefined && this.mixDh(publicKey) ? publicKey : undefined;
  }

  encrypt(payload: Uint8Array): Uint8Array {
    const ciphertext = this.#cipher?.encrypt(payload, this.#hash) ?? payload;
    this.#mixHash(ciphertext);
    return ciphertext;
  }

  decrypt(ciphertext: Uint8Array): Uint8Array | undefined {
    const payload = this.#cipher === undefined ? ciphertext : this.#cipher.decrypt(ciphertext, this.#hash);
    if (payload !== undefined) this.#mixHash(ciphertext);
    return payload;
  }

  split(): [CipherState, CipherState] {
    const [first, second] = hkdf(this.#chainingKey, EMPTY);
    return [new CipherState(first), new CipherState(second)];
  }

  #mixHash(data: Uint8Array): void {
    this.#hash = blake2b(HASH_BYTES, this.#hash, data);
  }

  #mixKey(material: Uint8Array): void {
    const [chainingKey, key] = hkdf(this.#chainingKey, material);
    this.#chainingKey = chainingKey;
    this.#cipher = new CipherState(key);
  }
}

/** What a finished handshake leaves: one direction each, and a hash that names this conversation. */
export interface NoiseTransport {
  send: CipherState;
  receive: CipherState;
  handshakeHash: Uint8Array;
  /** What the other one said in its message. */
  payload: Uint8Array;
}

/** In the pattern NK it knows the responder's static key; in NX it learns it from the answer. */
export class NoiseInitiator {
  readonly #handshake: Handshake;
  readonly #responderKey: Uint8Array | undefined;

  constructor(options: HandshakeOptions & { responderKey?: Uint8Array | undefined }) {
    this.#responderKey = options.responderKey;
    this.#handshake = new Handshake(options, options.responderKey);
  }

  /** The first message; undefined if the responder's key is no proper one. */
  write(payload: Uint8Array = EMPTY): Uint8Array | undefined {
    this.#handshake.mixPsk();
    const ephemeral = this.#handshake.writeEphemeral();
    if (this.#responderKey !== undefined && !this.#handshake.mixDh(this.#responderKey)) return undefined;
    return concat(ephemeral, this.#handshake.encrypt(payload));
  }

  /**
   * Undefined unless it answers exactly our message: in NK, by the one whose key it is. In NX the answer's `responderKey` says
   * who it was, and the caller checks that.
   */
  read(message: Uint8Array): (NoiseTransport & { responderKey: Uint8Array }) | undefined {
    // A copy: what is not the answer leaves no trace, so that the answer can still come.
    const handshake = this.#handshake.clone();
    const sealed = this.#responderKey === undefined ? DH_BYTES + TAG_BYTES : 0;
    if (message.length < DH_BYTES + sealed + TAG_BYTES || message.length > MAX_MESSAGE_BYTES) return undefined;
    const ephemeral = message.slice(0, DH_BYTES);
    handshake.mixEphemeral(ephemeral);
    if (!handshake.mixDh(ephemeral)) return undefined;
    const responderKey = this.#responderKey ?? handshake.readStatic(message.slice(DH_BYTES, DH_BYTES + sealed));
    if (responderKey === undefined) return undefined;
    const payload = handshake.decrypt(message.slice(DH_BYTES + sealed));
    if (payload === undefined) return undefined;
    const [send, receive] = handshake.split();
    return { send, receive, handshakeHash: handshake.hash, payload, responderKey };
  }
}

/** Has the static key. */
export class NoiseResponder {
  readonly #handshake: Handshake;
  readonly #key: NoiseKeyPair;
  readonly #pattern: "NK" | "NX";
  #remote: Uint8Array | undefined;

  /** @param prepared @internal */
  constructor(options: HandshakeOptions & { key: NoiseKeyPair; pattern?: "NK" | "NX" }, prepared?: Handshake) {
    this.#key = options.key;
    this.#pattern = options.pattern ?? "NK";
    this.#handshake = prepared ?? new Handshake(options, this.#pattern === "NK" ? options.key.publicKey : undefined);
    // The first token, if it is one.
    if (prepared === undefined) this.#handshake.mixPsk();
  }

  /** Another one for the same messages, for less work than the first: one reads one message. */
  clone(): NoiseResponder {
    return new NoiseResponder({ prologue: EMPTY, key: this.#key, pattern: this.#pattern }, this.#handshake.clone());
  }

  /** The initiator's ephemeral key, once its message has been read. */
  get remoteKey(): Uint8Array | undefined {
    return this.#remote;
  }

  /** What the first message says; undefined if it is not for this key, or was made without the psk. */
  read(message: Uint8Array): Uint8Array | undefined {
    if (message.length < DH_BYTES || message.length > MAX_MESSAGE_BYTES) return undefined;
    const ephemeral = message.slice(0, DH_BYTES);
    this.#handshake.mixEphemeral(ephemeral);
    if (this.#pattern === "NK" && !this.#handshake.mixDh(ephemeral, this.#key.privateKey)) return undefined;
    const payload = this.#handshake.decrypt(message.slice(DH_BYTES));
    if (payload !== undefined) this.#remote = ephemeral;
    return payload;
  }

  /** The answer, after which both sides may speak. Undefined before a message has been read. */
  write(payload: Uint8Array = EMPTY): { message: Uint8Array; transport: Omit<NoiseTransport, "payload"> } | undefined {
    if (this.#remote === undefined) return undefined;
    const ephemeral = this.#handshake.writeEphemeral();
    if (!this.#handshake.mixDh(this.#remote)) return undefined;
    let named = EMPTY;
    if (this.#pattern === "NX") {
      named = this.#handshake.encrypt(this.#key.publicKey);
      if (!this.#handshake.mixDh(this.#remote, this.#key.privateKey)) return undefined;
    }
    const message = concat(ephemeral, named, this.#handshake.encrypt(payload));
    const [receive, send] = this.#handshake.split();
    return { message, transport: { send, receive, handshakeHash: this.#handshake.hash } };
  }
}
