// A player's own end of the netcode: inputs at a fixed step, oneself predicted, the others between two known positions.
import { INPUT_HISTORY, INTERPOLATION_MS, walk } from "./rules.js";
import { Predict } from "./sallyport/predict.js";

export class Prediction {
  #predict;
  #input;

  /** To be made once the room's first state is there. */
  constructor(room) {
    // An input that is lost comes again with the next one, and holds nothing up. Over WebSocket nothing is lost.
    const overDatagrams = room.path.kind !== "websocket";
    this.#input = room.input(overDatagrams ? { mode: "unreliable", historySize: INPUT_HISTORY } : { mode: "reliable" });
    this.#predict = Predict.get(room, { mode: "lerp", delay: INTERPOLATION_MS });
    this.#predict.attachAll("players", { fields: ["x", "y"] });
    this.#predict.reconciler(room.state.players.get(room.sessionId), {
      input: this.#input,
      fields: ["x", "y"],
      step: ({ dt }, player, input) => walk(player, input, dt),
    });
  }

  /** Once for each picture: sends the inputs that are due. @param wish asked for each: { x, y, tag } */
  frame(now, wish) {
    for (let due = this.#predict.tick(now); due > 0; due--) {
      Object.assign(this.#input.data, wish());
      this.#input.send();
    }
  }

  /** Where to draw a player, oneself too, now. */
  positionOf(player) {
    return { x: this.#predict.value(player, "x"), y: this.#predict.value(player, "y") };
  }
}
