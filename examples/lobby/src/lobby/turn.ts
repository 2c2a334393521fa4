/** The lobby's TURN: what its environment says, and a server of its own. */
import { randomBytes } from "node:crypto";
import { lookup } from "node:dns/promises";
import { UDPSocketError } from "sallyport";
import type { TurnOptions } from "sallyport/rendezvous";
import { TurnRelayServer } from "sallyport/stun";
import { UsageError } from "../cli/arguments.ts";
import { Failure } from "../cli/program.ts";

/** `TURN=own`: this process relays. */
export interface OwnTurnOptions {
  /** Which processes of one lobby share. Undefined: drawn, for this process alone. */
  secret: string | undefined;
  /** Relayed ports, both included. Undefined: 49152 to 65535. */
  relayPorts: readonly [number, number] | undefined;
}

/**
 * From TURN=own; or TURN_URLS (commas or blanks), with TURN_SECRET (coturn's `use-auth-secret`), or TURN_USERNAME and
 * TURN_CREDENTIAL. @throws UsageError
 */
export function readTurnOptions(env: NodeJS.ProcessEnv): { servers?: TurnOptions; own?: OwnTurnOptions } {
  const { TURN: own = "", TURN_SECRET: secret, TURN_USERNAME: username, TURN_CREDENTIAL: credential } = env;
  const urls = env["TURN_URLS"]?.split(/[\s,]+/).filter((url) => url !== "") ?? [];
  if (own !== "" && own !== "own") throw new UsageError(`TURN must be own, or absent, not "${own}"`);
  if (own !== "" && urls.length > 0) throw new UsageError("TURN=own and TURN_URLS exclude each other: keep one");
  if (own !== "") return { own: { secret: secret || undefined, relayPorts: readPorts(env["TURN_RELAY_PORTS"]) } };
  if (urls.length === 0) return {};
  const wrong = urls.find((url) => !/^turns?:[^\s/?]+(\?transport=(udp|tcp))?$/.test(url));
  if (wrong !== undefined) throw new UsageError(`TURN_URLS holds "${wrong}". One looks like turn:turn.example:3478`);
  if (secret) return { servers: { urls, secret } };
  if (username && credential) return { servers: { urls, username, credential } };
  throw new UsageError(
    "TURN_URLS needs TURN_SECRET (coturn's static-auth-secret), or TURN_USERNAME and TURN_CREDENTIAL",
  );
}

function readPorts(text: string | undefined): OwnTurnOptions["relayPorts"] {
  if (text === undefined || text === "") return undefined;
  const [, first = 0, last = 0] = (/^(\d{1,5})-(\d{1,5})$/.exec(text) ?? []).map(Number);
  if (first < 1024 || last > 65_535 || last < first) {
    throw new UsageError(`TURN_RELAY_PORTS must be two ports from 1024 on, such as 49152-65535, not "${text}"`);
  }
  return [first, last];
}

export interface OwnTurn {
  server: TurnRelayServer;
  options: TurnOptions;
}

/**
 * STUN and TURN on one port of this machine, under the name of the lobby's own URL.
 * @throws Failure when the name has no address, or the port can't be had
 */
export async function startTurn(options: OwnTurnOptions, port: number, publicUrl: string): Promise<OwnTurn> {
  const { hostname } = new URL(publicUrl);
  const secret = options.secret ?? randomBytes(32).toString("hex");
  const relayAddresses = await addressesOf(hostname);
  try {
    const server = await TurnRelayServer.open({
      port,
      secret,
      relayAddresses,
      ...(options.relayPorts && { relayPorts: options.relayPorts }),
    });
    const url = `turn:${hostname}:${server.port}`;
    return { server, options: { urls: [`${url}?transport=udp`, `${url}?transport=tcp`], secret } };
  } catch (error) {
    const code = error instanceof UDPSocketError ? error.code : (error as NodeJS.ErrnoException).code;
    throw new Failure(
      `No TURN here: port ${port} cannot be had over UDP and TCP (${code}). End what has it (coturn?), or choose another by STUN_PORT.`,
    );
  }
}

/** One address of each family: relayed addresses are literal. */
async function addressesOf(hostname: string): Promise<string[]> {
  const name = hostname.replace(/^\[|\]$/g, "");
  const found = await lookup(name, { all: true }).catch((error: NodeJS.ErrnoException) => {
    throw new Failure(`TURN=own needs an address for ${name}, the host of PUBLIC_URL, and finds none (${error.code}).`);
  });
  return [4, 6].flatMap((family) => found.find((each) => each.family === family)?.address ?? []);
}
