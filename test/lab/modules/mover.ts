// A player of the arena, by address or by invite, who asks something reliably many times a second and tells how long the longest time
// without an answer was, and how it is connected.
import { createInterface } from "node:readline";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";

export interface MoverArgs {
  url?: string;
  invite?: string;
}

export interface MoverReport extends Record<string, unknown> {
  event: "report";
  sent: number;
  answered: number;
  inOrder: boolean;
  longestMs: number;
  path: string;
  remote: string;
}

const EVERY_MS = 20;

const { url, invite } = JSON.parse(process.argv[2] ?? "{}") as MoverArgs;
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const client = invite === undefined ? new SallyportClient(url) : await SallyportClient.fromInvite(invite);
const room = await client.joinOrCreate("arena");
room.reconnection.enabled = false;
let sent = 0;
let answered = 0;
let inOrder = true;
let answeredAt = performance.now();
let longestMs = 0;
room.onMessage("pong", ({ n }: { n: number }) => {
  if (n !== ++answered) inOrder = false;
  longestMs = Math.max(longestMs, performance.now() - answeredAt);
  answeredAt = performance.now();
});
room.onLeave((code: number) => say({ event: "left", code }));
const timer = setInterval(() => room.send("ping", { n: ++sent }), EVERY_MS);
say({ event: "joined", path: room.path.kind });
createInterface(process.stdin).on("line", (line) => {
  if (line === "report") {
    const { kind: path, remote } = room.path;
    say({ event: "report", sent, answered, inOrder, longestMs, path, remote } satisfies MoverReport);
    longestMs = 0;
  } else if (line === "stop") clearInterval(timer);
});
