// A player in the browser: over WebRTC, else over WebSocket, in the same room as those who come by UDP. On the server's own page, or with
// an invite on any.
import { Prediction } from "./prediction.js";
import { SallyportBrowserClient } from "./sallyport/sallyport.js";

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
const RING_MS = 1200;

const canvas = document.getElementById("field");
const context = canvas.getContext("2d");
const status = document.getElementById("status");
const pressed = new Set();
/** Rings around players, who waved or were tagged: since when. */
const rings = new Map();
let pointer;
let tags = false;
let room;
/** Not before the first state. */
let prediction;

/** What stands behind the link's #, or was typed; `npm run build:page` makes a page that has no server of its own. */
let invite = location.hash.slice(1);
/** Written by `npm run build:page`. */
const isHosted = globalThis.settings === undefined;
const form = document.getElementById("join");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  invite = document.getElementById("invite").value.trim();
  void join();
});

async function clientFor(invited) {
  if (!invited) return new SallyportBrowserClient(location.origin);
  return await SallyportBrowserClient.fromInvite(invited, globalThis.settings);
}

async function join() {
  form.hidden = isHosted || invite !== "";
  if (!isHosted && invite === "") {
    status.textContent = "Paste the invite that your host gave you.";
    return;
  }
  try {
    status.textContent = "Joining …";
    const client = await clientFor(invite);
    room = await client.joinOrCreate("arena", { name: new URLSearchParams(location.search).get("name") ?? "" });
  } catch (error) {
    const isWrong = error.code === "invalid-invite" || error.code === "unknown-invite";
    status.textContent = `Not joined: ${error.message}${isWrong ? "" : " Trying again …"}`;
    form.hidden = !isWrong;
    if (!isWrong) setTimeout(() => void join(), 2000);
    return;
  }
  status.textContent = "You are in.";
  room.onMessage("wave", ({ from }) => rings.set(from, performance.now()));
  room.onMessage("tagged", ({ who }) => rings.set(who, performance.now()));
  room.onStateChange((state) => {
    if (state.players.has(room.sessionId)) prediction ??= new Prediction(room);
    document.documentElement.dataset.players = state.players.size;
  });
  room.onLeave(() => {
    status.textContent = "The server has gone. Trying again …";
    room = undefined;
    prediction = undefined;
    setTimeout(() => void join(), 1000);
  });
}

/** What the player wants, for one step. */
function wish() {
  const { x, y } = direction();
  const tag = tags;
  tags = false;
  return { x: Math.round(100 * x), y: Math.round(100 * y), tag };
}

function direction() {
  let [x, y] = [0, 0];
  for (const code of pressed) {
    x += KEYS[code][0];
    y += KEYS[code][1];
  }
  const me = prediction.positionOf(room.state.players.get(room.sessionId));
  if (pointer && Math.hypot(pointer.x - me.x, pointer.y - me.y) > 10) {
    [x, y] = [pointer.x - me.x, pointer.y - me.y];
  }
  const length = Math.hypot(x, y) || 1;
  return { x: x / length, y: y / length };
}

function draw(now) {
  requestAnimationFrame(draw);
  if (!prediction || !room?.state.players.has(room.sessionId)) return;
  prediction.frame(now, wish);
  const { color } = getComputedStyle(canvas);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.textAlign = "center";
  context.font = "600 14px system-ui, sans-serif";
  room.state.players.forEach((player, id) => {
    const { x, y } = prediction.positionOf(player);
    context.fillStyle = `hsl(${player.hue} 70% 55%)`;
    context.beginPath();
    context.arc(x, y, 16, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = color;
    context.fillText(`${player.name}${id === room.sessionId ? " (you)" : ""} ${player.tags}`, x, y - 24);
    const waved = (now - (rings.get(id) ?? Number.NEGATIVE_INFINITY)) / RING_MS;
    if (waved > 1) return;
    context.strokeStyle = `hsl(${player.hue} 70% 55% / ${1 - waved})`;
    context.lineWidth = 4;
    context.beginPath();
    context.arc(x, y, 16 + 40 * waved, 0, 2 * Math.PI);
    context.stroke();
  });
}

const wave = () => room?.send("wave");
document.getElementById("wave").addEventListener("click", wave);
addEventListener("keydown", (event) => {
  if (event.code in KEYS) pressed.add(event.code);
  else if (event.code === "KeyE") wave();
  else if (event.code === "Space" && event.target.tagName !== "BUTTON") tags ||= !event.repeat;
  else return;
  event.preventDefault();
});
addEventListener("keyup", (event) => pressed.delete(event.code));
addEventListener("blur", () => pressed.clear());
const point = (event) => {
  const box = canvas.getBoundingClientRect();
  pointer = {
    x: ((event.clientX - box.left) / box.width) * canvas.width,
    y: ((event.clientY - box.top) / box.height) * canvas.height,
  };
};
canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  point(event);
});
canvas.addEventListener("pointermove", (event) => pointer && point(event));
for (const type of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(type, () => {
    pointer = undefined;
  });
}
requestAnimationFrame(draw);
void join();
