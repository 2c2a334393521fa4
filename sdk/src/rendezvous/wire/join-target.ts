/** What a person types, or pastes, to join a game: an invite or a host's URL, and what was meant where it is neither. */
import { INVITE_ALPHABET, INVITE_LENGTH, PUBLIC_INVITE_LENGTH, parseInvite, parseInviteCode } from "./invite.ts";

/** Longer input is not looked at, nor repeated. */
const MAX_TEXT = 2048;
const MAX_QUOTED = 80;

/**
 * - `empty`: nothing was typed.
 * - `truncated-link`: an invite's link that has lost a part, mostly its end.
 * - `confused-characters`: a code with characters that no code has: 0, O, 1 or I.
 * - `wrong-length`: a code with too few or too many characters.
 * - `no-invite`: anything else.
 */
export type InviteMistakeCode = "empty" | "truncated-link" | "confused-characters" | "wrong-length" | "no-invite";

/** Why a text leads nowhere. `code` and `params` are for a game that says it in its own words or language. */
export interface InviteMistake {
  /** Which mistake it is, for a program that has its own words. */
  code: InviteMistakeCode;
  /** What the message names, such as the letter that is no letter of a code. */
  params: Readonly<Record<string, string | number>>;
  /** One or two sentences for the person, in English. */
  message: string;
}

/** What was given to join by: an invite, a URL, the local network, or none of them. */
export type JoinTarget =
  | { kind: "invite"; invite: string }
  /** The URL of a host, without a slash at its end. */
  | { kind: "url"; url: string }
  | { kind: "mistake"; mistake: InviteMistake };

/**
 * Reads what a player typed. An address without `http://` is a host's, as people type them: `localhost:7777`, `192.168.77.2`,
 * `[2001:db8::7]:7777`, `game.example`.
 * @param port of a host whose address names none, 1-65535
 */
export function parseJoinTarget(text: string, { port }: { port: number }): JoinTarget {
  const trimmed = text.trim();
  if (trimmed.length <= MAX_TEXT) {
    if (parseInvite(trimmed) !== undefined) return { kind: "invite", invite: trimmed };
    const url = hostUrl(trimmed, port);
    if (url !== undefined) return { kind: "url", url };
  }
  return { kind: "mistake", mistake: inviteMistake(trimmed) };
}

/** What is wrong with a text that {@link parseInvite} does not take. */
export function inviteMistake(text: string): InviteMistake {
  const trimmed = text.trim();
  if (trimmed === "") {
    return { code: "empty", params: {}, message: "No invite was given. One looks like K7Q2-9FXM, or is a whole link." };
  }
  const code = trimmed.length > MAX_TEXT ? undefined : codeOfBrokenLink(trimmed);
  if (code !== undefined) {
    return {
      code: "truncated-link",
      params: { code },
      message: `A part of this invite's link is missing. Copy it again, up to its last character, or give the code alone: ${code}.`,
    };
  }
  const bare = trimmed.replaceAll(/[\s-]/g, "").toUpperCase();
  const isCodeLike = /^[0-9A-Z]+$/.test(bare);
  const confused = [...new Set(bare)].filter((character) => !INVITE_ALPHABET.includes(character));
  if (isCodeLike && confused.length > 0 && (bare.length === INVITE_LENGTH || bare.length === PUBLIC_INVITE_LENGTH)) {
    return {
      code: "confused-characters",
      params: { characters: confused.join(" ") },
      message: `An invite has no 0, O, 1 or I, and this one has ${confused.join(" and ")}. Look again: 0 and O may be Q, D or 8, and 1 and I may be J, L or 7.`,
    };
  }
  const isNearly = [INVITE_LENGTH, PUBLIC_INVITE_LENGTH].some((length) => Math.abs(bare.length - length) === 1);
  if (isCodeLike && isNearly && confused.length === 0) {
    return {
      code: "wrong-length",
      params: { length: bare.length, lobby: INVITE_LENGTH, public: PUBLIC_INVITE_LENGTH },
      message: `An invite has ${INVITE_LENGTH} characters, or ${PUBLIC_INVITE_LENGTH}, beside its dashes: this one has ${bare.length}.`,
    };
  }
  const quoted = trimmed.length > MAX_QUOTED ? `${trimmed.slice(0, MAX_QUOTED)}…` : trimmed;
  return {
    code: "no-invite",
    params: { text: quoted },
    message: `"${quoted}" is no invite. One looks like K7Q2-9FXM, or is a whole link, up to its last character.`,
  };
}

/** The code of a link of which more than the code should be there, or that begins as one. */
function codeOfBrokenLink(text: string): string | undefined {
  const fragment = /^sallyport:/i.test(text) ? text.slice("sallyport:".length) : text.slice(text.indexOf("#") + 1);
  const [first = "", ...more] = fragment.split(".");
  return more.length > 0 ? parseInviteCode(first) : undefined;
}

function hostUrl(text: string, port: number): string | undefined {
  if (/\s/.test(text)) return undefined;
  if (/^https?:\/\//i.test(text)) {
    // A fragment is an invite's, and this one was not understood.
    if (!URL.canParse(text) || codeOfBrokenLink(text) !== undefined) return undefined;
    const url = new URL(text);
    url.hash = "";
    return url.href.replace(/\/+$/, "");
  }
  // IPv6 as people type it, without its brackets.
  const authority = /^[0-9a-f:.]*:[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) ? `[${text}]` : text.replace(/\/+$/, "");
  const [, host, ownPort] =
    /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)(?::(\d{1,5}))?$/i.exec(authority) ?? [];
  if (host === undefined) return undefined;
  // A word alone may be a code: only what a code cannot have makes it an address.
  if (ownPort === undefined && !/[.[]/.test(host) && host.toLowerCase() !== "localhost") return undefined;
  const url = `http://${host}:${ownPort ?? port}`;
  // The port 80 of http is not repeated by URL.
  return URL.canParse(url) ? url : undefined;
}
