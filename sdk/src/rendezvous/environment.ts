import { parseRelayList } from "./wire/relay-url.ts";

/** How players find a game, as the person who runs a program sets it in its environment. */
export interface InviteEnvironmentOptions {
  /** A lobby's URL, or `public`. */
  lobby?: string;
  /** Relays of `public`, in place of the package's list. */
  relays?: string[];
  /** STUN servers, in place of the package's list. */
  stunServers?: string[];
  /** The URL of the page of an invite's link. */
  page?: string;
  /** Addresses stay hidden: see the options of client and transport. */
  relayOnly?: boolean;
}

/**
 * Reads options from a program's environment, since the library itself reads none: give them to `SallyportTransport`,
 * `HostRegistration`, `introduce` or `SallyportClient.fromInvite`. A variable that is not set gives no option.
 *
 * - `LOBBY_URL`: `lobby`, a lobby's URL or `public`; empty: none.
 * - `SALLYPORT_RELAYS`: `relays` of `public`, separated by commas; empty: the package's list.
 * - `SALLYPORT_STUN_URLS`: `stunServers` of `public`, `stun:HOST:PORT` or `HOST:PORT`, separated by commas or blanks; empty: none.
 * - `PAGE_URL`: `page` of the invite's link; empty: none.
 * - `SALLYPORT_RELAY_ONLY`: `relayOnly`, `1`, `true` or `yes`. Anything else stands for no.
 *
 * @param environment default `process.env`
 * @throws RendezvousError `invalid` for relays that are none
 */
export function invitesFromEnvironment(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): InviteEnvironmentOptions {
  const { LOBBY_URL: lobby, SALLYPORT_RELAYS: relays, SALLYPORT_STUN_URLS: stun, PAGE_URL: page } = environment;
  const { SALLYPORT_RELAY_ONLY: relayOnly } = environment;
  return {
    ...(lobby ? { lobby } : {}),
    ...(relays ? { relays: parseRelayList(relays) } : {}),
    ...(stun === undefined
      ? {}
      : {
          stunServers: stun
            .split(/[\s,]+/)
            .filter(Boolean)
            .map(withScheme),
        }),
    ...(page ? { page } : {}),
    ...(relayOnly === undefined ? {} : { relayOnly: /^\s*(?:1|true|yes)\s*$/i.test(relayOnly) }),
  };
}

const withScheme = (server: string): string => (/^stuns?:/.test(server) ? server : `stun:${server}`);
