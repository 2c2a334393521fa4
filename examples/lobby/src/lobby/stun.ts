/** The lobby's STUN: a responder of its own, and what it tells hosts and players about STUN servers. */
import { UDPSocketError } from "sallyport";
import { StunServer } from "sallyport/stun";
import { UsageError } from "../cli/arguments.ts";

/** What `GET /connectivity` answers. */
export interface LobbyConnectivity {
  /** `stun:host:port` */
  stun: string[];
  /** The lobby's URL on this network, where it was given no other name. */
  network?: string;
}

/** From STUN_URLS (commas or blanks), and STUN_PORT for a responder of our own; 0 is none. @throws UsageError */
export function readStunOptions(env: NodeJS.ProcessEnv): { urls: string[] | undefined; port: number } {
  const urls = env["STUN_URLS"]?.split(/[\s,]+/).filter((url) => url !== "");
  const wrong = urls?.find((url) => !/^stuns?:[^\s/]+$/.test(url));
  if (wrong !== undefined) throw new UsageError(`STUN_URLS holds "${wrong}". One looks like stun:stun.example:3478`);
  const text = env["STUN_PORT"] || "3478";
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new UsageError(`STUN_PORT must be a port from 1 to 65535, or 0 for no responder, not "${text}"`);
  }
  return { urls, port: Number(text) };
}

/** A lobby without STUN is still a lobby: a port that is taken makes a warning. */
export function startStun(port: number, warn: (text: string) => void): StunServer | undefined {
  if (port === 0) return undefined;
  try {
    return StunServer.open({ port });
  } catch (error) {
    if (!(error instanceof UDPSocketError)) throw error;
    warn(`No STUN here: UDP port ${port} cannot be had (${error.code}). STUN_PORT chooses another, STUN_PORT=0 none.`);
    return undefined;
  }
}

/** The responder's URL, from the lobby's own. */
export function stunUrlOf(publicUrl: string, port: number): string {
  return `stun:${new URL(publicUrl).hostname}:${port}`;
}
