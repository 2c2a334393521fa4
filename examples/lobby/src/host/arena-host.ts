/** A hosted arena: the Colyseus server, the way in, and the entry in a lobby. */
import { isDeepStrictEqual } from "node:util";
import { defineRoom, defineServer } from "@colyseus/core";
import type { Reachability } from "sallyport";
import { HostRegistration } from "sallyport/rendezvous";
import { type ArenaClient, ArenaRoom } from "../arena/room.ts";
import { listen } from "../lobby/listen.ts";
import { quietLogger } from "../lobby/logger.ts";
import { createTransport } from "../network/transport.ts";
import { endpointUrls } from "./endpoints.ts";
import type { HostEvent } from "./events.ts";
import { stunServersOf } from "./lobby-settings.ts";
import type { HostPanel } from "./panel.ts";

export interface ArenaHostOptions {
  /** UDP and TCP, 1-65535. */
  port: number;
  lobby?: string | undefined;
  name: string;
  panel: HostPanel;
  report: (event: HostEvent) => void;
}

const MAX_PLAYERS = 32;

export class ArenaHost {
  readonly #options: ArenaHostOptions;
  #players = 0;
  #registration: HostRegistration | undefined;
  #close: (() => Promise<void>) | undefined;
  #reachability: Reachability | undefined;

  constructor(options: ArenaHostOptions) {
    this.#options = options;
  }

  /** @throws Failure when the port cannot be had */
  async open(signal: AbortSignal): Promise<void> {
    const { port, lobby, name, panel, report } = this.#options;
    const stunServers = lobby === undefined ? [] : await stunServersOf(lobby, signal);
    if (signal.aborted) return;
    const arena = defineRoom(ArenaRoom);
    arena.on("join", (_room, client: ArenaClient) => this.#onPlayer("joined", client));
    arena.on("leave", (_room, client: ArenaClient) => this.#onPlayer("left", client));
    const way = createTransport({ port, description: name, stunServers });
    const server = defineServer({
      greet: false,
      gracefullyShutdown: false,
      logger: quietLogger,
      transport: way.transport,
      rooms: { arena },
      express: (app) => panel.serve(app),
    });
    this.#close = async () => {
      await server.gracefullyShutdown(false);
      way.http.closeAllConnections();
      await way.close();
    };
    await listen(server, way.http, port, "End that program, or choose another port: npm run host -- --port 7778");
    report({ event: "listening", port });
    way.onChange((reachability) => this.#onReachability(reachability));
    this.#onReachability(await way.reachability());
  }

  /** Off the lobby's list first, so that nobody is sent to a closed door. */
  async close(): Promise<void> {
    await this.#registration?.close();
    await this.#close?.();
  }

  #onReachability(reachability: Reachability): void {
    const { port, lobby, report } = this.#options;
    if (isDeepStrictEqual(reachability, this.#reachability)) return;
    this.#reachability = reachability;
    report({ event: "reachability", ...reachability });
    if (lobby === undefined) return;
    const details = { verdict: reachability.verdict, endpoints: endpointUrls(reachability, port, lobby) };
    if (this.#registration === undefined) this.#register(lobby, details);
    else this.#registration.update(details);
  }

  #register(lobby: string, details: Pick<Reachability, "verdict"> & { endpoints: string[] }): void {
    const { name, report } = this.#options;
    const registration = new HostRegistration({
      lobby,
      name,
      description: "Walk about, collect coins.",
      players: this.#players,
      maxPlayers: MAX_PLAYERS,
      ...details,
    });
    this.#registration = registration;
    registration.on("registered", ({ code, url }) => report({ event: "invite", code, url }));
    registration.on("lost", ({ message }, retryInMs) =>
      report({ event: "lobby", state: "lost", reason: message, retryInMs }),
    );
    registration.on("failed", ({ message }) => report({ event: "lobby", state: "failed", reason: message }));
    registration.open().catch(() => undefined); // the events have said it
  }

  #onPlayer(event: "joined" | "left", client: ArenaClient): void {
    this.#players += event === "joined" ? 1 : -1;
    this.#registration?.update({ players: this.#players });
    this.#options.report({ event, player: client.userData?.name ?? client.sessionId, players: this.#players });
  }
}
