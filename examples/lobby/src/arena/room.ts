/** The game: authoritative, at a fixed step. */
import { type Client, Room } from "@colyseus/core";
import { sendUnreliable } from "sallyport/colyseus";
import { Drones } from "./drones.ts";
import { COIN_RADIUS, COINS, INPUTS_PER_SHOT, PLAYER_RADIUS, somewhere, TICK_RATE, touches, walk } from "./rules.js";
import { findHit } from "./shots.ts";
import { ArenaInput, ArenaState, Coin, Player, type Shot } from "./state.ts";

/** What the room alone knows of a player. */
interface Walker {
  /** Steps that may be taken at once. */
  credit: number;
  /** Counted in inputs. */
  firedAt: number;
}

/** What a line that stood still for a third of a second brings at once. */
const MAX_CREDIT = TICK_RATE / 3;
const MAX_REWIND_MS = 600;
const NAME_LENGTH = 24;
// oxlint-disable-next-line no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

export type ArenaClient = Client<{ userData: { name: string } }>;

export class ArenaRoom extends Room<{ state: ArenaState; client: ArenaClient; input: ArenaInput }> {
  override maxClients = 32;
  // 60 inputs a second, and what a line brings at once that stood still; some talk.
  override maxMessagesPerSecond = 300;
  override patchRate = 1000 / TICK_RATE;
  override state: ArenaState = new ArenaState();
  override inputs = this.defineInput(ArenaInput, { sanitize: { x: [-100, 100], y: [-100, 100] } });
  readonly rewind = this.allowRewindState({ maxRewindMs: MAX_REWIND_MS });
  override messages = {
    /** Reliable: answered with the same number. */
    ping: (client: ArenaClient, message: unknown): void => {
      if (isNumbered(message)) client.send("pong", { n: message.n });
    },
    /** Unreliable, both ways: how much gets through. */
    probe: (client: ArenaClient, message: unknown): void => {
      if (isNumbered(message)) sendUnreliable(client, "probed", { n: message.n });
    },
  };

  readonly #walkers = new Map<string, Walker>();
  readonly #drones = new Drones(this.state.drones);
  #nextCoin = 0;

  override onCreate(): void {
    for (let i = 0; i < COINS; i++) this.#dropCoin();
    // Where players and drones were lately, so that a shot meets them where the one who fired saw them.
    this.rewind.attachAll(this.state.players, { fields: ["x", "y"] });
    this.rewind.attachAll(this.state.drones, { fields: ["x", "y"] });
    this.setFixedTimestep(({ dt }) => this.#step(dt), TICK_RATE);
  }

  override onJoin(client: ArenaClient, options?: { name?: unknown }): void {
    const { x, y } = somewhere(PLAYER_RADIUS);
    const name = nameOf(options?.name) || `Player ${this.clients.length}`;
    const player = new Player({ name, hue: Math.floor(Math.random() * 360), x, y, score: 0 });
    this.state.players.set(client.sessionId, player);
    client.userData = { name };
    this.#walkers.set(client.sessionId, { credit: MAX_CREDIT, firedAt: Number.NEGATIVE_INFINITY });
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
    this.#walkers.delete(client.sessionId);
  }

  #step(seconds: number): void {
    this.#drones.step(seconds);
    for (const [id, player] of this.state.players) {
      const walker = this.#walkers.get(id);
      if (walker === undefined) continue;
      // One input is one step, as the player predicted it. Nobody takes more steps than time has passed.
      walker.credit = Math.min(walker.credit + 1, MAX_CREDIT);
      const inputs = this.inputs.get(id);
      for (const input of inputs) {
        // First the shot: from where the player stood who aimed.
        if (input.fire && inputs.consumedCount - walker.firedAt >= INPUTS_PER_SHOT) {
          walker.firedAt = inputs.consumedCount;
          this.#fire(id, player, input.aim);
        }
        walk(player, input, seconds);
        if (--walker.credit < 1) break;
      }
      for (const [key, coin] of this.state.coins) {
        if (!touches(player, coin)) continue;
        this.state.coins.delete(key);
        player.score++;
        this.#dropCoin();
      }
    }
  }

  #fire(by: string, player: Player, aim: number): void {
    const { state } = this;
    const { hit, reach } = findHit(this.rewind.lastSeenBy(by), state, by, aim);
    const victim = state.players.get(hit);
    if (victim !== undefined && victim.score > 0) {
      victim.score--;
      player.score++;
    } else if (state.drones.has(hit)) {
      player.score++;
      this.#drones.replace(hit);
    }
    const shot: Shot = { by, x: player.x, y: player.y, aim, reach, hit };
    this.broadcast("shot", shot);
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
