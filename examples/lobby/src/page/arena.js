// The arena as a player sees it: others between two known positions, oneself where one's keys have led already.
import { Drawing } from "./drawing.js";
import { Motion } from "./motion.js";

const SEND_MS = 50;
const PING_MS = 2000;
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

export class Arena {
  onEnd = () => {};
  #room;
  #canvas;
  #scores;
  #ping;
  #drawing;
  #motion;
  #pressed = new Set();
  #pointer;
  #sequence = 0;
  #last = performance.now();
  #listeners = new AbortController();
  #timers = [];
  #left = false;

  constructor(room, { canvas, scores, ping }) {
    this.#room = room;
    this.#canvas = canvas;
    this.#drawing = new Drawing(canvas);
    this.#motion = new Motion(room.sessionId);
    this.#scores = scores;
    this.#ping = ping;
    this.#listen();
    room.onMessage("*", () => {});
    room.onStateChange((state) => this.#motion.learn(state, performance.now()));
    room.onLeave((code) => this.#end(this.#left ? "You have left." : reasonOf(code)));
    this.#timers.push(setInterval(() => this.#send(), SEND_MS));
    this.#timers.push(setInterval(() => this.#measure(), PING_MS));
    this.#timers.push(setInterval(() => this.#showScores(), 250));
    this.#measure();
    requestAnimationFrame((now) => this.#frame(now));
  }

  leave() {
    this.#left = true;
    this.#room.leave();
  }

  #end(reason) {
    for (const timer of this.#timers) clearInterval(timer);
    this.#listeners.abort();
    this.onEnd(reason);
  }

  #listen() {
    const { signal } = this.#listeners;
    const canvas = this.#canvas;
    const on = (target, type, listener) => target.addEventListener(type, listener, { signal });
    on(canvas, "keydown", (event) => {
      if (!(event.code in KEYS) || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      this.#pressed.add(event.code);
    });
    on(window, "keyup", (event) => this.#pressed.delete(event.code));
    on(canvas, "blur", () => this.#pressed.clear());
    on(canvas, "pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#pointer = this.#drawing.toField(event);
    });
    on(canvas, "pointermove", (event) => {
      if (this.#pointer) this.#pointer = this.#drawing.toField(event);
    });
    for (const type of ["pointerup", "pointercancel"]) {
      on(canvas, type, () => {
        this.#pointer = undefined;
      });
    }
  }

  #direction() {
    const own = this.#motion.own;
    if (this.#pointer && own) {
      const dx = this.#pointer.x - own.x;
      const dy = this.#pointer.y - own.y;
      const distance = Math.hypot(dx, dy);
      return distance > 12 ? { x: dx / distance, y: dy / distance } : { x: 0, y: 0 };
    }
    let x = 0;
    let y = 0;
    for (const code of this.#pressed) {
      x += KEYS[code][0];
      y += KEYS[code][1];
    }
    const length = Math.hypot(x, y) || 1;
    return { x: x / length, y: y / length };
  }

  #send() {
    if (this.#room.connection.isOpen) this.#room.sendUnreliable("move", { n: ++this.#sequence, ...this.#direction() });
  }

  #measure() {
    this.#room.ping((ms) => {
      this.#motion.roundTripMs = ms;
      const { kind, reason } = this.#room.path;
      this.#ping.textContent = `${ms} ms, ${kind === "websocket" ? "WebSocket" : "WebRTC"}`;
      this.#ping.title = reason;
      this.#ping.dataset.path = kind;
      this.#ping.dataset.quality = ms < 60 ? "good" : ms < 150 ? "fair" : "poor";
    });
  }

  #showScores() {
    const players = [];
    this.#room.state?.players?.forEach(({ name, hue, score }, id) => players.push({ id, name, hue, score }));
    players.sort((a, b) => b.score - a.score || (a.id < b.id ? -1 : 1));
    const signature = JSON.stringify(players);
    if (this.#scores.dataset.signature === signature) return;
    this.#scores.dataset.signature = signature;
    this.#scores.replaceChildren(
      ...players.map(({ id, name, hue, score }) => {
        const row = document.createElement("li");
        const dot = document.createElement("i");
        dot.style.background = `hsl(${hue} 75% 58%)`;
        const who = document.createElement("span");
        who.textContent = `${name}${id === this.#room.sessionId ? " (you)" : ""}`;
        const points = document.createElement("b");
        points.textContent = score;
        row.append(dot, who, points);
        return row;
      }),
    );
  }

  #frame(now) {
    if (this.#listeners.signal.aborted) return;
    const seconds = Math.min(0.1, (now - this.#last) / 1000);
    this.#last = now;
    this.#motion.walk(this.#direction(), seconds, now);
    this.#drawing.draw(this.#room.state, this.#motion, this.#room.sessionId, now);
    requestAnimationFrame((next) => this.#frame(next));
  }
}

function reasonOf(code) {
  if (code === 4001) return "The host has ended the game.";
  return `The connection to the host is lost (${code}). Press Join to come back.`;
}
