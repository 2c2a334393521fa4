/** What hosts, lobby and players say to each other, and the checks that each does on what another said. */
import { printable } from "../../net/printable.ts";
import { describeMismatch, readProtocol } from "../../session/versions.ts";
import { RendezvousError } from "./errors.ts";
import { parseTurnAccess, type TurnAccess } from "./servers.ts";

/** The name under which the room is mounted unless another is agreed. */
export const RENDEZVOUS_ROOM = "rendezvous";

/** Version of what hosts, players and lobby say to each other; who names none speaks 1. A lobby serves games of many releases. */
export const RENDEZVOUS_PROTOCOL = 1;
const RENDEZVOUS_PROTOCOL_NAME = "rendezvous protocol";

/**
 * Checks what host or player and lobby say of themselves: both sides do, since an older one asks nothing.
 * @param protocol what the other side names
 * @throws RendezvousError `refused`, with what to update
 */
export function checkRendezvousProtocol(protocol: unknown, we: "lobby" | "game"): void {
  const speaks = readProtocol(protocol);
  if (speaks === null) fail("protocol must be a version number");
  if (speaks === RENDEZVOUS_PROTOCOL) return;
  const [lobby, game] = we === "lobby" ? [RENDEZVOUS_PROTOCOL, speaks] : [speaks, RENDEZVOUS_PROTOCOL];
  throw new RendezvousError(
    "refused",
    `${describeMismatch(
      RENDEZVOUS_PROTOCOL_NAME,
      { name: "this lobby", update: "the lobby", speaks: lobby },
      { name: "this game", update: "the game", speaks: game },
    )}.`,
  );
}

/** As many as a netcode connect token can carry. */
export const MAX_ENDPOINTS = 32;
/** So that a list of 32 fits into a message of 4 KiB, the default limit of Colyseus' WebSocket transport. */
export const MAX_ENDPOINT_LENGTH = 100;
export const MAX_NAME_LENGTH = 64;
export const MAX_DESCRIPTION_LENGTH = 280;
export const MAX_VERSION_LENGTH = 64;
export const MAX_PLAYERS = 65_535;
const MAX_PLAYER_RELAYS = 4;

/** Close code for a host whose invite another connection with the same secret has taken over. */
export const CLOSE_REPLACED = 4310;
/** Close code for a player who has stayed longer than an introduction takes. */
export const CLOSE_IDLE = 4311;
/** Close code for players when the host has closed its game. */
export const CLOSE_ENDED = 4312;
/** Close code for whoever sends more than the lobby relays. */
export const CLOSE_FLOOD = 4313;

const VERDICTS = ["open", "mapped", "punchable", "relay-only", "lan-only"] as const;
/** How a host can be reached, in the words of the wire: those of `Reachability.verdict`. */
export type HostVerdict = (typeof VERDICTS)[number];

/** What anybody may see of a hosted game: never an address. */
export interface GameSummary {
  /** 1-64 characters. */
  name: string;
  /** Up to 280 characters. */
  description: string;
  /** How many play. */
  players: number;
  /** 0: not said. */
  maxPlayers: number;
  /** The game's version, compared by nobody but the game. Up to 64 characters. */
  version: string;
  /** How the host can be reached. */
  verdict?: HostVerdict;
}

/** What the host says and an invited player gets. */
export interface HostDetails extends GameSummary {
  /**
   * Up to 32 URLs (`http://203.0.113.7:7777`), the best first. What is given to a lobby, it shows to whoever has the code;
   * what is told in an introduction, it does not see.
   */
  endpoints: string[];
}

/** What a host tells introduced players beside, sealed. */
export interface IntroducedDetails extends HostDetails {
  /** TURN servers of players who relay for others, with credentials for this player. */
  playerRelays?: readonly TurnAccess[];
  /** What the host takes of a player who relays for others; undefined where it takes nothing. */
  takesRelays?: { kbps: number; gb: number };
}

/** `host`: lobby -> invited player, at once and at each change. */
export interface HostMessage extends HostDetails {
  /** False while the host's own connection to the lobby is lost; its game may well go on. */
  online: boolean;
  /** What the lobby speaks. */
  protocol?: number;
  /** The key to which introductions are sealed, and the hash of the host's proof: both in base64url. */
  key?: string;
  /** The hash of the host's proof, in base64url. */
  verifier?: string;
}

/** `registered`: lobby -> host. */
export interface RegisteredMessage {
  code: string;
  /** What the lobby speaks. */
  protocol?: number;
  /** The lobby's own, as players know it. */
  url?: string;
}

/**
 * What is relayed. Player -> lobby -> host: `introduce` becomes `introduction`, with a number that the lobby gives. Then
 * `relay` in both directions; on the host's side with that number. `end` from any of the three.
 */
export interface IntroduceMessage {
  hello: Uint8Array;
}
export interface IntroductionMessage extends IntroduceMessage {
  id: number;
  /** The lobby sees both sides at one public address (IPv6: in one /64). The player is told by a message `attested`. */
  attested?: boolean;
}
export interface RelayMessage {
  /** On the host's side only. */
  id?: number;
  data: Uint8Array;
}
export interface EndMessage {
  /** On the host's side only. */
  id?: number;
  reason: EndReason;
}
/**
 * - `left`: the other side has gone.
 * - `away`: the host's connection to the lobby is lost; it may come back.
 * - `limit`: too many messages, bytes, introductions or seconds.
 * - `link-required`: the host takes only those who have the whole link.
 * - `unreadable`: the host could not open the first message.
 * - `refused`: the host takes no introductions.
 */
export type EndReason = "left" | "away" | "limit" | "link-required" | "unreadable" | "refused";
const END_REASONS: readonly EndReason[] = ["left", "away", "limit", "link-required", "unreadable", "refused"];

/** The first byte of `hello`: what the player has. */
export const HELLO = { code: 0, link: 1 } as const;
/** That byte, an ephemeral key, and the tag of an empty message. */
export const HELLO_BYTES: number = 1 + 32 + 16;
/** Both sides of a sealed conversation must mean the same invite. */
export function prologueOf(code: string, mode: number): Uint8Array {
  return new TextEncoder().encode(`sallyport introduction 1 ${mode} ${code}`);
}

/** One entry of a lobby's list. */
export interface GameListing extends GameSummary {
  /** Says which entry this is, and opens nothing. */
  id: string;
  /** False while the host's own connection to the lobby is lost. */
  online: boolean;
}

function fail(what: string): never {
  throw new RendezvousError("invalid", what);
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) fail("an object was expected");
  return value as Record<string, unknown>;
}

function text(value: unknown, what: string, max: number): string {
  if (typeof value !== "string") fail(`${what} must be a string`);
  // Four times the allowance is refused unread; the rest is judged after cleaning.
  if (value.length > max * 4) fail(`${what} is longer than ${max} characters`);
  const clean = printable(value);
  if (clean.length > max) fail(`${what} is longer than ${max} characters`);
  return clean;
}

function count(value: unknown, what: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0 || value > MAX_PLAYERS) {
    fail(`${what} must be a whole number from 0 to ${MAX_PLAYERS}`);
  }
  return value;
}

/** `http` or `https`, a host, perhaps a path; no user, query or fragment. In its normal form, without a last slash. */
export function parseEndpointUrl(value: unknown): string {
  if (typeof value !== "string" || value.length > MAX_ENDPOINT_LENGTH) {
    fail(`an endpoint must be a URL of at most ${MAX_ENDPOINT_LENGTH} characters`);
  }
  if (!URL.canParse(value)) fail("an endpoint must be a URL such as http://203.0.113.7:7777");
  const url = new URL(value);
  if (url.protocol !== "http:" && url.protocol !== "https:") fail("an endpoint must begin with http:// or https://");
  if (url.hostname === "" || url.port === "0") fail("an endpoint needs a host and a port other than 0");
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    fail("an endpoint must have no user, query or fragment");
  }
  return url.href.replace(/\/+$/, "");
}

function endpoints(value: unknown): string[] {
  if (!Array.isArray(value)) fail("endpoints must be a list of URLs");
  if (value.length > MAX_ENDPOINTS) fail(`at most ${MAX_ENDPOINTS} endpoints`);
  return [...new Set(value.map(parseEndpointUrl))];
}

function verdict(value: unknown): HostVerdict {
  const found = VERDICTS.find((word) => word === value);
  return found ?? fail(`verdict must be one of ${VERDICTS.join(", ")}`);
}

/**
 * Those of the details that are there, checked. Fields that nobody knows are left out, so that a newer host can talk to
 * an older lobby.
 * @throws RendezvousError `invalid`
 */
export function parseHostUpdate(value: unknown): Partial<HostDetails> {
  const said = record(value);
  const has = (field: string): boolean => Object.hasOwn(said, field) && said[field] !== undefined;
  const details: Partial<HostDetails> = {};
  if (has("name")) {
    details.name = text(said["name"], "name", MAX_NAME_LENGTH);
    if (details.name === "") fail("name must not be empty");
  }
  if (has("description")) details.description = text(said["description"], "description", MAX_DESCRIPTION_LENGTH);
  if (has("version")) details.version = text(said["version"], "version", MAX_VERSION_LENGTH);
  if (has("players")) details.players = count(said["players"], "players");
  if (has("maxPlayers")) details.maxPlayers = count(said["maxPlayers"], "maxPlayers");
  if (has("verdict")) details.verdict = verdict(said["verdict"]);
  if (has("endpoints")) details.endpoints = endpoints(said["endpoints"]);
  return details;
}

/**
 * All details: a name is required, the rest has defaults.
 * @throws RendezvousError `invalid`
 */
export function parseHostDetails(value: unknown): HostDetails {
  const details = parseHostUpdate(value);
  if (details.name === undefined) fail("name is missing");
  return { description: "", players: 0, maxPlayers: 0, version: "", endpoints: [], ...details, name: details.name };
}

/** What introduced players are told beside the details; what is malformed is left out. */
export function parseIntroduced(value: unknown): Pick<IntroducedDetails, "playerRelays" | "takesRelays"> {
  const { playerRelays, takesRelays } = record(value);
  const named = Array.isArray(playerRelays) ? playerRelays.slice(0, MAX_PLAYER_RELAYS) : [];
  const relays = named.flatMap((each) => {
    try {
      return [parseTurnAccess(each)];
    } catch {
      return [];
    }
  });
  const { kbps, gb } = (takesRelays ?? {}) as Record<"kbps" | "gb", unknown>;
  const takes = isAmount(kbps) && isAmount(gb) ? { takesRelays: { kbps, gb } } : {};
  return { ...(relays.length > 0 && { playerRelays: relays }), ...takes };
}

const isAmount = (value: unknown): value is number => typeof value === "number" && value > 0;

/** @throws RendezvousError `invalid`; `refused` where the lobby speaks another version */
export function parseHostMessage(value: unknown): HostMessage {
  checkRendezvousProtocol(record(value)["protocol"], "game");
  const message: HostMessage = { ...parseHostDetails(value), online: record(value)["online"] !== false };
  for (const field of ["key", "verifier"] as const) {
    const said = record(value)[field];
    if (typeof said === "string" && said.length === 43) message[field] = said;
  }
  return message;
}

/** Bytes up to a length; undefined for anything else. */
export function parseBytes(message: unknown, field: "hello" | "data", max: number): Uint8Array | undefined {
  const value = (message as Record<string, unknown> | null | undefined)?.[field];
  return value instanceof Uint8Array && value.length <= max ? value : undefined;
}

export function parseId(message: unknown): number | undefined {
  const id = (message as { id?: unknown } | null | undefined)?.id;
  return typeof id === "number" && Number.isSafeInteger(id) ? id : undefined;
}

export function parseEndReason(message: unknown): EndReason {
  const said = (message as { reason?: unknown } | null | undefined)?.reason;
  return END_REASONS.find((reason) => reason === said) ?? "left";
}

/** What of the details anybody may see. Written out field by field, so that a new field is not public by accident. */
export function summaryOf(details: HostDetails): GameSummary {
  const { name, description, players, maxPlayers, version } = details;
  const summary: GameSummary = { name, description, players, maxPlayers, version };
  if (details.verdict !== undefined) summary.verdict = details.verdict;
  return summary;
}
