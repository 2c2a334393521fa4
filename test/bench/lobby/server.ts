/** A lobby of the benchmark: as `npm run lobby` makes it, for callers who are all on this machine. Its parent asks by messages. */
import { defineServer } from "@colyseus/core";
import { RedisDriver } from "@colyseus/redis-driver";
import { RedisPresence } from "@colyseus/redis-presence";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { defineRendezvous, RendezvousRoom } from "../../../sdk/src/colyseus/lobby/room.ts";
import { createLimitedServer, limitConnections } from "../../../sdk/src/colyseus/server/entrances/connection-limits.ts";
import { guardRequests } from "../../../sdk/src/colyseus/server/entrances/request-guard.ts";
import { silent } from "../../interop/rendezvous-lobby.ts";

export interface LobbyArguments {
  port: number;
  /** A Unix socket of Redis, which several processes share. */
  redis: string | undefined;
}

export interface LobbyFigures {
  residentBytes: number;
  heapBytes: number;
  /** How long the list of games takes, ms, and how many bytes it has. */
  listMs: number;
  listBytes: number;
  /** The longest that the event loop stood still since the last time, ms. */
  stalledMs: number;
}

const { port, redis } = JSON.parse(process.argv[2] ?? "{}") as LobbyArguments;
const FREE = 1e9;
Object.assign(RendezvousRoom.limits, {
  burst: FREE,
  perSecond: FREE,
  requestBurst: FREE,
  requestsPerSecond: FREE,
  gamesPerAddress: FREE,
  games: 20_000,
  guestsPerAddress: 128,
  hashTokens: 0,
} satisfies Partial<typeof RendezvousRoom.limits>);

const http = createLimitedServer();
const transport = new WebSocketTransport({ server: http });
const server = defineServer({
  greet: false,
  gracefullyShutdown: false,
  logger: silent,
  transport,
  ...(redis && {
    driver: new RedisDriver({ path: redis }),
    presence: new RedisPresence({ path: redis }),
    publicAddress: `127.0.0.1:${port}`,
  }),
  rooms: { rendezvous: defineRendezvous({ stun: ["stun:stun.example:3478"] }) },
});
guardRequests(http);
limitConnections(http, { webSocket: transport, limits: { tcpConnectionsPerAddress: 1_000 } });
await server.listen(port, "127.0.0.1");

const EVERY_MS = 10;
let [last, stalledMs] = [performance.now(), 0];
setInterval(() => {
  const now = performance.now();
  stalledMs = Math.max(stalledMs, now - last - EVERY_MS);
  last = now;
}, EVERY_MS).unref();

process.on("message", () => void figures().then((told) => process.send?.(told)));
process.on("disconnect", () => process.exit(0));
process.send?.({ event: "listening" });

async function figures(): Promise<LobbyFigures> {
  const began = performance.now();
  const listBytes = JSON.stringify(await RendezvousRoom.list()).length;
  const listMs = performance.now() - began;
  const { rss: residentBytes, heapUsed: heapBytes } = process.memoryUsage();
  const told = { residentBytes, heapBytes, listMs, listBytes, stalledMs };
  stalledMs = 0;
  return told;
}
