/** What `doctor --lobby public` says of public relays. */
import { randomBytes } from "node:crypto";
import { systemClock } from "../net/clock.ts";
import { whileAwaited } from "../net/wait.ts";
import { invitesFromEnvironment } from "../rendezvous/environment.ts";
import { checkRelay, type RelayCheck } from "../rendezvous/mailbox/check.ts";
import { rankRelays } from "../rendezvous/mailbox/ranking.ts";
import { DEFAULT_RELAYS, DEFAULT_STUN_SERVERS } from "../rendezvous/mailbox/relay-list.ts";
import { openNodeSocket } from "../rendezvous/mailbox/socket-node.ts";
import { noiseReady } from "../rendezvous/sealed/noise.ts";
import type { Output } from "./output.ts";

/** As many as a guest asks in the worst case. */
const CHECKED = 10;

export interface PublicLobby {
  stunServers: string[];
  relays: RelayCheck[];
}

/** Checks relays, some others each time, and says how that went. */
export async function checkPublicLobby(output: Output): Promise<PublicLobby> {
  const { relays = DEFAULT_RELAYS, stunServers = [...DEFAULT_STUN_SERVERS] } = invitesFromEnvironment();
  await noiseReady;
  const some = rankRelays(randomBytes(2).readUInt16LE(), relays, true).slice(0, CHECKED);
  output.line(output.style("dim", `Asking ${some.length} public relays; they see this computer's public address`));
  const options = { openSocket: openNodeSocket, clock: systemClock, random: randomBytes };
  const checks = await whileAwaited(Promise.all(some.map((url) => checkRelay(url, options))));
  for (const { url, readyMs = 0, echoMs = 0, problem } of checks) {
    const ms = `${Math.round(readyMs + echoMs)} ms`.padStart(8);
    const line = problem === undefined ? `  ✓ ${ms}  ${url}` : `  – ${" ".repeat(8)}  ${url}: ${problem}`;
    output.line(output.style(problem === undefined ? "green" : "dim", line));
  }
  const good = checks.filter(({ problem }) => problem === undefined).length;
  output.line(adviceOf(good, checks));
  return { stunServers, relays: checks };
}

function adviceOf(good: number, checks: readonly RelayCheck[]): string {
  if (good > 1) return `${good} of ${checks.length} relays do: invites of public work from here.`;
  if (good === 1)
    return "One relay does: an invite works, but not when that one is gone. SALLYPORT_RELAYS names others.";
  const connected = checks.some(({ readyMs }) => readyMs !== undefined);
  return connected
    ? "No relay passes messages on. Try again in a minute, or name others with SALLYPORT_RELAYS."
    : "No relay answers. This computer is offline, or its network lets no WebSocket out: another network, or a lobby of your own, helps.";
}
