// One process of a fleet. With REDIS_URL it shares its rooms with all others that have the same; without, it is on its own.
import { type Client, defineRoom, defineServer, LobbyRoom, matchMaker, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { optionsFromEnvironment } from "sallyport";
import { SallyportTransport } from "sallyport/colyseus";

const Player = schema({ name: t.string(), steps: t.number() }, "Player");
const HallState = schema({ process: t.string(), players: t.map(Player) }, "HallState");

/** A hall where people count their steps. Players come and go, processes too: what shall outlast them stands in the presence. */
export class HallRoom extends Room<{ state: InstanceType<typeof HallState> }> {
  override maxClients = 8;
  override state = new HallState();
  override messages = {
    step: async (client: Client): Promise<void> => {
      const player = this.state.players.get(client.sessionId);
      if (player) player.steps = await matchMaker.presence.hincrby("steps", player.name, 1);
    },
  };

  override onCreate(): void {
    this.state.process = matchMaker.processId;
  }

  override async onJoin(client: Client, options?: { name?: unknown }): Promise<void> {
    const name = typeof options?.name === "string" ? options.name.slice(0, 24) : "somebody";
    const steps = Number((await matchMaker.presence.hget("steps", name)) ?? 0);
    this.state.players.set(client.sessionId, new Player({ name, steps }));
  }

  /** The connection broke: the seat is kept for a while. */
  override onDrop(client: Client): void {
    this.allowReconnection(client, 10).catch(() => {});
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
  }
}

/** A new room goes where the fewest players are; of these, where the fewest rooms are. */
async function leastLoaded(): Promise<string> {
  const processes = await matchMaker.stats.fetchAll();
  const [least] = processes.sort((a, b) => a.ccu - b.ccu || a.roomCount - b.roomCount);
  return least?.processId ?? matchMaker.processId;
}

async function shared(url: string) {
  const { RedisDriver } = await import("@colyseus/redis-driver");
  const { RedisPresence } = await import("@colyseus/redis-presence");
  return { driver: new RedisDriver(url), presence: new RedisPresence(url), selectProcessIdToCreateRoom: leastLoaded };
}

const { REDIS_URL, PORT = "2567" } = process.env;
const transport = new SallyportTransport({
  description: `Fleet ${PORT}`,
  connectivity: optionsFromEnvironment(),
  // Who is silent for three seconds is gone; so is a process.
  pingInterval: 1000,
  // How long a restart waits for rooms that do not end.
  drainTimeoutMs: 10_000,
});
const server = defineServer({
  greet: false,
  transport,
  rooms: { hall: defineRoom(HallRoom).enableRealtimeListing(), lobby: defineRoom(LobbyRoom) },
  ...(REDIS_URL ? await shared(REDIS_URL) : {}),
});
await server.listen(Number(PORT));

const report = (): void => {
  const { processId } = matchMaker;
  console.log(
    JSON.stringify({ event: "listening", processId, port: Number(PORT), publicAddress: transport.publicAddress }),
  );
};
transport.connectivity?.on("change", () => setImmediate(report));
report();
