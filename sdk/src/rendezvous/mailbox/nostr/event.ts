/** Nostr events (NIP-01), as much as relaying takes: ephemeral ones (20000-29999), which relays pass on and do not keep. */

import { hmac } from "@noble/hashes/hmac.js";
import { sha256 } from "@noble/hashes/sha2.js";
import { hashes, schnorr } from "@noble/secp256k1";
import { toHex } from "../../wire/base64.ts";
import type { RelaySender, Topic } from "../../wire/relay.ts";

// By default the library asks crypto.subtle, which pages of http:// do not have.
hashes.sha256 = sha256;
hashes.hmacSha256 = (key, message) => hmac(sha256, key, message);

/** Ours; of the ephemeral range. */
export const EVENT_KIND = 22_916;
/** A single letter, since relays index those. Values of `e` and `p` must be ids and keys, so it is another one. */
export const TOPIC_TAG = "x";

export interface NostrEvent {
  id: string;
  pubkey: string;
  /** Seconds since 1970. */
  created_at: number;
  kind: number;
  tags: string[][];
  content: string;
  sig: string;
}

const encoder = new TextEncoder();
const publicKeys = new WeakMap<RelaySender, string>();

export function signEvent(topic: Topic, content: string, createdAt: number, sender: RelaySender): NostrEvent {
  let pubkey = publicKeys.get(sender);
  if (pubkey === undefined) {
    pubkey = toHex(schnorr.getPublicKey(sender));
    publicKeys.set(sender, pubkey);
  }
  const tags = [[TOPIC_TAG, topic]];
  const fields = [0, pubkey, createdAt, EVENT_KIND, tags, content];
  const digest = sha256(encoder.encode(JSON.stringify(fields)));
  const sig = toHex(schnorr.sign(digest, sender));
  return { id: toHex(digest), pubkey, created_at: createdAt, kind: EVENT_KIND, tags, content, sig };
}

export interface RelayedEvent {
  topics: Topic[];
  content: string;
}

/**
 * What of an event counts; undefined for an event of another kind. Signatures are not looked at: strangers can sign too, and whether
 * the content is ours its seal says, for a tenth of the work.
 */
export function parseEvent(value: unknown): RelayedEvent | undefined {
  const { kind, tags, content } = (value ?? {}) as Partial<Record<keyof NostrEvent, unknown>>;
  if (kind !== EVENT_KIND || typeof content !== "string" || !Array.isArray(tags)) return undefined;
  const topics = tags.slice(0, 4).flatMap((tag: unknown) => {
    const [name, topic] = Array.isArray(tag) ? (tag as unknown[]) : [];
    return name === TOPIC_TAG && typeof topic === "string" ? [topic] : [];
  });
  return { topics, content };
}
