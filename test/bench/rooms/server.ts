// A Colyseus server on one of two transports. On PORT + 1 it tells over HTTP what it costs.
import { createServer } from "node:http";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Client, logger, Room, Server } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { SallyportTransport } from "../../../sdk/src/colyseus/server/transport.ts";

export interface ServerArguments {
  transport: "ws" | "sallyport";
  address: string;
  port: number;
}

export interface ServerCost {
  /** CPU of the process so far, µs. */
  cpuMicros: number;
  rssBytes: number;
  heapBytes: number;
}

const { transport, address, port } = JSON.parse(process.argv[2] ?? "{}") as ServerArguments;
const TICK_MS = 50;

const Walker = schema({ x: t.int16(), y: t.int16() }, "Walker");
const FieldState = schema({ sentAt: t.number(), walkers: t.map(Walker) }, "FieldState");

/** Everybody walks, and everybody sees it: one patch a tick. */
class FieldRoom extends Room<{ state: InstanceType<typeof FieldState> }> {
  override state = new FieldState();
  override patchRate = TICK_MS;
  override maxMessagesPerSecond = Number.POSITIVE_INFINITY;
  override messages = {
    walk: (client: Client, [x, y]: [number, number]): void => {
      const walker = this.state.walkers.get(client.sessionId);
      if (!walker) return;
      walker.x = x;
      walker.y = y;
    },
    /** What one says, all hear at once. */
    say: (_client: Client, said: unknown): void => this.broadcast("say", said),
  };

  override onCreate(): void {
    this.state.sentAt = 0;
  }

  override onBeforePatch(): void {
    if (this.clients.length > 0) this.state.sentAt = performance.timeOrigin + performance.now();
  }

  override onJoin(client: Client): void {
    this.state.walkers.set(client.sessionId, new Walker({ x: 0, y: 0 }));
  }

  override onLeave(client: Client): void {
    this.state.walkers.delete(client.sessionId);
  }
}

/** The room itself speaks: twenty times a second of a quarter of its hundred players, message by message. */
class StageRoom extends Room {
  override maxMessagesPerSecond = Number.POSITIVE_INFINITY;
  override messages = { walk: (): void => {} };

  override onCreate(): void {
    this.clock.setInterval(() => {
      for (let player = 0; player < 25; player++) {
        this.broadcast("at", [player, 1000 + player, performance.timeOrigin + performance.now()]);
      }
    }, TICK_MS);
    this.setTimestep(() => {}, TICK_MS);
  }
}

/** A room in which nothing happens. */
class QuietRoom extends Room<{ state: InstanceType<typeof FieldState> }> {
  override state = new FieldState();
  override onCreate(): void {
    this.state.sentAt = 1;
  }
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
logger.error = logger.info = logger.debug = () => {};

const http = createServer();
const server = new Server({
  greet: false,
  gracefullyShutdown: false,
  transport:
    transport === "ws"
      ? new WebSocketTransport({ server: http })
      : new SallyportTransport({ server: http, connectivity: false, lan: false }),
});
server.define("field", FieldRoom);
server.define("stage", StageRoom);
server.define("quiet", QuietRoom);
await server.listen(port, address);

process.on("SIGINT", () => process.exit(0));
createServer((request, response) => {
  if (request.url === "/collected") {
    collect();
    collect();
  }
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  const cost: ServerCost = { cpuMicros: user + system, rssBytes: rss, heapBytes: heapUsed + external };
  response.end(JSON.stringify(cost));
}).listen(port + 1, address, () => console.log("listening"));
