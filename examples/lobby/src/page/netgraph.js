// How the line is, and a worse one at will.
import { NETWORK_PRESETS } from "./sallyport.js";

const SHOWN_MS = 250;
/** One column of the graph for each time it is shown: a minute and a half. */
const COLUMNS = 360;
const HEIGHT = 60;
/** At the top of the graph, ms. */
const TOP_MS = 300;

/** Of the sliders, in the units that people know: percent, kilobytes. */
const FIELDS = {
  delay: { key: "delayMs", unit: 1 },
  jitter: { key: "jitterMs", unit: 1 },
  loss: { key: "loss", unit: 0.01 },
  duplicate: { key: "duplicate", unit: 0.01 },
  reorder: { key: "reorder", unit: 0.01 },
  rate: { key: "bytesPerSecond", unit: 1000 },
};

export class Netgraph {
  #room;
  #panel;
  #shownAt = Number.NEGATIVE_INFINITY;
  #corrections = 0;
  /** Corrections of the last second, by when they were shown. */
  #recent = [];

  constructor(room, panel, signal) {
    this.#room = room;
    this.#panel = panel;
    const graph = panel.querySelector("canvas");
    graph.width = COLUMNS;
    graph.height = HEIGHT;
    const form = panel.querySelector("form");
    form.addEventListener("input", (event) => this.#change(form, event.target), { signal });
    form.addEventListener("submit", (event) => event.preventDefault(), { signal });
    this.#change(form, form.elements.preset);
  }

  frame(now, { waiting, corrections }) {
    if (now - this.#shownAt < SHOWN_MS) return;
    this.#shownAt = now;
    const added = corrections - this.#corrections;
    this.#corrections = corrections;
    this.#recent.push({ now, added });
    while (this.#recent[0].now <= now - 1000) this.#recent.shift();
    const perSecond = this.#recent.reduce((sum, each) => sum + each.added, 0);
    const { kind, remote, rttMs, jitterMs, loss } = this.#room.path;
    const { clock } = this.#room;
    const set = (name, text) => {
      this.#panel.querySelector(`[data-figure=${name}]`).textContent = text;
    };
    set("path", `${kind === "websocket" ? "WebSocket" : `WebRTC, ${kind}`} to ${remote}`);
    set("rtt", rttMs === null ? "–" : `${Math.round(rttMs)} ms`);
    set("jitter", `${Math.round(jitterMs ?? clock.jitter())} ms`);
    set("loss", loss === null ? "–" : `${Math.round(100 * loss)} %`);
    set("answer", `${Math.round(clock.smoothedRtt())} ms`);
    set("waiting", String(waiting));
    set("corrections", `${perSecond} /s`);
    this.#draw(clock.rtt(), added);
  }

  /** One column more: how long the room took to answer an input, and a mark for each correction. */
  #draw(ms, corrections) {
    const canvas = this.#panel.querySelector("canvas");
    const context = canvas.getContext("2d");
    context.globalCompositeOperation = "copy";
    context.drawImage(canvas, -1, 0);
    context.globalCompositeOperation = "source-over";
    const { color } = getComputedStyle(canvas);
    const height = Math.max(1, Math.round((Math.min(ms, TOP_MS) / TOP_MS) * HEIGHT));
    context.fillStyle = color;
    context.fillRect(COLUMNS - 1, HEIGHT - height, 1, height);
    if (corrections > 0) {
      context.fillStyle = "#e5484d";
      context.fillRect(COLUMNS - 1, 0, 1, Math.min(HEIGHT, 4 * corrections));
    }
  }

  #change(form, changed) {
    const { elements } = form;
    const { preset } = elements;
    if (changed === preset) {
      const conditions = NETWORK_PRESETS[preset.value] ?? {};
      for (const [name, { key, unit }] of Object.entries(FIELDS)) {
        elements[name].value = (conditions[key] ?? 0) / unit;
      }
      if (preset.value !== "own") this.#set(preset.value === "" ? null : conditions);
    } else {
      preset.value = "own";
    }
    if (preset.value === "own") {
      const own = {};
      for (const [name, { key, unit }] of Object.entries(FIELDS)) {
        const value = elements[name].valueAsNumber * unit;
        if (value > 0) own[key] = value;
      }
      this.#set(own);
    }
    for (const name of Object.keys(FIELDS)) {
      const { value, dataset } = elements[name];
      form.querySelector(`[data-value=${name}]`).textContent =
        name === "rate" && value === "0" ? "as it is" : `${value} ${dataset.unit}`;
    }
  }

  #set(conditions) {
    this.#room.conditions = conditions;
    this.#panel.dataset.line = conditions === null ? "" : "bad";
  }
}
