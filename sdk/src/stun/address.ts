import { addressBytes, formatAddress, fromMapped } from "../net/address.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { MAGIC_COOKIE } from "./constants.ts";

const IPV4 = 0x01;
const IPV6 = 0x02;

/** The cookie and the transaction id, with which the XOR- attributes are masked (RFC 8489 section 14.2). */
function mask(transactionId: Uint8Array): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(MAGIC_COOKIE, 0);
  bytes.set(transactionId, 4);
  return bytes;
}

function xor(bytes: Uint8Array, key: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (bytes[i] ?? 0) ^ (key[i] ?? 0);
}

/** Reads MAPPED-ADDRESS's format, masked by the transaction id when one is given. `null` for anything malformed. */
export function readAddress(value: Buffer, transactionId?: Uint8Array): Endpoint | null {
  if (value.length < 8) return null;
  const family = value[1];
  const length = family === IPV4 ? 4 : family === IPV6 ? 16 : 0;
  if (length === 0 || value.length !== 4 + length) return null;
  const bytes = Buffer.from(value.subarray(4));
  let port = value.readUInt16BE(2);
  if (transactionId !== undefined) {
    port ^= MAGIC_COOKIE >>> 16;
    xor(bytes, mask(transactionId));
  }
  return { address: formatAddress(fromMapped(bytes)), port };
}

/** Writes MAPPED-ADDRESS's format, masked by the transaction id when one is given. @throws {RangeError} */
export function writeAddress({ address, port }: Endpoint, transactionId?: Uint8Array): Buffer {
  const bytes = addressBytes(address);
  if (bytes === undefined) throw new RangeError(`"${address}" is not an IPv4 or IPv6 address`);
  const value = Buffer.alloc(4 + bytes.length);
  value[1] = bytes.length === 4 ? IPV4 : IPV6;
  value.writeUInt16BE(transactionId === undefined ? port : port ^ (MAGIC_COOKIE >>> 16), 2);
  if (transactionId !== undefined) xor(bytes, mask(transactionId));
  value.set(bytes, 4);
  return value;
}
