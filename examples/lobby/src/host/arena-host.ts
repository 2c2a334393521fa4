/** A hosted arena: the Colyseus server, the way in, and the entry in a lobby. */
import { isDeepStrictEqual } from "node:util";
import { defineRoom, defineServer } from "@colyseus/core";
import type { Reachability } from "sallyport";
import type { HostRegistration } from "sallyport/rendezvous";
import { type ArenaClient, ArenaRoom } from "../arena/room.ts";
import { listen } from "../lobby/listen.ts";
import { quietLogger } from "../lobby/logger.ts";
import { createTransport } from "../network/transport.ts";
import type { HostEvent } from "./events.ts";
import type { HostPanel } from "./panel.ts";

export interface ArenaHostOptions {
  /** UDP and TCP, 1-65535. */
  port: number;
  lobby?: string | undefined;
  name: string;
  /** The link to the panel. */
  page: string;
  panel: HostPanel;
  report: (event: HostEvent) => void;
}

const MAX_PLAYERS = 32;

export class ArenaHost {
  readonly #options: ArenaHostOptions;
  #players = 0;
  #close: (() => Promise<void>) | undefined;
  #reachability: Reachability | undefined;

  constructor(options: ArenaHostOptions) {
    this.#options = options;
  }

  /** @throws Failure when the port cannot be had */
  async open(signal: AbortSignal): Promise<void> {
    const { port, lobby, name, page, panel, report } = this.#options;
    if (signal.aborted) return;
    const arena = defineRoom(ArenaRoom);
    arena.on("join", (_room, client: ArenaClient) => this.#onPlayer("joined", client));
    arena.on("leave", (_room, client: ArenaClient) => this.#onPlayer("left", client));
    const way = createTransport({ port, description: name, lobby, maxPlayers: MAX_PLAYERS });
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
    await listen(server, way.http, { port }, "End that program, or choose another port: npm run host -- --port 7778");
    panel.onNewInvite = async () => void (await way.newInvite());
    report({ event: "listening", port, page });
    if (way.lan) {
      way.lan.onChange = (state) => report({ event: "lan", ...state });
      report({ event: "lan", ...way.lan.state });
    }
    this.#follow(way.registration());
    way.onChange((reachability) => this.#onReachability(reachability));
    this.#onReachability(await way.reachability());
  }

  async close(): Promise<void> {
    await this.#close?.();
  }

  #onReachability(reachability: Reachability): void {
    if (isDeepStrictEqual(reachability, this.#reachability)) return;
    this.#reachability = reachability;
    this.#options.report({ event: "reachability", ...reachability });
  }

  /** Says how it goes with the lobby. */
  #follow(registration: HostRegistration | undefined): void {
    const { report } = this.#options;
    registration?.on("registered", ({ code, url }) => report({ event: "invite", code, url }));
    registration?.on("lost", ({ message }, retryInMs) =>
      report({ event: "lobby", state: "lost", reason: message, retryInMs }),
    );
    registration?.on("failed", ({ message }) => report({ event: "lobby", state: "failed", reason: message }));
  }

  #onPlayer(event: "joined" | "left", client: ArenaClient): void {
    this.#players += event === "joined" ? 1 : -1;
    this.#options.report({ event, player: client.userData?.name ?? client.sessionId, players: this.#players });
  }
}
