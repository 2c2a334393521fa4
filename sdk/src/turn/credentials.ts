import { createHmac, timingSafeEqual } from "node:crypto";

/** What a TURN server wants to know of its client (RFC 8489 section 9.2). */
export interface TurnCredentials {
  /** The user's name. */
  username: string;
  /** The password. */
  credential: string;
}

/** Options of `mintTurnCredentials`. */
export interface TurnMintOptions {
  /** Whom the server's log shall name, e.g. an invite's code. No secret: it travels in the clear. Default: none. */
  label?: string;
  /** How long new allocations are granted, in seconds. Default 86 400, a day. */
  ttlSeconds?: number;
  /** Now, in seconds since 1970. Default: the system's clock. */
  unixSeconds?: number;
}

/** Whether credentials open a TURN server. */
export type TurnCredentialVerdict = "valid" | "expired" | "wrong";

const DEFAULT_TTL_SECONDS = 86_400;

/**
 * Short-lived credentials from the secret that a lobby shares with coturn (`use-auth-secret`): the username is the time of
 * expiry and a label, the credential its HMAC (draft-uberti-behave-turn-rest-00 section 2.2).
 */
export function mintTurnCredentials(secret: string, options: TurnMintOptions = {}): TurnCredentials {
  const { label = "", ttlSeconds = DEFAULT_TTL_SECONDS, unixSeconds = Date.now() / 1000 } = options;
  const expiry = Math.floor(unixSeconds + ttlSeconds);
  const username = label === "" ? `${expiry}` : `${expiry}:${label}`;
  return { username, credential: credentialOf(secret, username) };
}

/** The credential that belongs to a username. */
export function credentialOf(secret: string, username: string): string {
  return hmac(secret, username).toString("base64");
}

/** When short-lived credentials expire, in seconds since 1970; `null` for a username that names no time. */
export function turnCredentialsExpiry(username: string): number | null {
  const digits = /^(\d{1,12})(?::|$)/.exec(username)?.[1];
  return digits === undefined ? null : Number(digits);
}

/** What coturn would say to them. The credential is compared in constant time. */
export function checkTurnCredentials(
  secret: string,
  { username, credential }: TurnCredentials,
  unixSeconds: number = Date.now() / 1000,
): TurnCredentialVerdict {
  const expiry = turnCredentialsExpiry(username);
  const given = Buffer.from(credential, "base64");
  const expected = hmac(secret, username);
  if (expiry === null || given.length !== expected.length || !timingSafeEqual(given, expected)) return "wrong";
  return expiry < unixSeconds ? "expired" : "valid";
}

function hmac(secret: string, username: string): Buffer {
  return createHmac("sha1", secret).update(username).digest();
}
