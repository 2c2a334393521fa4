/** A player's own end of the netcode: inputs at a fixed step, oneself predicted, the others between two known positions. */
import { Predict } from "@colyseus/sdk/predict";
import { INPUT_HISTORY, INTERPOLATION_MS, walk } from "../public/rules.js";
import type { ArenaInput, Player } from "../src/rooms/schema/ArenaState.ts";
import type { Arena } from "./join.ts";

export type Wish = Partial<Pick<ArenaInput, "x" | "y" | "tag">>;

export class Pilot {
  readonly #predict: Predict;
  readonly #input;
  readonly #own;

  /** @param room with its first state, as `join` gives it */
  constructor(room: Arena) {
    // Unreliable: an input that is lost comes again with the next one, and holds nothing up.
    this.#input = room.input<ArenaInput>({ mode: "unreliable", historySize: INPUT_HISTORY });
    this.#predict = Predict.get(room, { mode: "lerp", delay: INTERPOLATION_MS });
    this.#predict.attachAll("players", { fields: ["x", "y"] });
    const player = room.state.players.get(room.sessionId);
    if (player === undefined) throw new Error("The room does not know us yet.");
    this.#own = this.#predict.reconciler(player, {
      input: this.#input,
      fields: ["x", "y"],
      step: ({ dt }, state, input) => walk(state, input, dt),
    });
  }

  /** Where we are, as we think. */
  get own(): Player {
    return this.#own.state;
  }

  /** To be called about 60 times a second: sends the inputs that are due. @param wish asked once for each */
  frame(wish: () => Wish): void {
    for (let due = this.#predict.tick(performance.now()); due > 0; due--) {
      const { x = 0, y = 0, tag = false } = wish();
      Object.assign(this.#input.data, { x: Math.round(x), y: Math.round(y), tag });
      this.#input.send();
    }
  }

  /** Where somebody is drawn at this moment. */
  positionOf(who: Player): { x: number; y: number } {
    return { x: this.#predict.value(who, "x"), y: this.#predict.value(who, "y") };
  }
}
