// Players behind one address, all in one process, who come back by themselves when their game ends.
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";

export interface SchoolArgs {
  url: string;
  players: number;
}

export interface SchoolEvent {
  /** `in`: all have joined. `back`: all have joined again. */
  event: "in" | "back";
  /** Since the first of them noticed that its game had ended. */
  ms: number;
  /** How many came by which path. */
  paths: Record<string, number>;
  /** Of those that are not there by UDP. */
  reasons: string[];
}

const { url, players } = JSON.parse(process.argv[2] ?? "{}") as SchoolArgs;
const RETRY_MS = 500;
/** A machine that plays all the players, and the host beside them, may be slow to answer. */
const UDP_TIMEOUT_MS = 30_000;
console.info = console.warn = () => {};

let dropped: number | undefined;
const back: SallyportRoom[] = [];

async function join(): Promise<SallyportRoom> {
  for (;;) {
    try {
      const room = await new SallyportClient(url, { udpTimeoutMs: UDP_TIMEOUT_MS }).joinOrCreate("arena", {
        name: "Pupil",
      });
      room.onMessage("*", () => {});
      return room;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function say(event: SchoolEvent["event"], rooms: readonly SallyportRoom[]): void {
  const paths: Record<string, number> = {};
  for (const { path } of rooms) paths[path.kind] = (paths[path.kind] ?? 0) + 1;
  const reasons = new Set(rooms.filter(({ path }) => path.kind !== "direct").map(({ path }) => path.reason));
  const ms = dropped === undefined ? 0 : Math.round(performance.now() - dropped);
  console.log(JSON.stringify({ event, ms, paths, reasons: [...reasons] } satisfies SchoolEvent));
}

const rooms = await Promise.all(Array.from({ length: players }, join));
for (const room of rooms) {
  room.onLeave(() => {
    dropped ??= performance.now();
    void join().then((joined) => {
      back.push(joined);
      if (back.length === players) say("back", back);
    });
  });
}
say("in", rooms);
process.stdin.resume();
process.stdin.once("end", () => process.exit(0));
