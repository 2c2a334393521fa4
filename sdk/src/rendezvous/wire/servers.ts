/** The STUN and TURN servers of which a lobby tells its hosts and the players who were invited. */
import { RendezvousError } from "./errors.ts";

/** TURN servers, and credentials for them. */
export interface TurnAccess {
  /** `turn:turn.example:3478?transport=udp` (RFC 7065) */
  urls: string[];
  /** The user's name, in the form that the server expects (RFC 8489 section 9.2). */
  username: string;
  /** The password. */
  credential: string;
  /** When a TURN server begins to refuse it, in milliseconds since 1970; 0: never. */
  expiresAt: number;
}

/** The STUN and TURN servers that a lobby offers. */
export interface TraversalServers {
  /** `stun:stun.example:3478` (RFC 7064) */
  stun: string[];
  /** TURN servers with credentials for this caller. */
  turn: TurnAccess[];
}

/** What the lobby is given: a secret shared with coturn (`use-auth-secret`), or credentials that never change. */
export type TurnOptions =
  | { urls: readonly string[]; secret: string; ttlSeconds?: number }
  | { urls: readonly string[]; username: string; credential: string };

export interface ServersOptions {
  /** STUN servers (`stun:HOST:PORT`, RFC 7064), at most 8. Default: none. */
  stun?: readonly string[];
  /** TURN servers with what gives access to them. Default: none. */
  turn?: TurnOptions;
}

/** Four hours. */
export const DEFAULT_TTL_SECONDS = 14_400;
const MAX_URLS = 8;
const MAX_TURN_SERVERS = 4;
const MAX_URL_LENGTH = 256;
/** RFC 8489 section 14.3: a username has at most 508 bytes. */
const MAX_CREDENTIAL_LENGTH = 508;
const URL_OF = {
  stun: /^stuns?:[^\s/?#@]+$/,
  turn: /^turns?:[^\s/?#@]+(\?transport=(udp|tcp))?$/,
} as const;

/** @throws RendezvousError `invalid` */
export function checkServersOptions({ stun = [], turn }: ServersOptions): void {
  parseUrls(stun, "stun");
  if (turn === undefined) return;
  if (parseUrls(turn.urls, "turn").length === 0) fail("turn.urls must not be empty");
  if ("secret" in turn) {
    const ttl = turn.ttlSeconds ?? DEFAULT_TTL_SECONDS;
    if (turn.secret === "") fail("turn.secret must not be empty");
    if (!Number.isFinite(ttl) || ttl < 1) fail("turn.ttlSeconds must be at least 1");
  }
}

/** What a lobby said, checked. @throws RendezvousError `invalid` */
export function parseServers(value: unknown): TraversalServers {
  const { stun, turn } = (value ?? {}) as { stun?: unknown; turn?: unknown };
  if (!Array.isArray(turn) || turn.length > MAX_TURN_SERVERS)
    fail(`turn must be a list of at most ${MAX_TURN_SERVERS}`);
  return { stun: parseUrls(stun, "stun"), turn: turn.map(parseTurnAccess) };
}

/** One of them, checked. @throws RendezvousError `invalid` */
export function parseTurnAccess(value: unknown): TurnAccess {
  const { urls, username, credential, expiresAt } = (value ?? {}) as Record<keyof TurnAccess, unknown>;
  if (typeof username !== "string" || username.length > MAX_CREDENTIAL_LENGTH) fail("a TURN username is malformed");
  if (typeof credential !== "string" || credential.length > MAX_CREDENTIAL_LENGTH) {
    fail("a TURN credential is malformed");
  }
  if (typeof expiresAt !== "number" || !Number.isSafeInteger(expiresAt) || expiresAt < 0) {
    fail("a TURN credential's expiry is malformed");
  }
  return { urls: parseUrls(urls, "turn"), username, credential, expiresAt };
}

function parseUrls(value: unknown, scheme: keyof typeof URL_OF): string[] {
  if (!Array.isArray(value) || value.length > MAX_URLS) fail(`${scheme} must be a list of at most ${MAX_URLS} URLs`);
  return value.map((url: unknown) => {
    if (typeof url !== "string" || url.length > MAX_URL_LENGTH || !URL_OF[scheme].test(url)) {
      const said = typeof url === "string" ? `"${url.slice(0, 80)}"` : typeof url;
      fail(`${said} is no URL such as ${scheme}:${scheme}.example:3478`);
    }
    return url;
  });
}

function fail(what: string): never {
  throw new RendezvousError("invalid", what);
}
