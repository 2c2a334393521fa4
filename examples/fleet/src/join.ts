// A player: node src/join.ts [--name NAME] [--room ID | --new] URL…   Any process of the fleet will do to ask; the room may be in another.
import { parseArgs } from "node:util";
import { CloseCode } from "@colyseus/sdk";
import { SallyportClient, type SallyportRoom } from "sallyport/client";
import type { HallRoom } from "./server.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    room: { type: "string" },
    new: { type: "boolean", default: false },
    name: { type: "string", default: "ann" },
  },
});
const urls = positionals.length > 0 ? positionals : ["http://127.0.0.1:2567"];
const say = (event: string, details: object): void => console.log(JSON.stringify({ event, ...details }));
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

type Hall = SallyportRoom<HallRoom, HallRoom["state"]>;

/** Asks one process after the other until one has a seat: in the room that is named, in a new one, or in whatever room there is. */
async function join(roomId?: string, isNew = false): Promise<Hall> {
  for (let attempt = 0; ; attempt++) {
    const client = new SallyportClient(urls[attempt % urls.length], { udpTimeoutMs: 2500 });
    try {
      if (isNew) return await client.create<HallRoom>("hall", { name: values.name });
      if (roomId === undefined) return await client.joinOrCreate<HallRoom>("hall", { name: values.name });
      return await client.joinById<HallRoom>(roomId, { name: values.name });
    } catch (error) {
      say("refused", { reason: String(error) });
      if (attempt >= 20) throw error;
      await wait(250);
    }
  }
}

let room: Hall;
async function play(roomId?: string, isNew?: boolean): Promise<void> {
  room = await join(roomId, isNew);
  // A process that died keeps no seat: two tries, then somewhere else.
  Object.assign(room.reconnection, { maxRetries: 2, minUptime: 0, maxDelay: 500 });
  const { kind, remote, reason } = room.path;
  say("joined", { roomId: room.roomId, sessionId: room.sessionId, path: kind, remote, reason });
  room.onStateChange.once(({ process }) => say("state", { process }));
  room.onDrop((code) => say("dropped", { code }));
  room.onReconnect(() => say("reconnected", {}));
  room.onLeave((code) => {
    say("left", { code });
    if (code !== CloseCode.CONSENTED) void play();
  });
}

await play(values.room, values.new);
const steps = setInterval(() => {
  if (!room.connection.isOpen) return;
  room.send("step");
  say("steps", { roomId: room.roomId, steps: room.state.players?.get(room.sessionId)?.steps ?? 0 });
}, 200);
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  // npm passes on what the terminal has sent already: it may come twice.
  process.on(signal, () => {
    clearInterval(steps);
    // Between two rooms there is nobody to say goodbye to.
    void Promise.race([room.leave(), wait(1000)]).then(() => process.exit(0));
  });
}
