import { RendezvousError } from "../../rendezvous/wire/errors.ts";
import { checkServersOptions, type TurnOptions } from "../../rendezvous/wire/servers.ts";
import { STUN_PORT } from "../../stun/constants.ts";
import type { TurnServerLimits } from "../../turn/server/options.ts";

/** TURN by the lobby's own process. */
export interface OwnTurnSettings {
  /** Which the processes of one lobby share. Undefined: drawn, for this process alone. */
  secret: string | undefined;
  /** Relayed ports, both included. Undefined: 49152 to 65535. */
  relayPorts: readonly [number, number] | undefined;
  /** What was set; the others have their defaults. */
  limits: TurnServerLimits;
}

/** The STUN and TURN servers of a lobby, as the person who runs it sets them. */
export interface LobbyServersSettings {
  /** Of this process, for STUN over UDP and for its own TURN over UDP and TCP. 0: none. */
  stunPort: number;
  /** Servers that hosts and players are told of in place of our own. */
  stunUrls: readonly string[] | undefined;
  /** TURN servers of others. */
  turn: TurnOptions | undefined;
  /** TURN by this process, in place of a bare STUN responder. */
  ownTurn: OwnTurnSettings | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

const BYTES_PER_KILOBIT = 125;
const BYTES_PER_GIGABYTE = 1e9;
const URL_OF = {
  STUN_URLS: /^stuns?:[^\s/]+$/,
  TURN_URLS: /^turns?:[^\s/?]+(\?transport=(udp|tcp))?$/,
} as const;

/**
 * Reads a lobby's STUN and TURN servers from its environment. Empty variables count as absent; lists have commas or blanks.
 *
 * - `STUN_PORT`: `stunPort`, default 3478; 0: no responder.
 * - `STUN_URLS`: `stunUrls`.
 * - `TURN`: `own`, for TURN by this process.
 * - `TURN_SECRET`: what credentials are made from, by `TURN=own` or by coturn's `use-auth-secret`.
 * - `TURN_RELAY_PORTS`: ports that `TURN=own` relays on, `49152-65535`.
 * - `TURN_MAX_ALLOCATIONS`, `TURN_KBPS`, `TURN_TOTAL_KBPS`, `TURN_TOTAL_GB`: limits of `TURN=own`, numbers above 0.
 * - `TURN_URLS`: TURN servers of others, with `TURN_SECRET`, or `TURN_USERNAME` and `TURN_CREDENTIAL`.
 *
 * @param environment default `process.env`
 * @throws RendezvousError `invalid`, with a sentence that names the variable
 */
export function lobbyServersFromEnvironment(environment: Environment = process.env): LobbyServersSettings {
  const stunPort = readNumber(environment, "STUN_PORT", /^\d{1,5}$/) ?? STUN_PORT;
  if (stunPort > 65_535) fail(`STUN_PORT must be a port from 1 to 65535, or 0 for no responder, not "${stunPort}"`);
  const turn = readTurn(environment);
  if (turn.ownTurn !== undefined && stunPort === 0) fail("TURN=own needs a port: STUN_PORT must not be 0");
  return { stunPort, stunUrls: readUrls(environment, "STUN_URLS"), ...turn };
}

function readTurn(environment: Environment): Pick<LobbyServersSettings, "turn" | "ownTurn"> {
  const { TURN: own, TURN_SECRET: secret, TURN_USERNAME: username, TURN_CREDENTIAL: credential } = environment;
  const urls = readUrls(environment, "TURN_URLS");
  if (own) {
    if (own !== "own") fail(`TURN must be own, or absent, not "${own}"`);
    if (urls !== undefined) fail("TURN=own and TURN_URLS exclude each other: keep one");
    const relayPorts = readPorts(environment["TURN_RELAY_PORTS"]);
    return { turn: undefined, ownTurn: { secret: secret || undefined, relayPorts, limits: readLimits(environment) } };
  }
  if (urls === undefined) return { turn: undefined, ownTurn: undefined };
  if (secret) return checked({ urls, secret });
  if (username && credential) return checked({ urls, username, credential });
  fail("TURN_URLS needs TURN_SECRET (coturn's static-auth-secret), or TURN_USERNAME and TURN_CREDENTIAL");
}

function checked(turn: TurnOptions): Pick<LobbyServersSettings, "turn" | "ownTurn"> {
  checkServersOptions({ turn });
  return { turn, ownTurn: undefined };
}

function readLimits(environment: Environment): TurnServerLimits {
  const positive = /^(?=.*[1-9])\d+(\.\d+)?$/;
  const allocations = readNumber(environment, "TURN_MAX_ALLOCATIONS", /^[1-9]\d{0,5}$/);
  const each = readNumber(environment, "TURN_KBPS", positive);
  const total = readNumber(environment, "TURN_TOTAL_KBPS", positive);
  const volume = readNumber(environment, "TURN_TOTAL_GB", positive);
  return {
    ...(allocations === undefined ? {} : { allocations }),
    ...(each === undefined ? {} : { bytesPerSecond: each * BYTES_PER_KILOBIT }),
    ...(total === undefined ? {} : { totalBytesPerSecond: total * BYTES_PER_KILOBIT }),
    ...(volume === undefined ? {} : { totalBytes: volume * BYTES_PER_GIGABYTE }),
  };
}

function readPorts(text: string | undefined): OwnTurnSettings["relayPorts"] {
  if (!text) return undefined;
  const [, first = 0, last = 0] = (/^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (first < 1024 || last > 65_535 || last < first) {
    fail(`TURN_RELAY_PORTS must be two ports from 1024 on, such as 49152-65535, not "${text}"`);
  }
  return [first, last];
}

function readUrls(environment: Environment, name: keyof typeof URL_OF): readonly string[] | undefined {
  const urls = environment[name]?.split(/[\s,]+/).filter((url) => url !== "") ?? [];
  const wrong = urls.find((url) => !URL_OF[name].test(url));
  const kind = name === "STUN_URLS" ? "stun" : "turn";
  if (wrong !== undefined) fail(`${name} holds "${wrong}". One looks like ${kind}:${kind}.example:3478`);
  return urls.length > 0 ? urls : undefined;
}

function readNumber(environment: Environment, name: string, pattern: RegExp): number | undefined {
  const text = environment[name];
  if (!text) return undefined;
  if (!pattern.test(text)) {
    fail(
      name === "STUN_PORT"
        ? `STUN_PORT must be a port from 1 to 65535, or 0 for no responder, not "${text}"`
        : `${name} must be a number above 0, not "${text}"`,
    );
  }
  return Number(text);
}

function fail(what: string): never {
  throw new RendezvousError("invalid", what);
}
