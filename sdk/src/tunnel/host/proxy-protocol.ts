/** The PROXY protocol, version 2 (HAProxy's proxy-protocol.txt, section 2.2): tells a program whom it is really connected to. */
import type { Socket } from "node:net";
import { addressBytes } from "../../net/address.ts";
import type { Endpoint } from "../../net/endpoint.ts";

const SIGNATURE = Buffer.from("0d0a0d0a000d0a515549540a", "hex");
/** Version 2, PROXY. */
const VERSION_AND_COMMAND = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

/** What stands before a connection's first byte. Undefined for an address that is none. */
export function proxyHeader(source: Endpoint, destination: Endpoint): Buffer | undefined {
  const from = addressBytes(source.address);
  const to = addressBytes(destination.address);
  if (from === undefined || to === undefined) return undefined;
  const isIPv4 = from.length === 4 && to.length === 4;
  const ports = Buffer.alloc(4);
  ports.writeUInt16BE(source.port, 0);
  ports.writeUInt16BE(destination.port, 2);
  const addresses = Buffer.concat([isIPv4 ? from : asIPv6(from), isIPv4 ? to : asIPv6(to), ports]);
  const head = Buffer.from([VERSION_AND_COMMAND, isIPv4 ? TCP_OVER_IPV4 : TCP_OVER_IPV6, 0, addresses.length]);
  return Buffer.concat([SIGNATURE, head, addresses]);
}

/** Before anything else is written. */
export function writeProxyHeader(socket: Socket, guest: Endpoint): void {
  const { localAddress: address = "127.0.0.1", remotePort: port = 0, remoteAddress = address } = socket;
  const header = proxyHeader(guest, { address: remoteAddress, port });
  if (header !== undefined) socket.write(header);
}

/** IPv4-mapped (RFC 4291 section 2.5.5.2). */
function asIPv6(bytes: Uint8Array): Uint8Array {
  return bytes.length === 16 ? bytes : Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes]);
}
