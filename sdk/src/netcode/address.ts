import { type Endpoint, formatEndpoint } from "../udp/endpoint.ts";
import { MAX_SERVER_ADDRESSES } from "./constants.ts";
import { NetcodeError } from "./errors.ts";

/**
 * Server addresses inside tokens: type 1, four bytes, port; or type 2, eight groups, port. Groups and port are
 * little-endian 16-bit numbers.
 */
const TYPE_IPV4 = 1;
const TYPE_IPV6 = 2;
const IPV4_BYTES = 7;
const IPV6_BYTES = 19;

function parseIpv4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes: number[] = [];
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    bytes.push(Number(part));
  }
  return bytes;
}

function parseGroups(text: string): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [position, part] of parts.entries()) {
    if (position === parts.length - 1 && part.includes(".")) {
      const tail = parseIpv4(part);
      if (!tail) return null;
      const [a = 0, b = 0, c = 0, d = 0] = tail;
      groups.push((a << 8) | b, (c << 8) | d);
    } else {
      if (!/^[0-9a-f]{1,4}$/i.test(part)) return null;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function parseIpv6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "");
  if (!head) return null;
  if (halves.length === 1) return head.length === 8 ? head : null;
  const tail = parseGroups(halves[1] ?? "");
  if (!tail || head.length + tail.length > 7) return null;
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

/** RFC 5952 section 4: lower case, no leading zeros, the first longest run of two or more zero groups as "::". */
function formatIpv6(groups: readonly number[]): string {
  let start = -1;
  let length = 1;
  for (let from = 0; from < 8; from++) {
    let to = from;
    while (to < 8 && groups[to] === 0) to++;
    if (to - from > length) {
      start = from;
      length = to - from;
    }
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}

/**
 * The bytes of one endpoint. Equal endpoints have equal bytes; an IPv4-mapped IPv6 address is not the IPv4 address.
 * @throws {NetcodeError} `invalid-address`: not an IP address as text, a zone index, or a port outside 0 to 65535.
 */
export function encodeAddress(endpoint: Endpoint): Uint8Array {
  const { address, port } = endpoint;
  const ipv6 = address.includes(":");
  const parts = ipv6 ? parseIpv6(address) : parseIpv4(address);
  if (!parts || !Number.isInteger(port) || port < 0 || port > 65535) {
    throw new NetcodeError(
      "invalid-address",
      `${formatEndpoint(endpoint)} is not an IP address and a port: tokens hold no names and no zones.`,
    );
  }
  const bytes = new Uint8Array(ipv6 ? IPV6_BYTES : IPV4_BYTES);
  const view = new DataView(bytes.buffer);
  bytes[0] = ipv6 ? TYPE_IPV6 : TYPE_IPV4;
  if (ipv6) for (const [index, group] of parts.entries()) view.setUint16(1 + 2 * index, group, true);
  else bytes.set(parts, 1);
  view.setUint16(bytes.length - 2, port, true);
  return bytes;
}

/** Count (u32) and addresses, as both tokens hold them. */
export function encodeAddressList(endpoints: readonly Endpoint[]): Uint8Array {
  if (endpoints.length < 1 || endpoints.length > MAX_SERVER_ADDRESSES) {
    throw new NetcodeError(
      "invalid-addresses",
      `A connect token lists 1 to ${MAX_SERVER_ADDRESSES} server addresses, not ${endpoints.length}.`,
    );
  }
  const encoded = endpoints.map((endpoint) => encodeAddress(endpoint));
  const bytes = new Uint8Array(encoded.reduce((sum, one) => sum + one.length, 4));
  new DataView(bytes.buffer).setUint32(0, endpoints.length, true);
  let offset = 4;
  for (const one of encoded) {
    bytes.set(one, offset);
    offset += one.length;
  }
  return bytes;
}

/**
 * Length in bytes of the list (count included) at `offset`, or why it is none. 32 of the longest addresses fit any
 * token, so that a list of valid count and types cannot reach beyond its end.
 */
export function measureAddressList(bytes: Uint8Array, offset: number): number | "address-count" | "address-type" {
  const count = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, true);
  if (count < 1 || count > MAX_SERVER_ADDRESSES) return "address-count";
  let end = offset + 4;
  for (let index = 0; index < count; index++) {
    const type = bytes[end];
    if (type === TYPE_IPV4) end += IPV4_BYTES;
    else if (type === TYPE_IPV6) end += IPV6_BYTES;
    else return "address-type";
  }
  return end - offset;
}

/** The addresses of a list that {@link measureAddressList} found good. */
export function decodeAddressList(list: Uint8Array): Endpoint[] {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const endpoints: Endpoint[] = [];
  for (let offset = 4; offset < list.length; ) {
    const length = list[offset] === TYPE_IPV4 ? IPV4_BYTES : IPV6_BYTES;
    const at = offset + 1;
    const address =
      length === IPV4_BYTES
        ? list.subarray(at, at + 4).join(".")
        : formatIpv6(Array.from({ length: 8 }, (_, group) => view.getUint16(at + 2 * group, true)));
    endpoints.push({ address, port: view.getUint16(offset + length - 2, true) });
    offset += length;
  }
  return endpoints;
}

/** Whether the list holds exactly these bytes as one of its addresses. */
export function listContains(list: Uint8Array, encoded: Uint8Array): boolean {
  for (let offset = 4; offset < list.length; ) {
    const length = list[offset] === TYPE_IPV4 ? IPV4_BYTES : IPV6_BYTES;
    if (length === encoded.length && encoded.every((byte, index) => byte === list[offset + index])) return true;
    offset += length;
  }
  return false;
}
