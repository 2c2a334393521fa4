import { randomBytes } from "node:crypto";

/** RFC 8445 section 5.3: a user name fragment of 4-256 characters and a password of 22-256, of `A-Za-z0-9+/`. */
export interface IceCredentials {
  readonly ufrag: string;
  readonly password: string;
}

/** 48 bits: nobody finds an agent by guessing. */
const UFRAG_BYTES = 6;
/** 144 bits; the RFC wants 128. */
const PASSWORD_BYTES = 18;
const UFRAG = /^[A-Za-z0-9+/]{4,256}$/;
const PASSWORD = /^[A-Za-z0-9+/]{22,256}$/;

/** Fresh credentials: 8 and 24 characters. */
export function newIceCredentials(random: (bytes: number) => Uint8Array = randomBytes): IceCredentials {
  const text = (bytes: number): string => Buffer.from(random(bytes)).toString("base64");
  return { ufrag: text(UFRAG_BYTES), password: text(PASSWORD_BYTES) };
}

/** Credentials as the peer signalled them; `null` for what is none. */
export function parseIceCredentials(value: unknown): IceCredentials | null {
  if (typeof value !== "object" || value === null) return null;
  const { ufrag, password } = value as Partial<Record<keyof IceCredentials, unknown>>;
  if (typeof ufrag !== "string" || typeof password !== "string") return null;
  return UFRAG.test(ufrag) && PASSWORD.test(password) ? { ufrag, password } : null;
}
