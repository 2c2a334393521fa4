// Keys and pointer, as what an input says.
import { aimAt } from "./rules.js";

const KEYS = {
  ArrowLeft: [-1, 0],
  KeyA: [-1, 0],
  ArrowRight: [1, 0],
  KeyD: [1, 0],
  ArrowUp: [0, -1],
  KeyW: [0, -1],
  ArrowDown: [0, 1],
  KeyS: [0, 1],
};
/** Closer to the pointer than this is there. */
const ARRIVED = 12;

export class Controls {
  #toField;
  #pressed = new Set();
  /** Where the pointer is held. */
  #goal;
  #aimed = { x: 480, y: 300 };
  #fires = false;

  /** @param toField where on the field an event is */
  constructor(canvas, toField, signal) {
    this.#toField = toField;
    const on = (target, type, listener) => target.addEventListener(type, listener, { signal });
    on(canvas, "keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.code === "Space") this.#fires ||= !event.repeat;
      else if (event.code in KEYS) this.#pressed.add(event.code);
      else return;
      event.preventDefault();
    });
    on(window, "keyup", (event) => this.#pressed.delete(event.code));
    on(canvas, "blur", () => this.#pressed.clear());
    on(canvas, "contextmenu", (event) => event.preventDefault());
    on(canvas, "pointerdown", (event) => this.#down(canvas, event));
    on(canvas, "pointermove", (event) => {
      this.#aimed = toField(event);
      if (this.#goal) this.#goal = this.#aimed;
    });
    for (const type of ["pointerup", "pointercancel"]) {
      on(canvas, type, () => {
        this.#goal = undefined;
      });
    }
  }

  /** For one step. @param own where one is */
  wish(own) {
    const { x, y } = this.#direction(own);
    const fire = this.#fires;
    this.#fires = false;
    return { x: Math.round(100 * x), y: Math.round(100 * y), aim: aimAt(own, this.#aimed), fire };
  }

  #down(canvas, event) {
    this.#aimed = this.#toField(event);
    // The right button, and a second finger, shoot; whoever holds the pointer walks there.
    if (event.button === 2 || !event.isPrimary) {
      this.#fires = true;
      return;
    }
    canvas.setPointerCapture(event.pointerId);
    this.#goal = this.#aimed;
  }

  #direction(own) {
    if (this.#goal) {
      const [dx, dy] = [this.#goal.x - own.x, this.#goal.y - own.y];
      const distance = Math.hypot(dx, dy);
      return distance > ARRIVED ? { x: dx / distance, y: dy / distance } : { x: 0, y: 0 };
    }
    let [x, y] = [0, 0];
    for (const code of this.#pressed) {
      x += KEYS[code][0];
      y += KEYS[code][1];
    }
    const length = Math.hypot(x, y) || 1;
    return { x: x / length, y: y / length };
  }
}
