/**
 * An invite is eight characters of 5 bits each, so 40 bits, written `K7Q2-9FXM`. The link is the lobby's URL with the
 * code and the seal (seal-text.ts) as its fragment, which browsers do not send, so that no proxy's log holds it. A page of the
 * lobby's could read it, though: who joins in a browser on the lobby's own page trusts the lobby.
 */
import { parseSeal } from "./seal-text.ts";

/** Digits and capitals without the pairs that people mix up: no 0 and O, no 1 and I. Exactly 32, so 5 bits each. */
export const INVITE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/** Characters of a code, without the dash. */
export const INVITE_LENGTH = 8;

const CODE: RegExp = new RegExp(`^[${INVITE_ALPHABET}]{${INVITE_LENGTH}}$`);
/** Longer input is not looked at. */
const MAX_TEXT = 2048;

export interface Invite {
  /** `K7Q2-9FXM`. Whoever has it trusts the lobby to name the right host. */
  code: string;
  /** `https://lobby.example/#K7Q2-9FXM.` and 43 characters, with which nobody needs to trust the lobby. */
  url: string;
}

export interface ParsedInvite {
  code: string;
  /** Of a link. */
  lobby?: string;
  /** Of a whole link: see seal-text.ts. */
  seal?: string;
}

/** The code in its written form, whatever its case, spaces and dashes; undefined if it is none. */
export function parseInviteCode(text: string): string | undefined {
  if (text.length > 64) return undefined;
  const bare = text.replaceAll(/[\s-]/g, "").toUpperCase();
  return CODE.test(bare) ? `${bare.slice(0, 4)}-${bare.slice(4)}` : undefined;
}

/**
 * A code, or an invite link (which also says which lobby to ask), or what stands behind the link's `#`; undefined for
 * anything else, such as a link that has lost its end: it must not pass for one that never had a seal.
 */
export function parseInvite(text: string): ParsedInvite | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const bare = parseFragment(text);
  if (bare !== undefined) return bare;
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  const linked = parseFragment(url.hash.slice(1));
  return linked === undefined ? undefined : { ...linked, lobby: url.origin + url.pathname };
}

function parseFragment(text: string): ParsedInvite | undefined {
  const dot = text.indexOf(".");
  const code = parseInviteCode(dot < 0 ? text : text.slice(0, dot));
  if (code === undefined) return undefined;
  if (dot < 0) return { code };
  const seal = text.slice(dot + 1).trim();
  return parseSeal(seal) === undefined ? undefined : { code, seal };
}

/** The link that a host passes on. `lobby` is the lobby's own URL. */
export function inviteUrl(lobby: string, code: string, seal?: string): string {
  const url = new URL(lobby);
  url.search = "";
  url.hash = seal === undefined ? code : `${code}.${seal}`;
  return url.href;
}
