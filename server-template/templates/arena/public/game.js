// A player in the browser, in the same room as those who come by UDP: on the server's own page by Colyseus' own client, and with an
// invite, on whatever page, by Sallyport's over WebRTC.
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
/** Others are drawn this long ago, between two positions that are known: smooth, whatever the network does. */
const DELAY_MS = 100;
const WAVE_MS = 1200;

const canvas = document.getElementById("field");
const context = canvas.getContext("2d");
const status = document.getElementById("status");
const pressed = new Set();
/** Per player the positions of late: `{ at, x, y }`. */
const tracks = new Map();
const waves = new Map();
let pointer;
let room;
let n = 0;

/** What stands behind the link's #, or was typed; `npm run build:page` makes a page that has no server of its own. */
let invite = location.hash.slice(1);
const isHosted = typeof Colyseus !== "undefined";
const form = document.getElementById("join");
form.addEventListener("submit", (event) => {
  event.preventDefault();
  invite = document.getElementById("invite").value.trim();
  void join();
});

async function clientFor(invited) {
  if (!invited) return new Colyseus.Client(location.origin);
  const { SallyportBrowserClient } = await import("./sallyport/sallyport.js");
  const { relays, stunServers } = globalThis.settings ?? {};
  return await SallyportBrowserClient.fromInvite(invited, { relays, stunServers });
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
  room.onMessage("wave", ({ from }) => waves.set(from, performance.now()));
  room.onStateChange((state) => {
    const at = performance.now();
    for (const id of tracks.keys()) if (!state.players.has(id)) tracks.delete(id);
    state.players.forEach(({ x, y }, id) => {
      const track = tracks.get(id) ?? [];
      track.push({ at, x, y });
      while (track.length > 2 && track[1].at < at - 1000) track.shift();
      tracks.set(id, track);
    });
    document.documentElement.dataset.players = state.players.size;
  });
  room.onLeave(() => {
    status.textContent = "The server has gone. Trying again …";
    room = undefined;
    tracks.clear();
    setTimeout(() => void join(), 1000);
  });
}

/** Where somebody was at a moment, between the two known positions around it. */
function positionOf(track, at) {
  let i = track.length - 1;
  while (i > 0 && track[i].at > at) i--;
  const [from, to] = [track[i], track[i + 1] ?? track[i]];
  const share = to.at > from.at ? Math.min(1, Math.max(0, (at - from.at) / (to.at - from.at))) : 0;
  return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
}

function direction() {
  let [x, y] = [0, 0];
  for (const code of pressed) {
    x += KEYS[code][0];
    y += KEYS[code][1];
  }
  const me = room.state?.players?.get(room.sessionId); // not before the first state
  if (pointer && me && Math.hypot(pointer.x - me.x, pointer.y - me.y) > 10) {
    [x, y] = [pointer.x - me.x, pointer.y - me.y];
  }
  const length = Math.hypot(x, y) || 1;
  return { x: x / length, y: y / length };
}

function draw(now) {
  requestAnimationFrame(draw);
  const { color } = getComputedStyle(canvas);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.textAlign = "center";
  context.font = "600 14px system-ui, sans-serif";
  room?.state?.players?.forEach((player, id) => {
    const track = tracks.get(id);
    if (!track) return;
    const { x, y } = positionOf(track, now - DELAY_MS);
    context.fillStyle = `hsl(${player.hue} 70% 55%)`;
    context.beginPath();
    context.arc(x, y, 16, 0, 2 * Math.PI);
    context.fill();
    context.fillStyle = color;
    context.fillText(`${player.name}${id === room.sessionId ? " (you)" : ""}`, x, y - 24);
    const waved = (now - (waves.get(id) ?? Number.NEGATIVE_INFINITY)) / WAVE_MS;
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
  else if (event.code === "Space" && event.target.tagName !== "BUTTON") wave();
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
setInterval(() => room && room.send("move", { n: ++n, ...direction() }), 50);
requestAnimationFrame(draw);
void join();
