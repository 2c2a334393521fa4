// A stranger who holds TCP connections to a game and does nothing useful with them: silent ones, headers and bodies that trickle, and
// WebSockets without a seat. One that the server closes is opened again, until standard input ends.
import { connect, type Socket } from "node:net";

export interface IdleArgs {
  address: string;
  port: number;
  /** How many at once. */
  connections: number;
  /** Addresses of this machine, taken in turn. */
  from: readonly string[];
}

/** Printed each second, and at the end. */
export interface IdleReport extends Record<string, unknown> {
  event: "held";
  /** Open now, of those that were ever opened. */
  open: number;
  opened: number;
  /** WebSockets whose upgrade was answered. */
  upgraded: number;
}

const HEAD = "Host: game\r\nContent-Type: application/json\r\n";
const UPGRADE = `${HEAD}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c3RyYW5nZXJzdHJhbmdlcg==\r\n\r\n`;
/** What each kind says at first, and then each second. */
const KINDS: readonly { first: string; again: string }[] = [
  { first: "", again: "" },
  { first: `GET / HTTP/1.1\r\n${HEAD}`, again: "X-A: b\r\n" },
  { first: `POST /matchmake/joinOrCreate/arena HTTP/1.1\r\n${HEAD}Content-Length: 4000\r\n\r\n{`, again: " " },
  { first: `GET /process/room?sessionId=nobody HTTP/1.1\r\n${UPGRADE}`, again: "" },
];
/** Between two tries of one that was closed. */
const AGAIN_MS = 250;

const { address, port, connections, from } = JSON.parse(process.argv[2] ?? "{}") as IdleArgs;
const sockets = new Set<Socket>();
let opened = 0;
let upgraded = 0;
let ended = false;

function hold(index: number): void {
  if (ended) return;
  const kind = KINDS[index % KINDS.length] ?? { first: "", again: "" };
  const localAddress = from[Math.floor(index / KINDS.length) % from.length];
  const socket = connect({ host: address, port, ...(localAddress === undefined ? {} : { localAddress }) });
  const trickle = setInterval(() => socket.write(kind.again), 1000);
  sockets.add(socket);
  socket.on("connect", () => {
    opened++;
    socket.write(kind.first);
  });
  socket.on("data", (data) => {
    if (data.includes("101 Switching")) upgraded++;
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    clearInterval(trickle);
    sockets.delete(socket);
    setTimeout(() => hold(index), AGAIN_MS);
  });
}

const report = (): void => {
  const open = [...sockets].filter(({ readyState }) => readyState === "open").length;
  console.log(JSON.stringify({ event: "held", open, opened, upgraded } satisfies IdleReport));
};
for (let index = 0; index < connections; index++) hold(index);
setInterval(report, 1000);
process.stdin.resume().once("end", () => {
  ended = true;
  report();
  for (const socket of sockets) socket.destroy();
  process.exit();
});
