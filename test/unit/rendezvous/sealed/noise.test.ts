/** Against the vectors of cacophony, another implementation of the Noise Protocol Framework. */
import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import {
  type CipherState,
  keyPairOf,
  NoiseInitiator,
  NoiseResponder,
  noiseReady,
  randomKeyPair,
} from "../../../../sdk/src/rendezvous/sealed/noise.ts";

interface Vector {
  protocol_name: string;
  init_prologue: string;
  init_psks?: string[];
  init_ephemeral: string;
  /** Not in NX. */
  init_remote_static?: string;
  resp_static: string;
  resp_ephemeral: string;
  handshake_hash: string;
  messages: { payload: string; ciphertext: string }[];
}
const vectors = JSON.parse(readFileSync(new URL("vectors/noise.json", import.meta.url), "utf8")) as Vector[];
const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 200);
const bytes = (hex = ""): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));
const hex = (data: Uint8Array | undefined): string => Buffer.from(data ?? []).toString("hex");

beforeAll(() => noiseReady);

describe("vectors", () => {
  test("all patterns are there", () => {
    expect(vectors.map(({ protocol_name }) => protocol_name)).toEqual([
      "Noise_NK_25519_ChaChaPoly_BLAKE2b",
      "Noise_NKpsk0_25519_ChaChaPoly_BLAKE2b",
      // What NXpsk0 has beyond NKpsk0.
      "Noise_NX_25519_ChaChaPoly_BLAKE2b",
    ]);
  });

  test.each(vectors)("$protocol_name", (vector) => {
    const prologue = bytes(vector.init_prologue);
    const psk = vector.init_psks === undefined ? undefined : bytes(vector.init_psks[0]);
    const initiator = new NoiseInitiator({
      prologue,
      psk,
      responderKey: vector.init_remote_static === undefined ? undefined : bytes(vector.init_remote_static),
      ephemeral: keyPairOf(bytes(vector.init_ephemeral)),
    });
    const responder = new NoiseResponder({
      prologue,
      psk,
      key: keyPairOf(bytes(vector.resp_static)),
      pattern: vector.init_remote_static === undefined ? "NX" : "NK",
      ephemeral: keyPairOf(bytes(vector.resp_ephemeral)),
    });
    const [first, second, ...rest] = vector.messages;
    const hello = initiator.write(bytes(first?.payload));
    expect(hex(hello)).toBe(first?.ciphertext);
    expect(hex(responder.read(bytes(first?.ciphertext)))).toBe(first?.payload);
    const answer = responder.write(bytes(second?.payload));
    expect(hex(answer?.message)).toBe(second?.ciphertext);
    const transport = initiator.read(bytes(second?.ciphertext));
    expect(hex(transport?.payload)).toBe(second?.payload);
    expect(hex(transport?.responderKey)).toBe(hex(keyPairOf(bytes(vector.resp_static)).publicKey));
    expect(hex(transport?.handshakeHash)).toBe(vector.handshake_hash);
    expect(hex(answer?.transport.handshakeHash)).toBe(vector.handshake_hash);
    for (const [i, { payload, ciphertext }] of rest.entries()) {
      const [from, to] = i % 2 === 0 ? [transport, answer?.transport] : [answer?.transport, transport];
      expect(hex(from?.send.encrypt(bytes(payload)))).toBe(ciphertext);
      expect(hex(to?.receive.decrypt(bytes(ciphertext)))).toBe(payload);
    }
  });
});

describe("refusals", () => {
  const prologue = bytes("00");
  const psk = new Uint8Array(32).fill(7);

  test("another key, prologue or psk, and a changed byte anywhere, are noticed", () => {
    const key = randomKeyPair();
    const hello = (): Uint8Array =>
      new NoiseInitiator({ prologue, psk, responderKey: key.publicKey }).write() ?? new Uint8Array();
    expect(new NoiseResponder({ prologue, psk, key }).read(hello())).toBeDefined();
    expect(new NoiseResponder({ prologue, psk, key: randomKeyPair() }).read(hello())).toBeUndefined();
    expect(new NoiseResponder({ prologue: bytes("01"), psk, key }).read(hello())).toBeUndefined();
    expect(new NoiseResponder({ prologue, psk: new Uint8Array(32), key }).read(hello())).toBeUndefined();
    expect(new NoiseResponder({ prologue, key }).read(hello())).toBeUndefined();
    for (let i = 0; i < 48; i++) {
      const changed = hello();
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(new NoiseResponder({ prologue, psk, key }).read(changed)).toBeUndefined();
    }
  });

  test("an answer to another message, or by another than the key's owner, is noticed", () => {
    const key = randomKeyPair();
    const start = (): NoiseInitiator => new NoiseInitiator({ prologue, responderKey: key.publicKey });
    const [mine, other] = [start(), start()];
    const [hello, otherHello] = [mine.write(), other.write()];
    const responder = new NoiseResponder({ prologue, key });
    responder.read(otherHello ?? new Uint8Array());
    expect(mine.read(responder.write()?.message ?? new Uint8Array())).toBeUndefined();
    const impostor = new NoiseResponder({ prologue, key: randomKeyPair() });
    expect(impostor.read(hello ?? new Uint8Array())).toBeUndefined();
    expect(impostor.write()).toBeUndefined();
  });

  test("keys of low order are refused by both sides", () => {
    // RFC 7748 section 6.1: 0 and 1 lead to the all-zero value.
    for (const first of [0, 1]) {
      const weak = new Uint8Array(32);
      weak[0] = first;
      expect(new NoiseInitiator({ prologue, responderKey: weak }).write()).toBeUndefined();
      const message = new Uint8Array(48);
      message[0] = first;
      expect(new NoiseResponder({ prologue, key: randomKeyPair() }).read(message)).toBeUndefined();
    }
  });

  test("NXpsk0: only who has the psk answers, and is known by its key; junk before the answer does no harm", () => {
    const key = randomKeyPair();
    const initiator = new NoiseInitiator({ prologue, psk });
    const hello = initiator.write(bytes("aa")) ?? new Uint8Array();
    expect(new NoiseResponder({ prologue, psk: new Uint8Array(32), key, pattern: "NX" }).read(hello)).toBeUndefined();
    expect(new NoiseResponder({ prologue: bytes("01"), psk, key, pattern: "NX" }).read(hello)).toBeUndefined();
    const responder = new NoiseResponder({ prologue, psk, key, pattern: "NX" });
    expect(hex(responder.read(hello))).toBe("aa");
    const answer = responder.write(bytes("bb")) ?? { message: new Uint8Array() };
    for (let i = 0; i < answer.message.length; i++) {
      const changed = answer.message.slice();
      changed[i] = (changed[i] ?? 0) ^ 1;
      expect(initiator.read(changed)).toBeUndefined();
    }
    expect(initiator.read(answer.message.subarray(0, 95))).toBeUndefined();
    const transport = initiator.read(answer.message);
    expect([hex(transport?.payload), hex(transport?.responderKey)]).toEqual(["bb", hex(key.publicKey)]);
  });

  test("numbered messages open in any order, and only by their own number", () => {
    const initiator = new NoiseInitiator({ prologue, psk });
    const responder = new NoiseResponder({ prologue, psk, key: randomKeyPair(), pattern: "NX" });
    responder.read(initiator.write() ?? new Uint8Array());
    const answer = responder.write();
    const receive = initiator.read(answer?.message ?? new Uint8Array())?.receive as CipherState;
    const send = answer?.transport.send as CipherState;
    const sealed = ["00", "01", "02"].map((text) => [send.next, send.encrypt(bytes(text))] as const);
    for (const [n, text] of sealed.toReversed()) expect(hex(receive.decryptNumbered(n, text))).toBe(`0${n}`);
    expect(receive.decryptNumbered(1, sealed[0]?.[1] ?? new Uint8Array())).toBeUndefined();
  });

  test("a message is read once, in its place", () => {
    const key = randomKeyPair();
    const initiator = new NoiseInitiator({ prologue, responderKey: key.publicKey });
    const responder = new NoiseResponder({ prologue, key });
    responder.read(initiator.write() ?? new Uint8Array());
    const answer = responder.write();
    const receive = initiator.read(answer?.message ?? new Uint8Array())?.receive as CipherState;
    const [one, two] = [answer?.transport.send.encrypt(bytes("01")), answer?.transport.send.encrypt(bytes("02"))];
    expect(receive.decrypt(two as Uint8Array)).toBeUndefined();
    expect(hex(receive.decrypt(one as Uint8Array))).toBe("01");
    expect(receive.decrypt(one as Uint8Array)).toBeUndefined();
    expect(hex(receive.decrypt(two as Uint8Array))).toBe("02");
  });

  test("whatever comes, nothing throws and nothing is believed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (message) => {
        const responder = new NoiseResponder({ prologue, key: keyPairOf(psk) });
        expect(responder.read(message)).toBeUndefined();
        expect(responder.write()).toBeUndefined();
        const initiator = new NoiseInitiator({ prologue, responderKey: keyPairOf(psk).publicKey });
        initiator.write();
        expect(initiator.read(message)).toBeUndefined();
      }),
      { numRuns: runs },
    );
  });
});
