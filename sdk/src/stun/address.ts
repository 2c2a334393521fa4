import { SocketAddress } from "node:net";

import { type Endpoint, normalizeAddress } from "../udp/endpoint.ts";
import { MAGIC_COOKIE } from "./constants.ts";

const IPV4 = 0x01;
const IPV6 = 0x02;

/** The bytes of an address in network order, 4 or 16 of them; `null` for what is no address. Zones are dropped. */
export function addressBytes(address: string): Buffer | null {
  if (!address.includes(":")) return ipv4Bytes(address);
  let text = address.replace(/%.*$/, "");
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text);
  if (dotted !== null) {
    const last = ipv4Bytes(dotted[2] ?? "");
    if (last === null) return null;
    text = `${dotted[1]}${last.readUInt16BE(0).toString(16)}:${last.readUInt16BE(2).toString(16)}`;
  }
  const halves = text.split("::");
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return null;
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  const bytes = Buffer.alloc(16);
  for (const [i, group] of groups.entries()) {
    if (!/^[0-9a-f]{1,4}$/i.test(group)) return null;
    bytes.writeUInt16BE(Number.parseInt(group, 16), 2 * i);
  }
  return bytes;
}

/** The one spelling in which the system reports senders; `null` for what is no address. */
export function canonicalAddress(address: string): string | null {
  const bytes = addressBytes(address);
  return bytes === null ? null : addressText(bytes);
}

function ipv4Bytes(address: string): Buffer | null {
  const parts = address.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return null;
  return Buffer.from(parts.map(Number));
}

function addressText(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16));
  return normalizeAddress(new SocketAddress({ address: groups.join(":"), family: "ipv6" }).address);
}

/** The cookie and the transaction id, with which the XOR- attributes are masked (RFC 8489 section 14.2). */
function mask(transactionId: Uint8Array): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(MAGIC_COOKIE, 0);
  bytes.set(transactionId, 4);
  return bytes;
}

function xor(bytes: Buffer, key: Buffer): void {
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
  return { address: addressText(bytes), port };
}

/** Writes MAPPED-ADDRESS's format, masked by the transaction id when one is given. @throws {RangeError} */
export function writeAddress({ address, port }: Endpoint, transactionId?: Uint8Array): Buffer {
  const bytes = addressBytes(address);
  if (bytes === null) throw new RangeError(`"${address}" is not an IPv4 or IPv6 address`);
  const value = Buffer.alloc(4 + bytes.length);
  value[1] = bytes.length === 4 ? IPV4 : IPV6;
  value.writeUInt16BE(transactionId === undefined ? port : port ^ (MAGIC_COOKIE >>> 16), 2);
  if (transactionId !== undefined) xor(bytes, mask(transactionId));
  bytes.copy(value, 4);
  return value;
}
