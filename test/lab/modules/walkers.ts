// Players of the arena, all in one process, who walk about and send 30 times a second; `forger`: one more, who falls silent when a
// line "mute" is read, and whose next datagrams leave when lines "send" are.
import { createInterface } from "node:readline";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";

export interface WalkersArgs {
  url: string;
  players: number;
  forger?: boolean;
}

/** Sends per second, and how often a walker turns. */
const HZ = 30;
const STEPS_PER_TURN = 20;
/** A server takes a player for one who may have moved once it was silent for 150 ms. */
const SILENCE_MS = 300;

const { url, players, forger = false } = JSON.parse(process.argv[2] ?? "{}") as WalkersArgs;
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

/** How many datagrams may still leave. */
let allowed = Number.POSITIVE_INFINITY;

const gated: typeof connectSession = (token, options) => {
  const socket = UDPSocket.open();
  const send = socket.send.bind(socket);
  socket.send = (data, port, address) => {
    if (allowed-- < 1) return true;
    if (allowed < 1000) say({ event: "sent", bytes: data.length });
    return send(data, port, address);
  };
  return connectSession(token, { ...options, socket });
};

const client = new SallyportClient(url, forger ? { connectSession: gated } : {});
const rooms = await Promise.all(Array.from({ length: players }, () => client.joinOrCreate("arena")));
const inputs = rooms.map((room) => room.input<{ x: number; y: number }>({ mode: "unreliable" }));
let step = 0;
setInterval(() => {
  step++;
  for (const [n, input] of inputs.entries()) {
    // Each round a square of its own, so that all are always on their way.
    const angle = ((Math.floor(step / STEPS_PER_TURN) + n) * Math.PI) / 2;
    Object.assign(input.data, { x: Math.round(100 * Math.cos(angle)), y: Math.round(100 * Math.sin(angle)) });
    input.send();
  }
}, 1000 / HZ);
say({ event: "walking", paths: rooms.map(({ path }) => path.kind) });

createInterface(process.stdin).on("line", (line) => {
  if (line === "mute") {
    allowed = 0;
    setTimeout(() => say({ event: "silent" }), SILENCE_MS);
  } else if (line === "send") {
    allowed = 1;
  }
});
