import { isIP } from "node:net";
import type { Via } from "../gateway/types.ts";
import { DEFAULT_WAITS_MS } from "../nat/lifetime.ts";
import { checkWaits } from "../nat/lifetime-search.ts";
import { type TurnServer } from "../turn/open.ts";
import { type AnnounceOptions, checkAnnounce } from "./announced.ts";

/** Options of a {@link ConnectivityManager}. */
export interface ConnectivityOptions {
  /** The game's port, UDP and TCP, 0-65535; 0 takes a free one. Default 7777. */
  port?: number;
  /** Address to bind to. Default `*`: all, IPv4 and IPv6. */
  address?: string;
  /** What the router shows as the mapping's description. Default "Sallyport". */
  description?: string;
  /** `both` asks for one external number for UDP and TCP, as a game with a WebSocket fallback wants. Default `both`. */
  protocol?: "udp" | "both";
  /**
   * Which gateway protocols may be used; an empty list asks no router, and so does `SALLYPORT_VIA=none` in the environment, whatever
   * is given here. Default: all.
   */
  via?: readonly Via[];
  /** STUN servers, `host:port` or `stun:` URLs. Default none. */
  stunServers?: readonly string[];
  /**
   * How the game is reached from outside, where this machine cannot find that out: in a container, behind a cloud's 1:1 NAT, by a port
   * that was forwarded by hand. Told to players first; the ladder is climbed all the same. Default: nothing is announced.
   */
  announce?: AnnounceOptions;
  /** TURN servers, with credentials, for players who cannot be reached otherwise. Default none. */
  turnServers?: readonly TurnServer[];
  /**
   * Hides this machine's addresses from the other side: the TURN server's relayed address is the only way in that is told or used, and
   * nothing that comes straight to the game's socket is answered. No router and no STUN server is asked. Without a TURN server nobody
   * gets in. It cannot be combined with `announce`. Default false.
   */
  relayOnly?: boolean;
  /**
   * Map the port although the router's external address is private: behind a provider's box that passes everything on (DMZ, 1:1
   * NAT). Only a packet from outside makes it a way in, so it takes a STUN server with two addresses. Default false.
   */
  acceptPrivateAddress?: boolean;
  /** The router's address on the LAN, where several answer. No other is asked then. Default "": the default gateways first. */
  gateway?: string;
  /** How long a mapping lasts without renewal, s. Default 7200. */
  lifetimeSeconds?: number;
  /** How often everything is asked again although nothing seems wrong, ms. Default 300 000. */
  renewIntervalMs?: number;
  /**
   * Silences, in ms, that are tried in the background to learn how long the NAT remembers a mapping (RFC 5780 section 4.6), where
   * invites depend on it; 1 to 32 of less than an hour, or none for no measurement. Default: from 10 s to 3 min.
   */
  lifetimeWaitsMs?: readonly number[];
  /**
   * From `open()` to `close()` the process listens to the signals that end it, so that Ctrl-C, a service manager or a closed terminal
   * leave nothing open on the router: a signal that nobody else handles closes the manager, and is then raised again. See `signals` of
   * PortMapperOptions. Default true.
   */
  signals?: boolean;
  /** `open()` answers after this many ms at the latest; what is learnt later comes as `change` events. Default 1000. */
  openTimeoutMs?: number;
}

export const ALL_VIA: readonly Via[] = ["pcp", "nat-pmp", "upnp"];

/**
 * @throws RangeError for a port outside 0-65535, a `gateway` that is no IP address, for `lifetimeWaitsMs` that are no times, for
 *   `relayOnly` beside `announce`, and as {@link checkAnnounce}
 */
export function withDefaults(options: ConnectivityOptions): Required<ConnectivityOptions> {
  const port = options.port ?? 7777;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`port is ${port}; give a whole number from 0 to 65535 (0 takes a free one)`);
  }
  const { lifetimeWaitsMs = DEFAULT_WAITS_MS } = options;
  if (lifetimeWaitsMs.length > 0) checkWaits(lifetimeWaitsMs);
  const { relayOnly = false, announce = {} } = options;
  if (relayOnly && Object.keys(announce).length > 0) {
    throw new RangeError("relayOnly hides this machine's addresses, and announce tells one: choose one of them");
  }
  return {
    port,
    address: options.address ?? "*",
    description: options.description ?? "Sallyport",
    protocol: options.protocol ?? "both",
    via: isSwitchedOff() ? [] : (options.via ?? ALL_VIA),
    stunServers: options.stunServers ?? [],
    announce: checkAnnounce(announce),
    turnServers: options.turnServers ?? [],
    relayOnly,
    acceptPrivateAddress: options.acceptPrivateAddress ?? false,
    gateway: ipAddress(options.gateway ?? ""),
    lifetimeSeconds: options.lifetimeSeconds ?? 7200,
    renewIntervalMs: options.renewIntervalMs ?? 300_000,
    lifetimeWaitsMs,
    signals: options.signals ?? true,
    openTimeoutMs: options.openTimeoutMs ?? 1000,
  };
}

/** `SALLYPORT_VIA=none` is a safety switch: it holds whatever options a program gives, so the library reads it by itself. */
const isSwitchedOff = (): boolean => process.env["SALLYPORT_VIA"]?.trim() === "none";

function ipAddress(gateway: string): string {
  if (gateway !== "" && isIP(gateway) === 0) {
    throw new RangeError(`gateway is ${gateway}; give the router's IP address on this network`);
  }
  return gateway;
}
