/** A player's own end of the netcode: inputs at a fixed step, oneself predicted, the others between two known positions. */
import { Predict } from "@colyseus/sdk/predict";
import { INPUT_HISTORY, INTERPOLATION_MS, TELEPORT, walk } from "../arena/rules.js";
import type { ArenaInput, Player } from "../arena/state.ts";
import type { ArenaSession } from "../network/client.ts";

/** What a player wants at a step. */
export interface Wish {
  /** -100 to 100 each way. */
  x: number;
  y: number;
  /** 0-65535. */
  aim?: number;
  fire?: boolean;
}

export interface PilotOptions {
  /** `reliable`: inputs wait for one another. Default `unreliable`, with history. */
  mode?: "reliable" | "unreliable";
  historySize?: number;
}

/** A correction that a player might see, in field units. */
const VISIBLE = 0.5;

export class Pilot {
  readonly predict: Predict;
  /** Corrections that a player might see, so far. */
  corrections = 0;
  /** From the sending of an input until the room's answer to it, ms. */
  readonly ackMs: number[] = [];
  readonly #input;
  readonly #sentAt = new Map<number, number>();
  #acked = 0;
  #reconciler;

  /** @param room with its first state */
  constructor(room: ArenaSession, { mode = "unreliable", historySize = INPUT_HISTORY }: PilotOptions = {}) {
    this.#input = room.input<ArenaInput>(mode === "unreliable" ? { mode, historySize } : { mode });
    this.predict = Predict.get(room, { mode: "lerp", delay: INTERPOLATION_MS, snap: TELEPORT });
    this.predict.attachAll("players", { fields: ["x", "y"] });
    this.predict.attachAll("drones", { fields: ["x", "y"] });
    const own = room.state.players.get(room.sessionId);
    if (own === undefined) throw new Error("The room does not know us yet.");
    this.#reconciler = this.predict.reconciler(own, {
      input: this.#input,
      fields: ["x", "y"],
      step: ({ dt }, player, input) => walk(player, input, dt),
      snap: TELEPORT,
      // Never warns: it makes Colyseus measure corrections.
      warnOnDivergence: Number.POSITIVE_INFINITY,
      onReconcile: () => this.#onReconcile(),
    });
    room.onStateChange(() => this.#readAcks());
  }

  /** Where we are, as we think. */
  get own(): Player {
    return this.#reconciler.state;
  }

  /** Inputs that the room has not answered yet. */
  get waiting(): number {
    return this.#input.pendingCount;
  }

  get sent(): number {
    return this.#input.sentCount;
  }

  /** To be called once for each picture: sends the inputs that are due. @param wish asked once for each step */
  frame(now: number, wish: () => Wish): void {
    for (let due = this.predict.tick(now); due > 0; due--) {
      const { x, y, aim = 0, fire = false } = wish();
      Object.assign(this.#input.data, { x: Math.round(x), y: Math.round(y), aim, fire });
      const number = this.#input.send();
      if (number > 0) this.#sentAt.set(number, performance.now());
    }
  }

  /** Where somebody is drawn at this moment. */
  seen(who: { x: number; y: number }): { x: number; y: number } {
    return { x: this.predict.value(who, "x"), y: this.predict.value(who, "y") };
  }

  #readAcks(): void {
    const now = performance.now();
    for (const { lastProcessed } = this.#input; this.#acked < lastProcessed; ) {
      const sentAt = this.#sentAt.get(++this.#acked);
      this.#sentAt.delete(this.#acked);
      if (sentAt !== undefined) this.ackMs.push(now - sentAt);
    }
  }

  #onReconcile(): void {
    if (this.#reconciler.lastCorrectionMag > VISIBLE) this.corrections++;
  }
}

/** Resolves when the room has told us where we are. */
export async function firstState(room: ArenaSession): Promise<void> {
  if (room.state?.players?.has(room.sessionId)) return;
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (!room.state.players.has(room.sessionId)) return;
      room.onStateChange.remove(look);
      resolve();
    };
    room.onStateChange(look);
  });
}
