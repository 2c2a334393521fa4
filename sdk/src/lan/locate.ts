/** Finds the host of a public address in our own network, where the router does not turn its address back to the inside. */

import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import { type LanNetwork, UDPLanNetwork } from "./network.ts";
import { decodeLanPacket, encodeLookup } from "./packet.ts";

const trace = traceOf("lan");

/** When to ask, ms: Wi-Fi loses multicast. */
const ASK_AT_MS: readonly number[] = [0, 100, 300, 600];

/** Options of `locateLan`. */
export interface LocateLanOptions {
  /** Ends the search. */
  signal?: AbortSignal | undefined;
  /** How long to wait for an answer, ms. Default 1000. */
  timeoutMs?: number | undefined;
  /** Default: multicast on all interfaces. */
  network?: LanNetwork | undefined;
  /** UDP port of announcements. Default 28772. */
  announcePort?: number | undefined;
}

/**
 * Asks the local network for the host that the internet knows by this IPv4 address and port. Undefined where there is none. What is
 * found is not proven: anybody on the network can answer, as anybody there can pose as the router.
 */
export async function locateLan(known: Endpoint, options: LocateLanOptions = {}): Promise<Endpoint | undefined> {
  const { signal, timeoutMs = 1000 } = options;
  if (signal?.aborted === true) return undefined;
  const network = options.network ?? new UDPLanNetwork({ port: options.announcePort });
  const { promise, resolve } = Promise.withResolvers<Endpoint | undefined>();
  const endpoint = formatEndpoint(known);
  network.onPacket = (datagram, { address }) => {
    const packet = decodeLanPacket(datagram);
    if (packet?.kind !== "located" || packet.endpoint !== endpoint) return;
    // A URL cannot name the interface that a link-local IPv6 address needs; the same host answers by IPv4 too.
    if (!address.includes("%")) resolve({ address, port: packet.port });
  };
  const lookup = encodeLookup(endpoint);
  const timers = ASK_AT_MS.map((ms) => setTimeout(() => network.multicast(lookup), ms));
  const end = (): void => resolve(undefined);
  timers.push(setTimeout(end, timeoutMs));
  signal?.addEventListener("abort", end, { once: true });
  try {
    const found = await promise;
    if (trace.on) trace.event("located", { known, at: found ?? null });
    return found;
  } finally {
    for (const timer of timers) clearTimeout(timer);
    signal?.removeEventListener("abort", end);
    await network.close();
  }
}
