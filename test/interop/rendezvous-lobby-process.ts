// One lobby process of several that share a Redis. Its parent asks by messages.
import { defineServer, type Server } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { defineRendezvous, RendezvousRoom } from "../../sdk/src/colyseus/lobby/room.ts";
import { silent } from "./rendezvous-lobby.ts";

interface Args {
  port: number;
  /** A Unix socket. */
  redis: string;
}
type Options = NonNullable<ConstructorParameters<typeof Server>[0]>;
type Connects<T> = new (options: { path: string }) => NonNullable<T>;

const { port, redis } = JSON.parse(process.argv[2] ?? "{}") as Args;
/** By names that the compiler does not see: these packages need not be installed. */
const load = async (name: string): Promise<unknown> => (await import(name)) as unknown;
const { RedisDriver } = (await load("@colyseus/redis-driver")) as { RedisDriver: Connects<Options["driver"]> };
const { RedisPresence } = (await load("@colyseus/redis-presence")) as { RedisPresence: Connects<Options["presence"]> };

RendezvousRoom.limits.burst = 10_000;
const server = defineServer({
  greet: false,
  gracefullyShutdown: false,
  logger: silent,
  transport: new WebSocketTransport(),
  driver: new RedisDriver({ path: redis }),
  presence: new RedisPresence({ path: redis }),
  publicAddress: `127.0.0.1:${port}`,
  rooms: { rendezvous: defineRendezvous({ stun: ["stun:stun.example:3478"] }) },
});
await server.listen(port, "127.0.0.1");
process.on("message", () => {
  void RendezvousRoom.list().then((games) => process.send?.({ games }));
});
process.on("disconnect", () => process.exit(0));
process.send?.({ event: "listening" });
