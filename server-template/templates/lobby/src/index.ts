import { startLobby } from "./lobby.ts";
import { readSettings, type Settings } from "./settings.ts";

/** Hosts are told, and the process ends; it ends in any case after this time, ms. */
const SHUTDOWN_MS = 6000;

const settings = orEnd(() => readSettings());
const lobby = await startLobby(settings).catch((error: unknown) => end(sentenceOf(error, settings)));
const { own, servers } = lobby;
const { port, publicUrl } = settings;

console.log(`The lobby is at ${publicUrl}`);
if (new URL(publicUrl).hostname === "localhost")
  console.log("Only this machine finds it there: PUBLIC_URL in .env is its real one.");
console.log(`Games are hosted with LOBBY_URL=${publicUrl}`);
if (servers.stunFailure) console.error(`No STUN here: ${servers.stunFailure.message} STUN_PORT chooses another port.`);
console.log(
  servers.turn
    ? `It relays for players whom nothing else connects, on port ${servers.turn.port}, UDP and TCP.`
    : "It does not relay: TURN=own in .env changes that.",
);
console.log(`How it goes, for you alone: ${own.link(port, "/metrics")}`);

let isEnding = false;
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"] as const) process.on(signal, () => void close());

/** npm hands on what the terminal has sent already: a second signal may be the first one. */
async function close(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  setTimeout(() => process.exit(1), SHUTDOWN_MS).unref();
  await lobby.close();
  process.exit(0);
}

function orEnd<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    return end(error instanceof Error ? error.message : String(error));
  }
}

function sentenceOf(error: unknown, { port, host }: Settings): string {
  const { code, message, name } = error as NodeJS.ErrnoException;
  // These are sentences for people.
  if (name === "RendezvousError" || name === "UDPSocketError") return message;
  const reasons: Record<string, string> = {
    EADDRINUSE: `Port ${port} is in use by another program. End that program, or choose another PORT in .env.`,
    EACCES: `Port ${port} needs privileges that this program does not have: deploy/my-lobby.service gives them.`,
    EADDRNOTAVAIL: `This machine has no address ${host}: HOST in .env names one, or is left out.`,
  };
  return reasons[code ?? ""] ?? `The lobby cannot listen on port ${port}: ${message}`;
}

function end(sentence: string): never {
  console.error(sentence);
  process.exit(1);
}
