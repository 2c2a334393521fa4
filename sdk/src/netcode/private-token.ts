import type { Endpoint } from "../net/endpoint.ts";
import { encodeAddressList, measureAddressList } from "./address.ts";
import {
  KEY_BYTES,
  PRIVATE_TOKEN_BYTES,
  PRIVATE_TOKEN_PLAIN_BYTES,
  TOKEN_AAD_BYTES,
  USER_DATA_BYTES,
  VERSION,
} from "./constants.ts";
import { getSlab, type Slab } from "./sodium.ts";

const TIMEOUT_AT = 8;
const ADDRESSES_AT = 12;

/** The encrypted part of a connect token, which issuer and server share (STANDARD.md, "Private Connect Token"). */
export interface PrivateToken {
  clientId: bigint;
  /** Seconds; 0 or less: no timeout. */
  timeoutSeconds: number;
  /** The list as it stands in the token: count, then addresses. */
  addressList: Uint8Array;
  clientToServerKey: Uint8Array;
  serverToClientKey: Uint8Array;
  userData: Uint8Array;
}

/** 1024 bytes, the last 16 (the tag's place) zero. */
export function writePrivateToken(fields: {
  clientId: bigint;
  timeoutSeconds: number;
  privateAddresses: readonly Endpoint[];
  clientToServerKey: Uint8Array;
  serverToClientKey: Uint8Array;
  userData: Uint8Array;
}): Uint8Array {
  const addresses = encodeAddressList(fields.privateAddresses);
  const bytes = new Uint8Array(PRIVATE_TOKEN_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, fields.clientId, true);
  view.setInt32(TIMEOUT_AT, fields.timeoutSeconds, true);
  bytes.set(addresses, ADDRESSES_AT);
  const keysAt = ADDRESSES_AT + addresses.length;
  bytes.set(fields.clientToServerKey, keysAt);
  bytes.set(fields.serverToClientKey, keysAt + KEY_BYTES);
  bytes.set(fields.userData, keysAt + 2 * KEY_BYTES);
  return bytes;
}

/** Reads a decrypted private token; null if its address list is none. Padding is not looked at. */
export function readPrivateToken(bytes: Uint8Array): PrivateToken | null {
  const listBytes = measureAddressList(bytes, ADDRESSES_AT);
  if (typeof listBytes === "string") return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const keysAt = ADDRESSES_AT + listBytes;
  const userDataAt = keysAt + 2 * KEY_BYTES;
  const copy = (from: number, to: number): Uint8Array => new Uint8Array(bytes.subarray(from, to));
  return {
    clientId: view.getBigUint64(0, true),
    timeoutSeconds: view.getInt32(TIMEOUT_AT, true),
    addressList: copy(ADDRESSES_AT, keysAt),
    clientToServerKey: copy(keysAt, keysAt + KEY_BYTES),
    serverToClientKey: copy(keysAt + KEY_BYTES, userDataAt),
    userData: copy(userDataAt, userDataAt + USER_DATA_BYTES),
  };
}

/** Encrypts 1024 bytes (1008 and room for the tag). */
export function sealPrivateToken(
  plain: Uint8Array,
  fields: { protocolId: bigint; expireTimestamp: bigint; nonce: Uint8Array; privateKey: Uint8Array },
): Uint8Array {
  const slab = getSlab();
  const protocolId = new Uint8Array(8);
  const expire = new Uint8Array(8);
  new DataView(protocolId.buffer).setBigUint64(0, fields.protocolId, true);
  new DataView(expire.buffer).setBigUint64(0, fields.expireTimestamp, true);
  const key = slab.storeCell(fields.privateKey);
  try {
    prepare(slab, protocolId, expire, fields.nonce);
    slab.u8.set(plain, slab.body);
    slab.sealToken(slab.wireOut, slab.body, PRIVATE_TOKEN_PLAIN_BYTES, TOKEN_AAD_BYTES, slab.nonce, key);
    return slab.u8.slice(slab.wireOut, slab.wireOut + PRIVATE_TOKEN_BYTES);
  } finally {
    slab.u8.fill(0, slab.body, slab.body + PRIVATE_TOKEN_BYTES);
    slab.releaseCell(key);
  }
}

/**
 * Decrypts and reads a private token. `protocolId` and `expire` are the 8 bytes that came with it; `key` is a cell.
 * `"forged"`: does not decrypt. `"unreadable"`: authentic, but its address list is none.
 */
export function openPrivateToken(
  encrypted: Uint8Array,
  protocolId: Uint8Array,
  expire: Uint8Array,
  nonce: Uint8Array,
  key: number,
): PrivateToken | "forged" | "unreadable" {
  const slab = getSlab();
  prepare(slab, protocolId, expire, nonce);
  slab.u8.set(encrypted, slab.wireIn);
  if (!slab.openToken(slab.plain, slab.wireIn, PRIVATE_TOKEN_BYTES, TOKEN_AAD_BYTES, slab.nonce, key)) return "forged";
  const token = readPrivateToken(slab.plainView(PRIVATE_TOKEN_BYTES));
  slab.u8.fill(0, slab.plain, slab.plain + PRIVATE_TOKEN_BYTES);
  return token ?? "unreadable";
}

/** Associated data (version, protocol id, expire timestamp) and nonce. */
function prepare(slab: Slab, protocolId: Uint8Array, expire: Uint8Array, nonce: Uint8Array): void {
  const memory = slab.u8;
  memory.set(VERSION, slab.ad);
  memory.set(protocolId, slab.ad + VERSION.length);
  memory.set(expire, slab.ad + VERSION.length + 8);
  memory.set(nonce, slab.nonce);
}
