/** An authoritative room: clients say where they want to go, the server says where they are. */
import { type Client, Room } from "@colyseus/core";
import { FIELD, parseDirection, TICK_RATE, type Vector, WAVE_EVERY_MS, walk } from "../rules.ts";
import { ArenaState, Player } from "./schema/ArenaState.ts";

/** What the server alone knows of a player. */
interface Walker {
  direction: Vector;
  /** Of the newest `move`: unreliable messages may overtake one another. */
  sequence: number;
  wavedAt: number;
}

export class ArenaRoom extends Room<{ state: ArenaState }> {
  override maxClients = 16;
  override maxMessagesPerSecond = 100;
  override state: ArenaState = new ArenaState();

  override messages = {
    /** Unreliable, many times a second: `{ n, x, y }`. */
    move: (client: Client, message: unknown): void => this.#onMove(client, message),
    /** Reliable: everybody sees it, and nobody misses it. */
    wave: (client: Client): void => this.#onWave(client),
  };

  readonly #walkers = new Map<string, Walker>();

  override onCreate(): void {
    this.setFixedTimestep(({ dt }) => this.#step(dt), TICK_RATE);
  }

  override onJoin(client: Client, options?: { name?: unknown }): void {
    const name = typeof options?.name === "string" ? options.name.trim().slice(0, 20) : "";
    const player = new Player({
      name: name || `Player ${this.clients.length}`,
      hue: Math.floor(Math.random() * 360),
      x: FIELD.width / 2,
      y: FIELD.height / 2,
    });
    this.state.players.set(client.sessionId, player);
    this.#walkers.set(client.sessionId, { direction: { x: 0, y: 0 }, sequence: 0, wavedAt: Number.NEGATIVE_INFINITY });
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
    this.#walkers.delete(client.sessionId);
  }

  #onMove(client: Client, message: unknown): void {
    const walker = this.#walkers.get(client.sessionId);
    const direction = parseDirection(message);
    const { n } = (message ?? {}) as { n?: unknown };
    if (walker === undefined || direction === undefined || typeof n !== "number" || n <= walker.sequence) return;
    walker.direction = direction;
    walker.sequence = n;
  }

  #onWave(client: Client): void {
    const walker = this.#walkers.get(client.sessionId);
    const now = performance.now();
    if (walker === undefined || now - walker.wavedAt < WAVE_EVERY_MS) return;
    walker.wavedAt = now;
    this.broadcast("wave", { from: client.sessionId });
  }

  #step(seconds: number): void {
    for (const [id, player] of this.state.players) {
      const walker = this.#walkers.get(id);
      if (walker === undefined) continue;
      const { x, y } = walk(player, walker.direction, seconds);
      if (x !== player.x) player.x = x;
      if (y !== player.y) player.y = y;
    }
  }
}
