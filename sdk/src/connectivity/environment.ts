import { isIP } from "node:net";
import { addressFamily } from "../net/address.ts";
import { type AnnounceOptions, isHostName } from "./announced.ts";
import { ALL_VIA, type ConnectivityOptions } from "./options.ts";

/** The options that the person who runs a program sets in its environment. */
export type EnvironmentOptions = Pick<
  ConnectivityOptions,
  "via" | "gateway" | "acceptPrivateAddress" | "stunServers" | "renewIntervalMs" | "announce" | "relayOnly"
>;

/**
 * Reads options from a program's environment, since the library itself reads none: give them to {@link ConnectivityManager}, or to
 * `SallyportTransport` as `connectivity`. A variable that is not set gives no option, so that the default holds.
 *
 * - `SALLYPORT_VIA`: `via`, names separated by commas or blanks, or `none`. Other words are ignored.
 * - `SALLYPORT_GATEWAY`: `gateway`, an IP address. Anything else is ignored.
 * - `SALLYPORT_ACCEPT_PRIVATE_ADDRESS`: `acceptPrivateAddress`, `1`, `true` or `yes`. Anything else stands for no.
 * - `SALLYPORT_STUN_URLS`: `stunServers`, separated by commas or blanks.
 * - `SALLYPORT_RENEW_INTERVAL_MS`: `renewIntervalMs`, a number above 0. Anything else is ignored.
 * - `SALLYPORT_ANNOUNCE_HOST`, `SALLYPORT_ANNOUNCE_PORT`, `SALLYPORT_ANNOUNCE_WEBRTC_PORT`: `announce`, a name or an IP address, and
 *   ports. Anything else is ignored.
 * - `SALLYPORT_RELAY_ONLY`: `relayOnly`, `1`, `true` or `yes`. Anything else stands for no.
 *
 * @param environment default `process.env`
 */
export function optionsFromEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): EnvironmentOptions {
  const { SALLYPORT_VIA: via, SALLYPORT_STUN_URLS: stunUrls, SALLYPORT_RENEW_INTERVAL_MS: interval } = environment;
  const { SALLYPORT_GATEWAY: router, SALLYPORT_ACCEPT_PRIVATE_ADDRESS: accept } = environment;
  const { SALLYPORT_RELAY_ONLY: relayOnly } = environment;
  const gateway = router?.trim() ?? "";
  const renewIntervalMs = Number(interval);
  const announce = announceFrom(environment);
  return {
    ...(via === undefined ? {} : { via: ALL_VIA.filter((each) => words(via).includes(each)) }),
    ...(isIP(gateway) === 0 ? {} : { gateway }),
    ...(Object.keys(announce).length === 0 ? {} : { announce }),
    ...(accept === undefined ? {} : { acceptPrivateAddress: isYes(accept) }),
    ...(relayOnly === undefined ? {} : { relayOnly: isYes(relayOnly) }),
    ...(stunUrls === undefined ? {} : { stunServers: words(stunUrls) }),
    ...(renewIntervalMs > 0 && renewIntervalMs < Number.POSITIVE_INFINITY ? { renewIntervalMs } : {}),
  };
}

function announceFrom(environment: Readonly<Record<string, string | undefined>>): AnnounceOptions {
  const host = environment["SALLYPORT_ANNOUNCE_HOST"]?.trim() ?? "";
  const port = portIn(environment["SALLYPORT_ANNOUNCE_PORT"]);
  const webrtcPort = portIn(environment["SALLYPORT_ANNOUNCE_WEBRTC_PORT"]);
  return {
    ...(addressFamily(host) !== 0 || isHostName(host) ? { host } : {}),
    ...(port === undefined ? {} : { port }),
    ...(webrtcPort === undefined ? {} : { webrtcPort }),
  };
}

function portIn(text = ""): number | undefined {
  const port = Number(text);
  return /^\s*\d{1,5}\s*$/.test(text) && port > 0 && port <= 0xffff ? port : undefined;
}

const isYes = (text: string): boolean => /^\s*(?:1|true|yes)\s*$/i.test(text);
const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);
