/** `npm run lobby` */
import { readArguments, readPort, readUrl, type Usage, UsageError } from "./cli/arguments.ts";
import { interruption, runProgram } from "./cli/program.ts";
import { style } from "./cli/style.ts";
import { startLobby } from "./lobby/server.ts";
import { readStunOptions } from "./lobby/stun.ts";
import { readTurnOptions } from "./lobby/turn.ts";

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
  const { port: stunPort, urls: stunUrls } = readStunOptions(process.env);
  const trustProxy = process.env["TRUST_PROXY"] === "1";
  // Who is reached directly is not asked for by a proxy.
  const host = process.env["HOST"] || (trustProxy ? "127.0.0.1" : undefined);
  const turn = readTurnOptions(process.env);
  if (turn.own && stunPort === 0) throw new UsageError("TURN=own needs a port: STUN_PORT must not be 0");
  const redisUrl = process.env["REDIS_URL"] || undefined;
  const warn = (text: string): void => console.error(text);
  const lobby = await startLobby({
    port,
    host,
    publicUrl,
    trustProxy,
    stunPort,
    stunUrls,
    turn: turn.servers,
    ownTurn: turn.own,
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
