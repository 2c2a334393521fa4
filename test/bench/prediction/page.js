// Players of the prediction room in a browser: what players.ts does in Node.
import { Predict } from "./predict.js";
import { FIELD, INPUT_HISTORY, INTERPOLATION_MS, walk as step, TELEPORT } from "./rules.js";
import { SallyportBrowserClient } from "./sallyport.js";

const FRAME_MS = 1000 / 60;
const VISIBLE = 0.5;
const all = [];
let before = { corrections: 0, inputs: 0 };

class Player {
  corrections = 0;
  ackMs = [];
  #sentAt = new Map();
  #acked = 0;

  constructor(room, mode) {
    this.room = room;
    this.input = room.input(mode === "unreliable" ? { mode, historySize: INPUT_HISTORY } : { mode });
    this.predict = Predict.get(room, { mode: "lerp", delay: INTERPOLATION_MS });
    this.predict.attachAll("players", { fields: ["x", "y"] });
    this.own = this.predict.reconciler(room.state.players.get(room.sessionId), {
      input: this.input,
      fields: ["x", "y"],
      step: ({ dt }, player, input) => step(player, input, dt),
      snap: TELEPORT,
      warnOnDivergence: Number.POSITIVE_INFINITY,
      onReconcile: () => {
        if (this.own.lastCorrectionMag > VISIBLE) this.corrections++;
      },
    });
    room.onStateChange(() => this.#readAcks());
  }

  frame(now, n) {
    for (let due = this.predict.tick(now); due > 0; due--) {
      const turn = Math.floor(now / 350 + n / 3) % 4;
      const back = this.own.state.x > FIELD.width / 2 ? -1 : 1;
      this.input.data.x = turn % 2 === 0 ? 100 * back : 0;
      this.input.data.y = turn === 1 ? 100 : turn === 3 ? -100 : 0;
      const number = this.input.send();
      if (number > 0) this.#sentAt.set(number, performance.now());
    }
  }

  #readAcks() {
    const now = performance.now();
    while (this.#acked < this.input.lastProcessed) {
      const sentAt = this.#sentAt.get(++this.#acked);
      this.#sentAt.delete(this.#acked);
      if (sentAt !== undefined) this.ackMs.push(now - sentAt);
    }
  }
}

export async function walk({ url, players, mode }) {
  const client = new SallyportBrowserClient(url, { webrtcTimeoutMs: 20_000 });
  for (let n = 0; n < players; n++) {
    const room = await client.joinOrCreate("prediction");
    while (!room.state?.players?.has(room.sessionId)) await new Promise((resolve) => setTimeout(resolve, 10));
    all.push(new Player(room, mode));
  }
  setInterval(() => {
    const now = performance.now();
    for (const [n, player] of all.entries()) player.frame(now, n);
  }, FRAME_MS);
}

export function report() {
  const sum = (of) => all.reduce((total, player) => total + of(player), 0);
  const [corrections, inputs] = [sum((player) => player.corrections), sum((player) => player.input.sentCount)];
  const said = {
    event: "report",
    ackMs: all.flatMap((player) => player.ackMs.splice(0)),
    corrections: corrections - before.corrections,
    inputs: inputs - before.inputs,
    path: all[0].room.path.kind,
  };
  before = { corrections, inputs };
  return said;
}
