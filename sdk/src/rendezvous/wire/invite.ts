/**
 * An invite is a code, or a link with that code and more.
 *
 * - A lobby's code has eight characters of 5 bits each, so 40 bits: `K7Q2-9FXM`. Its link is the lobby's URL with the code
 *   and the seal (seal-text.ts) as its fragment.
 * - A code of `public` has twelve, so 60 bits: `K7Q2-9FXM-T3PD`. Its link is the URL of any page, or `sallyport:` where there is
 *   none, with code, seal and hint (hint.ts) as its fragment.
 *
 * Browsers do not send a fragment, so that no proxy's log holds it. The page could read it, though: who joins in a browser
 * trusts the page.
 */
import { parseHint, type RelayHint } from "./hint.ts";
import { parseSeal } from "./seal-text.ts";

/** Digits and capitals without the pairs that people mix up: no 0 and O, no 1 and I. Exactly 32, so 5 bits each. */
export const INVITE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/** Characters of a lobby's code, without the dash. */
export const INVITE_LENGTH = 8;
/** Characters of a code of `public`, without the dashes. */
export const PUBLIC_INVITE_LENGTH = 12;
/** In place of a lobby's URL: public relays. */
export const PUBLIC_LOBBY = "public";
/** Begins a link of `public` that no page opens. */
const SCHEME = "sallyport:";

const CODE: RegExp = new RegExp(`^[${INVITE_ALPHABET}]{${INVITE_LENGTH}}$`);
const PUBLIC_CODE: RegExp = new RegExp(`^[${INVITE_ALPHABET}]{${PUBLIC_INVITE_LENGTH}}$`);
/** Longer input is not looked at. */
const MAX_TEXT = 2048;

/** What a host passes on. */
export interface Invite {
  /** `K7Q2-9FXM`, or `K7Q2-9FXM-T3PD` of `public`. Who has a lobby's code alone trusts the lobby to name the right host. */
  code: string;
  /**
   * `https://lobby.example/#K7Q2-9FXM.` and 43 characters, with which nobody needs to trust the lobby. Of `public`: the same on a
   * page of the game's, or `sallyport:K7Q2-9FXM-T3PD.…` where none is known.
   */
  url: string;
}

/** What a code or a link says. */
export interface ParsedInvite {
  /** The code in capitals with its dashes. */
  code: string;
  /** Of a link; `public` for a code of twelve characters. */
  lobby?: string;
  /** Of a whole link: see seal-text.ts. */
  seal?: string;
  /** Of a whole link of `public`. */
  hint?: RelayHint;
}

/** The code in its written form, whatever its case, spaces and dashes; undefined if it is none. */
export function parseInviteCode(text: string): string | undefined {
  if (text.length > 64) return undefined;
  const bare = text.replaceAll(/[\s-]/g, "").toUpperCase();
  return CODE.test(bare) || PUBLIC_CODE.test(bare) ? bare.match(/.{4}/g)?.join("-") : undefined;
}

/** Whether a code, in its written form, is one of `public`. */
export function isPublicCode(code: string): boolean {
  return code.length === PUBLIC_INVITE_LENGTH + 2;
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
  if (url.protocol === SCHEME) return parsePublic(text.trim().slice(SCHEME.length));
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  const linked = parseFragment(url.hash.slice(1));
  // The page of a link of `public` is no lobby.
  return linked && { lobby: url.origin + url.pathname, ...linked };
}

function parsePublic(text: string): ParsedInvite | undefined {
  const invite = parseFragment(text);
  return invite?.lobby === PUBLIC_LOBBY ? invite : undefined;
}

function parseFragment(text: string): ParsedInvite | undefined {
  const [first = "", sealText, hintText, ...more] = text.split(".", 4);
  const code = parseInviteCode(first);
  if (code === undefined || more.length > 0) return undefined;
  const invite: ParsedInvite = isPublicCode(code) ? { code, lobby: PUBLIC_LOBBY } : { code };
  if (sealText === undefined) return invite;
  const seal = hintText === undefined ? sealText.trim() : sealText;
  if (parseSeal(seal) === undefined) return undefined;
  if (invite.lobby !== PUBLIC_LOBBY) return hintText === undefined ? { ...invite, seal } : undefined;
  const hint = parseHint(hintText?.trim() ?? "");
  return hint && { ...invite, seal, hint };
}

/** The link that a host passes on. `lobby` is the lobby's own URL. */
export function inviteUrl(lobby: string, code: string, seal?: string): string {
  const url = new URL(lobby);
  url.search = "";
  url.hash = seal === undefined ? code : `${code}.${seal}`;
  return url.href;
}

/** The link of an invite of `public`. @param page what opens it; undefined where there is no page */
export function publicInviteUrl(page: string | undefined, code: string, seal: string, hint: string): string {
  const fragment = `${code}.${seal}.${hint}`;
  if (page === undefined) return SCHEME + fragment;
  const url = new URL(page);
  url.hash = fragment;
  return url.href;
}
