import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

/**
 * The requests of all introduced players reach our HTTP server from loopback. So that one of them who guesses seats does not pass
 * for all of them, each comes with its player's key, and with what nobody outside of this process knows.
 */
const HEADER = "x-sallyport-introduced";
const SECRET: Buffer = randomBytes(32);
const players = new WeakMap<IncomingMessage, string>();

/** @param remoteKey the player's, of this introduction */
export function introducedHeaders(remoteKey: Uint8Array): Record<string, string> {
  return { [HEADER]: `${SECRET.toString("hex")} ${Buffer.from(remoteKey).toString("hex")}` };
}

/** Reads the mark and takes it off, so that no room ever sees it. */
export function readIntroduced(request: IncomingMessage): void {
  const { [HEADER]: mark } = request.headers;
  if (mark === undefined) return;
  delete request.headers[HEADER];
  const [secret = "", key = ""] = String(mark).split(" ", 2);
  const said = Buffer.from(secret, "hex");
  if (said.length === SECRET.length && timingSafeEqual(said, SECRET)) players.set(request, `introduced ${key}`);
}

/** Which introduced player a request is from, as a name to count by; undefined for any other. */
export function introducedPlayer(request: IncomingMessage): string | undefined {
  return players.get(request);
}
