/**
 * What holders of an invite compute from it: where the host listens, and the key without which nobody can write to it. Needs noise to be
 * ready.
 *
 * Who has the code makes it of the code's slow hash; who has the whole link of the link's pass, at once. So a host listens under two
 * topics at each relay, and each tells what its guest has.
 */
import { blake2b } from "../sealed/noise.ts";
import { toHex } from "../wire/base64.ts";
import type { Topic } from "../wire/relay.ts";
import { PASS_BYTES } from "../wire/seal-text.ts";

/** What a guest has. */
export type InviteMode = "code" | "link";

export interface InviteKeys {
  mode: InviteMode;
  /** Noise's. */
  psk: Uint8Array;
  /** Makes topics. */
  topicKey: Uint8Array;
}

/** A topic lives so long, by everybody's own clock, ms: a host also listens to the ones before and after. */
export const EPOCH_MS: number = 6 * 3_600_000;
/** Of a guest's topics. */
export const SEED_BYTES = 16;
const TOPIC_BYTES = 32;

const encoder = new TextEncoder();

export function epochOf(unixMs: number): number {
  return Math.floor(unixMs / EPOCH_MS);
}

/** @param secret of publicCodeSecret */
export function keysOfCode(secret: Uint8Array): InviteKeys {
  return keysOf("code", secret);
}

/** @param pass PASS_BYTES of the link's seal */
export function keysOfPass(pass: Uint8Array): InviteKeys {
  return keysOf("link", pass.subarray(0, PASS_BYTES));
}

/** Of the slow hash, so that the choice of relays tells nothing of a code. @param secret of publicCodeSecret */
export function rankOf(secret: Uint8Array): number {
  const [low = 0, high = 0] = derive("rank", secret, 2);
  return low | (high << 8);
}

/** Where a host listens; another one for each relay and epoch. */
export function hostTopic({ topicKey }: InviteKeys, relay: string, epoch: number): Topic {
  return toHex(blake2b(TOPIC_BYTES, topicKey, encoder.encode(`host ${epoch} ${relay}`)));
}

/** Where a guest listens; another one for each relay. @param seed SEED_BYTES, random, told to the host alone */
export function guestTopic(seed: Uint8Array, relay: string): Topic {
  return toHex(blake2b(TOPIC_BYTES, derive("reply", seed, 32), encoder.encode(`guest ${relay}`)));
}

/** What both sides of a handshake must mean. */
export function publicPrologue(mode: InviteMode, epoch: number): Uint8Array {
  return encoder.encode(`sallyport public introduction 1 ${mode} ${epoch}`);
}

function keysOf(mode: InviteMode, secret: Uint8Array): InviteKeys {
  return { mode, psk: derive(`${mode} psk`, secret, 32), topicKey: derive(`${mode} topic`, secret, 32) };
}

function derive(what: string, secret: Uint8Array, bytes: number): Uint8Array {
  return blake2b(bytes, encoder.encode(`sallyport public ${what} 1 `), secret);
}
