import type { IncomingMessage } from "node:http";
import { isIP, type Socket } from "node:net";
import { callerKey } from "../../../net/caller-key.ts";
import { normalizeAddress } from "../../../net/endpoint.ts";
import { type AddressScope, addressScope } from "../../../net/scope.ts";
import { type Caller, callerAt, introducedCaller } from "../admission/caller.ts";
import { introducedPlayer } from "./introduced.ts";

/**
 * Where a reverse proxy of ours can stand. Not behind a provider's carrier-grade NAT (100.64/10, RFC 6598): its other customers have
 * such addresses too.
 */
const OURS: ReadonlySet<AddressScope> = new Set(["loopback", "private", "link-local"]);
const THIS_MACHINE: ReadonlySet<AddressScope> = new Set(["loopback"]);
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

const named = new WeakMap<IncomingMessage, string | undefined>();

/** Keeps whom a trusted proxy names as the one who sent this request: the headers say something else from then on. */
export function rememberNamed(request: IncomingMessage, address: string | undefined): void {
  named.set(request, address);
}

/**
 * Who shares a limit with this connection; undefined where it counts by itself. Whoever has an address of this machine is on it: a
 * reverse proxy, or we ourselves for a player who was introduced. With `trustProxy` the proxy may also be on a private address.
 */
export function callerOf(
  { remoteAddress = "", localAddress }: Pick<Socket, "remoteAddress" | "localAddress">,
  trustProxy: boolean,
): string | undefined {
  const nobody = trustProxy ? OURS : THIS_MACHINE;
  if (remoteAddress === localAddress || nobody.has(addressScope(normalizeAddress(remoteAddress)))) return undefined;
  return callerKey(remoteAddress);
}

/**
 * Who has sent a request that guardRequests has seen: an introduced player, whom a trusted proxy names, or the other end of the
 * connection. Undefined for what a proxy sends for nobody in particular.
 */
export function callerOfRequest(request: IncomingMessage, trustProxy: boolean): Caller | undefined {
  const player = introducedPlayer(request);
  if (player !== undefined) return introducedCaller(player);
  const address = named.get(request);
  if (address !== undefined) return THIS_MACHINE.has(addressScope(address)) ? undefined : callerAt(address);
  const { remoteAddress = "" } = request.socket;
  return callerOf(request.socket, trustProxy) === undefined ? undefined : callerAt(normalizeAddress(remoteAddress));
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
