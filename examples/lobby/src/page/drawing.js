// The arena on a canvas, as sharp as the screen is.
import { COIN_RADIUS, DRONE_RADIUS, direction, PLAYER_RADIUS as RADIUS } from "./rules.js";

const SPARK_MS = 600;
const SHOT_MS = 220;
const isCalm = matchMedia("(prefers-reduced-motion: reduce)");

export class Drawing {
  #canvas;
  #context;
  #field = { width: 960, height: 600 };
  /** Pixels of the screen per unit of the field. */
  #scale = 1;
  #colours = {};
  #coloursAt = Number.NEGATIVE_INFINITY;
  /** Per player where it was drawn last and which way it looks. */
  #looks = new Map();
  #coins = new Map();
  #sparks = [];
  #shots = [];

  constructor(canvas) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d");
  }

  /** A pointer's place on the field. */
  toField({ clientX, clientY }) {
    const box = this.#canvas.getBoundingClientRect();
    return {
      x: ((clientX - box.left) / box.width) * this.#field.width,
      y: ((clientY - box.top) / box.height) * this.#field.height,
    };
  }

  /** What the room said of a shot. */
  shoot(shot, now) {
    this.#shots.push({ ...shot, since: now });
  }

  /** @param positionOf where to draw a player or a drone */
  draw(state, positionOf, ownId, now) {
    this.#fit(state);
    this.#readColours(now);
    const context = this.#context;
    context.setTransform(this.#scale, 0, 0, this.#scale, 0, 0);
    this.#drawField();
    this.#drawCoins(state.coins, now);
    this.#drawSparks(now);
    state.drones?.forEach((drone) => this.#drawDrone(positionOf(drone)));
    this.#drawShots(now);
    const players = [...state.players.entries()].sort(([a], [b]) => (a === ownId ? 1 : b === ownId ? -1 : 0));
    for (const [id, player] of players) {
      this.#drawPlayer(id, player, positionOf(player), id === ownId);
    }
    for (const id of this.#looks.keys()) if (!state.players.has(id)) this.#looks.delete(id);
  }

  #fit({ width, height }) {
    if (width > 0) this.#field = { width, height };
    const pixels = Math.round(this.#canvas.clientWidth * Math.min(devicePixelRatio, 2));
    if (pixels > 0 && this.#canvas.width !== pixels) {
      this.#canvas.width = pixels;
      this.#canvas.height = Math.round((pixels * this.#field.height) / this.#field.width);
    }
    this.#scale = this.#canvas.width / this.#field.width;
  }

  /** Light may become dark while one plays. */
  #readColours(now) {
    if (now - this.#coloursAt < 500) return;
    this.#coloursAt = now;
    const style = getComputedStyle(this.#canvas);
    for (const name of ["line", "text", "coin", "coin-edge", "field"]) {
      this.#colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
  }

  #drawField() {
    const { width, height } = this.#field;
    const context = this.#context;
    context.clearRect(0, 0, width, height);
    context.strokeStyle = this.#colours.line;
    context.globalAlpha = 0.55;
    context.lineWidth = 1;
    context.beginPath();
    for (let x = 60; x < width; x += 60) context.rect(x, -1, 0, height + 2);
    for (let y = 60; y < height; y += 60) context.rect(-1, y, width + 2, 0);
    context.stroke();
    context.globalAlpha = 1;
  }

  #drawCoins(coins, now) {
    const context = this.#context;
    const seen = new Set();
    coins?.forEach(({ x, y }, id) => {
      seen.add(id);
      if (!this.#coins.has(id)) this.#coins.set(id, { x, y, since: now });
      const age = now - this.#coins.get(id).since;
      const grown = isCalm.matches ? 1 : Math.min(1, age / 250);
      const turn = isCalm.matches ? 1 : 0.72 + 0.28 * Math.abs(Math.cos(now / 700 + x));
      context.fillStyle = this.#colours.coin;
      context.strokeStyle = this.#colours["coin-edge"];
      context.lineWidth = 2;
      context.beginPath();
      context.ellipse(x, y, COIN_RADIUS * turn * grown, COIN_RADIUS * grown, 0, 0, 2 * Math.PI);
      context.fill();
      context.stroke();
    });
    for (const [id, { x, y }] of this.#coins) {
      if (seen.has(id)) continue;
      this.#coins.delete(id);
      if (!isCalm.matches) this.#sparks.push({ x, y, since: now });
    }
  }

  #drawSparks(now) {
    const context = this.#context;
    this.#sparks = this.#sparks.filter(({ since }) => now - since < SPARK_MS);
    for (const { x, y, since } of this.#sparks) {
      const share = (now - since) / SPARK_MS;
      context.globalAlpha = 1 - share;
      context.strokeStyle = this.#colours.coin;
      context.lineWidth = 3 * (1 - share);
      context.beginPath();
      context.arc(x, y, COIN_RADIUS + 26 * share, 0, 2 * Math.PI);
      context.stroke();
      this.#label("+1", x, y - 14 - 18 * share, this.#colours.text);
      context.globalAlpha = 1;
    }
  }

  #drawDrone({ x, y }) {
    const context = this.#context;
    context.strokeStyle = this.#colours.text;
    context.lineWidth = 2.5;
    context.beginPath();
    context.arc(x, y, DRONE_RADIUS, 0, 2 * Math.PI);
    context.moveTo(x - DRONE_RADIUS * 0.5, y);
    context.lineTo(x + DRONE_RADIUS * 0.5, y);
    context.moveTo(x, y - DRONE_RADIUS * 0.5);
    context.lineTo(x, y + DRONE_RADIUS * 0.5);
    context.stroke();
  }

  #drawShots(now) {
    const context = this.#context;
    this.#shots = this.#shots.filter(({ since }) => now - since < SHOT_MS);
    for (const { x, y, aim, reach, hit, since } of this.#shots) {
      const end = direction(aim);
      context.globalAlpha = 1 - (now - since) / SHOT_MS;
      context.strokeStyle = hit ? this.#colours.coin : this.#colours.text;
      context.lineWidth = hit ? 4 : 2;
      context.beginPath();
      context.moveTo(x + end.x * RADIUS, y + end.y * RADIUS);
      context.lineTo(x + end.x * reach, y + end.y * reach);
      context.stroke();
      context.globalAlpha = 1;
    }
  }

  #drawPlayer(id, { name, hue }, { x, y }, isOwn) {
    const context = this.#context;
    const look = this.#looks.get(id) ?? { x, y, dx: 0, dy: 0 };
    const moved = Math.hypot(x - look.x, y - look.y);
    const wish = moved > 0.2 ? { x: (x - look.x) / moved, y: (y - look.y) / moved } : { x: 0, y: 0 };
    look.dx += (wish.x - look.dx) * 0.2;
    look.dy += (wish.y - look.dy) * 0.2;
    look.x = x;
    look.y = y;
    this.#looks.set(id, look);

    context.fillStyle = "rgb(0 0 0 / 0.18)";
    context.beginPath();
    context.ellipse(x, y + RADIUS * 0.95, RADIUS * 0.85, RADIUS * 0.3, 0, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = `hsl(${hue} 72% 58%)`;
    context.strokeStyle = isOwn ? this.#colours.text : `hsl(${hue} 60% 38%)`;
    context.lineWidth = isOwn ? 3 : 2;
    context.beginPath();
    context.arc(x, y, RADIUS, 0, 2 * Math.PI);
    context.fill();
    context.stroke();
    for (const side of [-1, 1]) {
      const eye = { x: x + side * 5.5 + look.dx * 4, y: y - 2 + look.dy * 4 };
      context.fillStyle = "#ffffff";
      context.beginPath();
      context.arc(eye.x, eye.y, 4.4, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = "#1b1f2b";
      context.beginPath();
      context.arc(eye.x + look.dx * 1.8, eye.y + look.dy * 1.8, 2.2, 0, 2 * Math.PI);
      context.fill();
    }
    this.#label(name, x, y - RADIUS - 10, this.#colours.text);
  }

  #label(text, x, y, colour) {
    const context = this.#context;
    // Readable on a phone too, where the whole field is as wide as a thumb is long.
    const size = Math.min(26, Math.max(14, (11 * Math.min(devicePixelRatio, 2)) / this.#scale));
    context.font = `600 ${size}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.lineWidth = 4;
    context.lineJoin = "round";
    context.strokeStyle = this.#colours.field;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }
}
