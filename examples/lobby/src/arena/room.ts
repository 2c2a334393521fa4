/** The game: authoritative, at a fixed step. */
import { type Client, Room } from "@colyseus/core";
import { sendUnreliable } from "sallyport/colyseus";
import {
  COIN_RADIUS,
  COINS,
  isNewer,
  PLAYER_RADIUS,
  parseDirection,
  somewhere,
  TICK_RATE,
  touches,
  type Vector,
  walk,
} from "./rules.ts";
import { ArenaState, Coin, Player } from "./state.ts";

interface Walker {
  direction: Vector;
  /** Of the newest `move`. */
  sequence: number;
}

const NAME_LENGTH = 24;
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export type ArenaClient = Client<{ userData: { name: string } }>;

export class ArenaRoom extends Room<{ state: ArenaState; client: ArenaClient }> {
  override maxClients = 32;
  // 30 steps of moving, some talk; more is no player.
  override maxMessagesPerSecond = 200;
  override state: ArenaState = new ArenaState();
  override messages = {
    /** Unreliable, many times a second: the direction, numbered, since one may overtake another. */
    move: (client: ArenaClient, message: unknown): void => this.#onMove(client, message),
    /** Reliable: answered with the same number. */
    ping: (client: ArenaClient, message: unknown): void => {
      if (isNumbered(message)) client.send("pong", { n: message.n });
    },
  };

  readonly #walkers = new Map<string, Walker>();
  #nextCoin = 0;

  override onCreate(): void {
    for (let i = 0; i < COINS; i++) this.#dropCoin();
    this.setFixedTimestep(({ dt }) => this.#step(dt), TICK_RATE);
  }

  override onJoin(client: ArenaClient, options?: { name?: unknown }): void {
    const { x, y } = somewhere(PLAYER_RADIUS);
    const name = nameOf(options?.name) || `Player ${this.clients.length}`;
    const player = new Player({ name, hue: Math.floor(Math.random() * 360), x, y, score: 0 });
    this.state.players.set(client.sessionId, player);
    client.userData = { name };
    this.#walkers.set(client.sessionId, { direction: { x: 0, y: 0 }, sequence: 0 });
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
    this.#walkers.delete(client.sessionId);
  }

  #onMove(client: ArenaClient, message: unknown): void {
    const walker = this.#walkers.get(client.sessionId);
    const direction = parseDirection(message);
    if (walker === undefined || direction === undefined || !isNumbered(message)) return;
    if (isNewer(message.n, walker.sequence)) {
      walker.direction = direction;
      walker.sequence = message.n;
    }
    if ((message as { echo?: unknown }).echo === true) sendUnreliable(client, "moved", { n: message.n });
  }

  #step(seconds: number): void {
    for (const [id, player] of this.state.players) {
      const walker = this.#walkers.get(id);
      if (walker === undefined) continue;
      const { x, y } = walk(player, walker.direction, seconds);
      if (x !== player.x) player.x = x;
      if (y !== player.y) player.y = y;
      for (const [key, coin] of this.state.coins) {
        if (!touches(player, coin)) continue;
        this.state.coins.delete(key);
        player.score++;
        this.#dropCoin();
      }
    }
  }

  #dropCoin(): void {
    this.state.coins.set(`${this.#nextCoin++}`, new Coin(somewhere(COIN_RADIUS * 3)));
  }
}

function isNumbered(message: unknown): message is { n: number } {
  return typeof message === "object" && message !== null && Number.isInteger((message as { n?: unknown }).n);
}

function nameOf(value: unknown): string {
  if (typeof value !== "string") return "";
  return value.slice(0, NAME_LENGTH).toWellFormed().replaceAll(UNPRINTABLE, "").trim();
}
