// Colyseus' netcode, as the arena uses it: inputs at a fixed step, oneself at once, the others between two positions that are known.
import { Predict } from "./predict.js";
import { INPUT_HISTORY, INTERPOLATION_MS, TELEPORT, walk } from "./rules.js";

/** A correction that the eye may see, in field units. */
const VISIBLE = 0.5;

export class Prediction {
  /** Corrections that the eye may see, so far. */
  corrections = 0;
  #predict;
  #input;
  #own;

  /** To be made once the room's first state is there. */
  constructor(room) {
    // Each packet of inputs repeats the last ones. Over WebSocket, where nothing is lost, that would be of no use.
    const overDatagrams = room.path.kind !== "websocket";
    this.#input = room.input(overDatagrams ? { mode: "unreliable", historySize: INPUT_HISTORY } : { mode: "reliable" });
    this.#predict = Predict.get(room, { mode: "lerp", delay: INTERPOLATION_MS, snap: TELEPORT });
    this.#predict.attachAll("players", { fields: ["x", "y"] });
    this.#predict.attachAll("drones", { fields: ["x", "y"] });
    this.#own = this.#predict.reconciler(room.state.players.get(room.sessionId), {
      input: this.#input,
      fields: ["x", "y"],
      step: ({ dt }, player, input) => walk(player, input, dt),
      snap: TELEPORT,
      // Never warns: it makes Colyseus measure corrections.
      warnOnDivergence: Number.POSITIVE_INFINITY,
      onReconcile: () => {
        if (this.#own.lastCorrectionMag > VISIBLE) this.corrections++;
      },
    });
  }

  /** Inputs that the room has not answered yet. */
  get waiting() {
    return this.#input.pendingCount;
  }

  /** Once for each picture: sends the inputs that are due. @param wish is asked for each of them: { x, y, aim, fire } */
  frame(now, wish) {
    for (let due = this.#predict.tick(now); due > 0; due--) {
      Object.assign(this.#input.data, wish());
      this.#input.send();
    }
  }

  /** Where to draw a player or a drone, now. */
  positionOf(who) {
    return { x: this.#predict.value(who, "x"), y: this.#predict.value(who, "y") };
  }
}
