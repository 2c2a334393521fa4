// The server inside the game. In Electron this is called from the main process, when the player presses "Host".
import { type Client, defineRoom, defineServer, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { optionsFromEnvironment, type Reachability } from "sallyport";
import { SallyportTransport } from "sallyport/colyseus";

const Table = schema({ players: t.map("string") }, "Table");

export class TableRoom extends Room<{ state: InstanceType<typeof Table> }> {
  override maxClients = 8;
  override state: InstanceType<typeof Table> = new Table();
  override messages = {
    say: (client: Client, text: unknown): void => {
      if (typeof text === "string")
        this.broadcast("said", { by: this.state.players.get(client.sessionId), text: text.slice(0, 200) });
    },
  };

  override onJoin(client: Client, options?: { name?: unknown }): void {
    const name = typeof options?.name === "string" ? options.name.slice(0, 20) : "Somebody";
    this.state.players.set(client.sessionId, name);
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
  }
}

export interface Hosting extends AsyncDisposable {
  /** Where the host's own game joins: it need not go through the router. */
  url: string;
  reachability(): Promise<Reachability | undefined>;
}

/** @throws what the system says when the port cannot be had: `EADDRINUSE`… */
export async function host(name: string, port: number): Promise<Hosting> {
  const transport = new SallyportTransport({
    description: `${name}'s table`,
    connectivity: optionsFromEnvironment(),
    lan: { application: "listen-server", maxPlayers: 8 },
  });
  const server = defineServer({
    greet: false,
    gracefullyShutdown: false, // the game decides when it ends
    transport,
    rooms: { table: defineRoom(TableRoom) },
  });
  await server.listen(port);
  return {
    url: `http://127.0.0.1:${port}`,
    reachability: async () => await transport.connectivity?.open(),
    async [Symbol.asyncDispose]() {
      await server.gracefullyShutdown(false);
      await transport[Symbol.asyncDispose]();
    },
  };
}
