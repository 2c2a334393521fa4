/** `npm run lobby` */
import { type LobbyServersSettings, lobbyServersFromEnvironment } from "sallyport/colyseus";
import { readArguments, readPort, readUrl, type Usage, UsageError } from "./cli/arguments.ts";
import { interruption, runProgram } from "./cli/program.ts";
import { style } from "./cli/style.ts";
import { startLobby } from "./lobby/server.ts";

const USAGE: Usage = {
  command: "npm run lobby --",
  summary: "A lobby: lists hosted games on its page and brings players with an invite to their hosts.",
  options: {
    port: { type: "string", value: "N", help: "TCP port to listen on (PORT, else 2567)" },
    "public-url": { type: "string", value: "URL", help: "the lobby's URL as players know it (PUBLIC_URL)" },
  },
  environment: {
    PORT: "TCP port to listen on",
    HOST: "address to listen on: all, or with TRUST_PROXY 127.0.0.1",
    PUBLIC_URL: "the lobby's URL as players know it, e.g. https://lobby.example",
    STUN_PORT: "UDP port of the lobby's STUN responder (3478); 0: none",
    STUN_URLS: "STUN servers that hosts are told of instead",
    TURN: "own: this process relays for players whom nothing else connects, on STUN_PORT",
    TURN_SECRET: "what TURN=own or coturn makes credentials from; processes with one REDIS_URL share it",
    TURN_RELAY_PORTS: "UDP ports that TURN=own relays on (49152-65535)",
    TURN_MAX_ALLOCATIONS: "players that TURN=own relays for at a time (1024)",
    TURN_KBPS: "kbit/s of one of them (10000); TURN_TOTAL_KBPS: of all; TURN_TOTAL_GB: in all, until the next start",
    TURN_URLS: "TURN servers that hosts and players are told of instead",
    TRUST_PROXY: "1 when a reverse proxy on this machine or a private address sets x-forwarded-for",
    REDIS_URL: "Redis by which several processes are one lobby",
  },
  examples: ["npm run lobby", "npm run lobby -- --port 8080 --public-url https://lobby.example"],
};

await runProgram(async ({ signal, onExit }) => {
  const options = readArguments(USAGE, process.argv.slice(2));
  const port = readPort(options.text("port"), "PORT", 2567);
  const publicUrl =
    readUrl(options.text("public-url"), "--public-url") ?? readUrl(process.env["PUBLIC_URL"], "PUBLIC_URL");
  const trustProxy = process.env["TRUST_PROXY"] === "1";
  // Who is reached directly is not asked for by a proxy.
  const host = process.env["HOST"] || (trustProxy ? "127.0.0.1" : undefined);
  const redisUrl = process.env["REDIS_URL"] || undefined;
  const warn = (text: string): void => console.error(text);
  const lobby = await startLobby({
    port,
    host,
    publicUrl,
    trustProxy,
    servers: readServers(),
    redisUrl,
    warn,
  });
  onExit(() => lobby.close());
  const elsewhere = lobby.network === undefined ? "" : `, for others on this network ${style("cyan", lobby.network)}`;
  console.log(`Lobby at ${style("cyan", lobby.url)}${elsewhere}`);
  process.send?.({ event: "listening" });
  await interruption(signal);
  return 0;
});

/** @throws UsageError */
function readServers(): LobbyServersSettings {
  try {
    return lobbyServersFromEnvironment();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
