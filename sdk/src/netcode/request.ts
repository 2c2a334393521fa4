import {
  PACKET_REQUEST,
  PRIVATE_TOKEN_BYTES,
  REQUEST_BYTES,
  TAG_BYTES,
  TOKEN_NONCE_BYTES,
  VERSION,
} from "./constants.ts";
import { openPrivateToken, type PrivateToken } from "./private-token.ts";

const PROTOCOL_ID_AT = 14;
const EXPIRE_AT = 22;
const NONCE_AT = 30;
const PRIVATE_AT = 54;

/** Type, version, protocol id, expire timestamp, nonce, private token: all that a request is, and nothing encrypted around it. */
export function writeRequest(fields: {
  protocolId: bigint;
  expireTimestamp: bigint;
  nonce: Uint8Array;
  privateData: Uint8Array;
}): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = PACKET_REQUEST;
  bytes.set(VERSION, 1);
  view.setBigUint64(PROTOCOL_ID_AT, fields.protocolId, true);
  view.setBigUint64(EXPIRE_AT, fields.expireTimestamp, true);
  bytes.set(fields.nonce, NONCE_AT);
  bytes.set(fields.privateData, PRIVATE_AT);
  return bytes;
}

/** Whether size, version and protocol id (8 bytes) are right. */
export function isRequest(data: Uint8Array, protocolId: Uint8Array): boolean {
  if (data.length !== REQUEST_BYTES) return false;
  for (let index = 0; index < VERSION.length; index++) if (data[1 + index] !== VERSION[index]) return false;
  for (let index = 0; index < 8; index++) if (data[PROTOCOL_ID_AT + index] !== protocolId[index]) return false;
  return true;
}

/** Unix seconds, as a double: it is only compared with clocks, which are far below 2^53. */
export function requestExpire(data: Uint8Array): number {
  let expire = 0;
  for (let index = EXPIRE_AT + 7; index >= EXPIRE_AT; index--) expire = expire * 256 + (data[index] as number);
  return expire;
}

/**
 * The two rules that need no cryptography (netcode 1.4.5): a token ends at its expire timestamp; and a token that could
 * have been used before this server started is ignored, since the history of what was used went with the last run.
 */
export function judgeExpire(
  expire: number,
  unixSeconds: number,
  startSeconds: number,
  maxLifetimeSeconds: number,
): "good" | "expired" | "predates-start" {
  if (expire <= unixSeconds) return "expired";
  return expire < startSeconds + maxLifetimeSeconds ? "predates-start" : "good";
}

export function openRequest(data: Uint8Array, key: number): PrivateToken | "forged" | "unreadable" {
  return openPrivateToken(
    data.subarray(PRIVATE_AT, PRIVATE_AT + PRIVATE_TOKEN_BYTES),
    data.subarray(PROTOCOL_ID_AT, PROTOCOL_ID_AT + 8),
    data.subarray(EXPIRE_AT, EXPIRE_AT + 8),
    data.subarray(NONCE_AT, NONCE_AT + TOKEN_NONCE_BYTES),
    key,
  );
}

/** The tag of the private token, as text of one character per byte. */
export function requestTag(data: Uint8Array): string {
  return String.fromCharCode(...data.subarray(REQUEST_BYTES - TAG_BYTES, REQUEST_BYTES));
}
