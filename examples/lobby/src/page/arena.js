// The arena as a player sees it: draws what the host says, a little smoothed, and sends where the player wants to go.

const SEND_MS = 50;
/** Each frame closes this share of the distance to the last known position, per millisecond. */
const SMOOTHING = 0.012;
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
  #context;
  #scores;
  #ping;
  #drawn = new Map();
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
    this.#context = canvas.getContext("2d");
    this.#scores = scores;
    this.#ping = ping;
    this.#listen();
    room.onMessage("*", () => {});
    room.onLeave((code) => this.#end(this.#left ? "You have left." : `The game has ended (${code}).`));
    this.#timers.push(setInterval(() => this.#send(), SEND_MS));
    this.#timers.push(setInterval(() => this.#measure(), 2000));
    this.#timers.push(setInterval(() => this.#showScores(), 500));
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
    canvas.addEventListener(
      "keydown",
      (event) => {
        if (!(event.code in KEYS)) return;
        event.preventDefault();
        this.#pressed.add(event.code);
      },
      { signal },
    );
    addEventListener("keyup", (event) => this.#pressed.delete(event.code), { signal });
    canvas.addEventListener("blur", () => this.#pressed.clear(), { signal });
    const point = (event) => {
      const box = canvas.getBoundingClientRect();
      this.#pointer = {
        x: ((event.clientX - box.left) / box.width) * canvas.width,
        y: ((event.clientY - box.top) / box.height) * canvas.height,
      };
    };
    canvas.addEventListener(
      "pointerdown",
      (event) => {
        canvas.setPointerCapture(event.pointerId);
        point(event);
      },
      { signal },
    );
    canvas.addEventListener("pointermove", (event) => this.#pointer && point(event), { signal });
    for (const type of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(
        type,
        () => {
          this.#pointer = undefined;
        },
        { signal },
      );
    }
  }

  #direction() {
    let x = 0;
    let y = 0;
    for (const code of this.#pressed) {
      x += KEYS[code][0];
      y += KEYS[code][1];
    }
    const own = this.#drawn.get(this.#room.sessionId);
    if (this.#pointer && own) {
      const dx = this.#pointer.x - own.x;
      const dy = this.#pointer.y - own.y;
      const distance = Math.hypot(dx, dy);
      if (distance > 12) return { x: dx / distance, y: dy / distance };
    }
    const length = Math.hypot(x, y) || 1;
    return { x: x / length, y: y / length };
  }

  #send() {
    this.#room.send("move", { n: ++this.#sequence, ...this.#direction() });
  }

  #measure() {
    this.#room.ping((ms) => {
      this.#ping.textContent = `${ms} ms by WebSocket`;
    });
  }

  #showScores() {
    const players = [];
    this.#room.state?.players?.forEach((player, id) =>
      players.push({ id, name: player.name, hue: player.hue, score: player.score }),
    );
    players.sort((a, b) => b.score - a.score);
    const rows = players.map(({ id, name, hue, score }) => {
      const row = document.createElement("li");
      const dot = document.createElement("i");
      dot.style.background = `hsl(${hue} 75% 58%)`;
      row.append(dot, `${name}${id === this.#room.sessionId ? " (you)" : ""} ${score}`);
      return row;
    });
    const signature = rows.map((row) => row.textContent).join("|");
    if (this.#scores.dataset.signature === signature) return;
    this.#scores.dataset.signature = signature;
    this.#scores.replaceChildren(...rows);
  }

  #frame(now) {
    if (this.#listeners.signal.aborted) return;
    const share = 1 - Math.exp(-SMOOTHING * Math.min(100, now - this.#last));
    this.#last = now;
    this.#draw(share);
    requestAnimationFrame((next) => this.#frame(next));
  }

  #draw(share) {
    const { width, height } = this.#canvas;
    const context = this.#context;
    const css = getComputedStyle(this.#canvas);
    context.clearRect(0, 0, width, height);
    context.strokeStyle = css.getPropertyValue("--line");
    context.lineWidth = 1;
    context.beginPath();
    for (let x = 60; x < width; x += 60) context.rect(x, -1, 0, height + 2);
    for (let y = 60; y < height; y += 60) context.rect(-1, y, width + 2, 0);
    context.stroke();

    context.fillStyle = css.getPropertyValue("--accent");
    this.#room.state?.coins?.forEach(({ x, y }) => {
      context.beginPath();
      context.arc(x, y, 9, 0, Math.PI * 2);
      context.fill();
    });

    const seen = new Set();
    context.font = "600 14px system-ui, sans-serif";
    context.textAlign = "center";
    this.#room.state?.players?.forEach((player, id) => {
      seen.add(id);
      const drawn = this.#drawn.get(id) ?? { x: player.x, y: player.y };
      drawn.x += (player.x - drawn.x) * share;
      drawn.y += (player.y - drawn.y) * share;
      this.#drawn.set(id, drawn);
      context.fillStyle = `hsl(${player.hue} 75% 58%)`;
      context.beginPath();
      context.arc(drawn.x, drawn.y, 16, 0, Math.PI * 2);
      context.fill();
      if (id === this.#room.sessionId) {
        context.lineWidth = 3;
        context.strokeStyle = css.getPropertyValue("--text");
        context.stroke();
      }
      context.fillStyle = css.getPropertyValue("--text");
      context.fillText(player.name, drawn.x, drawn.y - 24);
    });
    for (const id of this.#drawn.keys()) if (!seen.has(id)) this.#drawn.delete(id);
  }
}
