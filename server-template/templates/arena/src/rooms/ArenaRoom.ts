/** An authoritative room: clients say where they want to go, the server says where they are. */
import { type Client, Room } from "@colyseus/core";
import { FIELD, INPUTS_PER_TAG, reaches, TICK_RATE, WAVE_EVERY_MS, walk } from "../../public/rules.js";
import { ArenaInput, ArenaState, Player } from "./schema/ArenaState.ts";

/** What the server alone knows of a player. */
interface Walker {
  /** Steps that may be taken at once. */
  credit: number;
  /** Counted in inputs. */
  taggedAt: number;
  wavedAt: number;
}

/** What a line that stood still for a third of a second brings at once. */
const MAX_CREDIT = TICK_RATE / 3;

export class ArenaRoom extends Room<{ state: ArenaState; input: ArenaInput }> {
  override maxClients = 16;
  override maxMessagesPerSecond = 200;
  override patchRate = 1000 / TICK_RATE;
  override state: ArenaState = new ArenaState();
  override inputs = this.defineInput(ArenaInput, { sanitize: { x: [-100, 100], y: [-100, 100] } });
  /** Where players were lately. */
  readonly rewind = this.allowRewindState({ maxRewindMs: 600 });

  override messages = {
    /** Reliable: everybody sees it, and nobody misses it. */
    wave: (client: Client): void => this.#onWave(client),
  };

  readonly #walkers = new Map<string, Walker>();

  override onCreate(): void {
    this.rewind.attachAll(this.state.players, { fields: ["x", "y"] });
    this.setFixedTimestep(({ dt }) => this.#step(dt), TICK_RATE);
  }

  override onJoin(client: Client, options?: { name?: unknown }): void {
    const name = typeof options?.name === "string" ? options.name.trim().slice(0, 20) : "";
    const player = new Player({
      name: name || `Player ${this.clients.length}`,
      hue: Math.floor(Math.random() * 360),
      x: FIELD.width / 2,
      y: FIELD.height / 2,
      tags: 0,
    });
    this.state.players.set(client.sessionId, player);
    const never = Number.NEGATIVE_INFINITY;
    this.#walkers.set(client.sessionId, { credit: MAX_CREDIT, taggedAt: never, wavedAt: never });
  }

  override onLeave(client: Client): void {
    this.state.players.delete(client.sessionId);
    this.#walkers.delete(client.sessionId);
  }

  #step(seconds: number): void {
    for (const [id, player] of this.state.players) {
      const walker = this.#walkers.get(id);
      if (walker === undefined) continue;
      // One input is one step, as the player predicted it. Nobody takes more steps than time has passed.
      walker.credit = Math.min(walker.credit + 1, MAX_CREDIT);
      const inputs = this.inputs.get(id);
      for (const input of inputs) {
        if (input.tag && inputs.consumedCount - walker.taggedAt >= INPUTS_PER_TAG) {
          walker.taggedAt = inputs.consumedCount;
          this.#tag(id, player);
        }
        walk(player, input, seconds);
        if (--walker.credit < 1) break;
      }
    }
  }

  /** Whom the player saw close by is tagged, wherever that one is by now. */
  #tag(by: string, player: Player): void {
    const seen = this.rewind.lastSeenBy(by);
    for (const [id, other] of this.state.players) {
      if (id === by || !reaches(player, seen.read(other, ["x", "y"]))) continue;
      player.tags++;
      this.broadcast("tagged", { by, who: id });
    }
  }

  #onWave(client: Client): void {
    const walker = this.#walkers.get(client.sessionId);
    const now = performance.now();
    if (walker === undefined || now - walker.wavedAt < WAVE_EVERY_MS) return;
    walker.wavedAt = now;
    this.broadcast("wave", { from: client.sessionId });
  }
}
