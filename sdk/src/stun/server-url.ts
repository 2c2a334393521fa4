import { addressFamily, endsInNumber } from "../net/address.ts";

import { STUN_PORT } from "./constants.ts";

/** Where a STUN server is. */
export interface StunServerAddress {
  /** A name or an address, IPv6 without brackets. */
  host: string;
  /** UDP port, 1-65535. */
  port: number;
}

/**
 * Reads `stun:host:port` (RFC 7064), `host:port`, `[v6]:port` or a bare host; the port is 3478 where none is given.
 * `null` for anything else, also for `stuns:`, which is TLS.
 */
export function parseStunServer(text: string): StunServerAddress | null {
  const address = text
    .trim()
    .replace(/^stun:(\/\/)?/i, "")
    .replace(/\?transport=udp$/i, "");
  if (addressFamily(address) === 6) return { host: address, port: STUN_PORT };
  const match = /^(?:\[([0-9a-f:.]+(?:%[\w.-]+)?)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(address);
  if (match === null) return null;
  const [, v6, name, digits] = match;
  if (name !== undefined && endsInNumber(name) && addressFamily(name) === 0) return null;
  const port = digits === undefined ? STUN_PORT : Number(digits);
  if (port < 1 || port > 65535 || (v6 !== undefined && addressFamily(v6) !== 6)) return null;
  return { host: v6 ?? name ?? "", port };
}
