import { formatAddress, parseAddress } from "../net/address.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
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

/** Network order to netcode's groups, and back. */
function swapGroups(bytes: Uint8Array): Uint8Array {
  const swapped = new Uint8Array(bytes.length);
  for (let index = 0; index < bytes.length; index++) swapped[index] = bytes[index ^ 1] ?? 0;
  return swapped;
}

/**
 * The bytes of one endpoint. Equal endpoints have equal bytes; an IPv4-mapped IPv6 address is not the IPv4 address.
 * @throws {NetcodeError} `invalid-address`: not an IP address as text, a zone index, or a port outside 0 to 65535.
 */
export function encodeAddress(endpoint: Endpoint): Uint8Array {
  const { address, port } = endpoint;
  const parsed = parseAddress(address);
  if (parsed === undefined || parsed.zone !== undefined || !Number.isInteger(port) || port < 0 || port > 65535) {
    throw new NetcodeError(
      "invalid-address",
      `${formatEndpoint(endpoint)} is not an IP address and a port: tokens hold no names and no zones.`,
    );
  }
  const ipv6 = parsed.bytes.length === 16;
  const bytes = new Uint8Array(ipv6 ? IPV6_BYTES : IPV4_BYTES);
  bytes[0] = ipv6 ? TYPE_IPV6 : TYPE_IPV4;
  bytes.set(ipv6 ? swapGroups(parsed.bytes) : parsed.bytes, 1);
  new DataView(bytes.buffer).setUint16(bytes.length - 2, port, true);
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
    const bytes = list.subarray(offset + 1, offset + length - 2);
    const address = formatAddress(length === IPV4_BYTES ? bytes : swapGroups(bytes));
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
