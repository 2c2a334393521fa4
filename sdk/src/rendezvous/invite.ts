/**
 * An invite is eight characters of 5 bits each, so 40 bits, written `K7Q2-9FXM`; the link is the lobby's URL with the
 * code as its fragment, which browsers do not send, so that no proxy's log holds it.
 */

/** Digits and capitals without the pairs that people mix up: no 0 and O, no 1 and I. Exactly 32, so 5 bits each. */
export const INVITE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/** Characters of a code, without the dash. */
export const INVITE_LENGTH = 8;

const CODE: RegExp = new RegExp(`^[${INVITE_ALPHABET}]{${INVITE_LENGTH}}$`);
/** Longer input is not looked at. */
const MAX_TEXT = 2048;

export interface Invite {
  /** `K7Q2-9FXM` */
  code: string;
  /** `https://lobby.example/#K7Q2-9FXM` */
  url: string;
}

/** The code in its written form, whatever its case, spaces and dashes; undefined if it is none. */
export function parseInviteCode(text: string): string | undefined {
  if (text.length > 64) return undefined;
  const bare = text.replaceAll(/[\s-]/g, "").toUpperCase();
  return CODE.test(bare) ? `${bare.slice(0, 4)}-${bare.slice(4)}` : undefined;
}

/** A code, or an invite link (which also says which lobby to ask); undefined for anything else. */
export function parseInvite(text: string): { code: string; lobby?: string } | undefined {
  if (text.length > MAX_TEXT) return undefined;
  const code = parseInviteCode(text);
  if (code !== undefined) return { code };
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  const linked = parseInviteCode(url.hash.slice(1));
  if (linked === undefined) return undefined;
  return { code: linked, lobby: url.origin + url.pathname };
}

/** The link that a host passes on. `lobby` is the lobby's own URL. */
export function inviteUrl(lobby: string, code: string): string {
  const url = new URL(lobby);
  url.search = "";
  url.hash = code;
  return url.href;
}
