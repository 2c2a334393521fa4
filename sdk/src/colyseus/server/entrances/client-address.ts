import type { IncomingMessage } from "node:http";
import { isIP } from "node:net";
import { normalizeAddress } from "../../../net/endpoint.ts";
import { type AddressScope, addressScope } from "../../../net/scope.ts";

/** Where a reverse proxy of ours can stand. */
const OURS: ReadonlySet<AddressScope> = new Set(["loopback", "private", "link-local"]);
/** Longer chains are nobody's. */
const MAX_HEADER = 2048;

/** Whether the other end of a request's connection may be a reverse proxy of ours. */
export function isFromProxy({ socket }: IncomingMessage): boolean {
  return OURS.has(addressScope(normalizeAddress(socket.remoteAddress ?? "")));
}

/**
 * Whom a reverse proxy names: the last hop of `x-forwarded-for`, else of `forwarded` (RFC 7239), that is no proxy of ours, since each
 * proxy appends whom it met, and all before is what the client wrote; else `x-real-ip`. Undefined where it names nobody.
 */
export function clientNamedByProxy({ headers }: IncomingMessage): string | undefined {
  const chain = hopsOf(headers["x-forwarded-for"]) ?? forwardedHops(headers.forwarded) ?? hopsOf(headers["x-real-ip"]);
  return chain?.findLast((address) => !OURS.has(addressScope(address))) ?? chain?.at(-1);
}

function hopsOf(header: string | string[] | undefined): string[] | undefined {
  const text = header?.toString().slice(-MAX_HEADER);
  const hops = text?.split(",").map((hop) => addressIn(hop.trim()));
  return known(hops);
}

/** `for=192.0.2.60;proto=http, for="[2001:db8::1]:4711"` */
function forwardedHops(header: string | undefined): string[] | undefined {
  const hops = header
    ?.slice(-MAX_HEADER)
    .split(",")
    .map((hop) => addressIn(/(?:^|;)\s*for="?([^";]+)"?/i.exec(hop)?.[1] ?? ""));
  return known(hops);
}

/** Only what stands behind the last hop that is no address: a proxy wrote that, whatever it means. */
function known(hops: (string | undefined)[] | undefined): string[] | undefined {
  const from = (hops?.lastIndexOf(undefined) ?? -1) + 1;
  const addresses = hops?.slice(from).filter((hop) => hop !== undefined);
  return addresses !== undefined && addresses.length > 0 ? addresses : undefined;
}

/** With or without a port, in brackets or not. */
function addressIn(text: string): string | undefined {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return isIP(bare) === 0 ? undefined : normalizeAddress(bare);
}
