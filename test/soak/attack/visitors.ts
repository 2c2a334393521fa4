// Players who come, play for some seconds, and go, evenly over each minute: by address over UDP, over WebSocket, by invite, and such
// as vanish without a word.
import { setTimeout as sleep } from "node:timers/promises";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { walkIn } from "./walk.ts";

export interface VisitorsArgs {
  url: string;
  invite: string;
  perMinute: number;
  minutes: number;
}

export interface VisitorsReport extends Record<string, unknown> {
  event: "visited";
  inside: number;
  refused: number;
  vanished: number;
  /** How many took each. */
  paths: Record<string, number>;
  /** Why some did not get in. */
  reasons: Record<string, number>;
}

/** How long one stays. */
const LEAST_MS = 3_000;
const MOST_MS = 40_000;
const HZ = 20;
/** A host gives a silent player up after 10 s. */
const GIVEN_UP_MS = 15_000;

const { url, invite, perMinute, minutes } = JSON.parse(process.argv[2] ?? "{}") as VisitorsArgs;
// Colyseus' client comments on what goes wrong.
console.warn = (): void => {};
console.info = (): void => {};

const report: VisitorsReport = { event: "visited", inside: 0, refused: 0, vanished: 0, paths: {}, reasons: {} };
const count = (counts: Record<string, number>, key: string): number => (counts[key] = (counts[key] ?? 0) + 1);

type Kind = "udp" | "websocket" | "invite" | "vanishes";
const KINDS: readonly Kind[] = ["udp", "websocket", "invite", "vanishes"];

async function visit(kind: Kind): Promise<void> {
  let isMute = false;
  const mutable: typeof connectSession = (token, options) => {
    const socket = UDPSocket.open();
    const send = socket.send.bind(socket);
    socket.send = (data, port, address) => isMute || send(data, port, address);
    return connectSession(token, { ...options, socket });
  };
  try {
    const client =
      kind === "invite"
        ? await SallyportClient.fromInvite(invite)
        : new SallyportClient(url, {
            udp: kind !== "websocket",
            ...(kind === "vanishes" && { connectSession: mutable }),
          });
    const room = await client.joinOrCreate("arena", { name: "Visitor" });
    room.reconnection.enabled = false;
    let n = 0;
    const walk = walkIn(room);
    const play = setInterval(() => {
      walk();
      if (++n % 5 === 0) room.send("ping", { n });
    }, 1000 / HZ);
    await sleep(LEAST_MS + Math.random() * (MOST_MS - LEAST_MS));
    report.inside++;
    count(report.paths, room.path.kind);
    if (kind === "vanishes") {
      isMute = true;
      report.vanished++;
      await sleep(GIVEN_UP_MS);
    }
    clearInterval(play);
    if (room.connection.isOpen) await Promise.race([room.leave(), sleep(2_000)]);
  } catch (error) {
    report.refused++;
    count(report.reasons, `${kind}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const visits: Promise<void>[] = [];
for (let n = 0; n < perMinute * minutes; n++) {
  visits.push(visit(KINDS[n % KINDS.length] ?? "udp"));
  await sleep(60_000 / perMinute);
}
await Promise.all(visits);
console.log(JSON.stringify(report));
process.exit(0);
