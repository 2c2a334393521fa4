// The arena as a player sees it.
import { Controls } from "./controls.js";
import { Drawing } from "./drawing.js";
import { Netgraph } from "./netgraph.js";
import { Prediction } from "./prediction.js";

const PING_MS = 2000;

export class Arena {
  onEnd = () => {};
  #room;
  #canvas;
  #scores;
  #ping;
  #drawing;
  #controls;
  #netgraph;
  /** Undefined until the room has said where we are. */
  #prediction;
  #over = new AbortController();
  #timers = [];
  #left = false;

  constructor(room, { canvas, scores, ping, network }) {
    const { signal } = this.#over;
    this.#room = room;
    this.#canvas = canvas;
    this.#drawing = new Drawing(canvas);
    this.#controls = new Controls(canvas, (event) => this.#drawing.toField(event), signal);
    this.#netgraph = new Netgraph(room, network, signal);
    this.#scores = scores;
    this.#ping = ping;
    room.onMessage("*", () => {});
    room.onMessage("shot", (shot) => this.#drawing.shoot(shot, performance.now()));
    room.onStateChange((state) => {
      if (state.players.has(room.sessionId)) this.#prediction ??= new Prediction(room);
    });
    room.onLeave((code) => this.#end(this.#left ? "You have left." : reasonOf(code)));
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
    this.#over.abort();
    this.onEnd(reason);
  }

  #measure() {
    this.#room.ping((ms) => {
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
    if (this.#over.signal.aborted) return;
    requestAnimationFrame((next) => this.#frame(next));
    const { state, sessionId } = this.#room;
    const own = state?.players?.get(sessionId);
    const prediction = this.#prediction;
    if (prediction === undefined || own === undefined) return;
    prediction.frame(now, () => this.#controls.wish(prediction.positionOf(own)));
    this.#drawing.draw(state, (who) => prediction.positionOf(who), sessionId, now);
    this.#netgraph.frame(now, prediction);
    const { x, y } = prediction.positionOf(own);
    this.#canvas.dataset.at = `${Math.round(x)} ${Math.round(y)}`;
  }
}

function reasonOf(code) {
  if (code === 4001) return "The host has ended the game.";
  return `The connection to the host is lost (${code}). Press Join to come back.`;
}
