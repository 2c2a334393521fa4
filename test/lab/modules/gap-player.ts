// A player who watches for gaps: asks and is answered all the time, says where its packets go, and at the end the longest silence.
import { SallyportClient } from "../../../sdk/src/doors/client.ts";
import { invitesFromEnvironment } from "../../../sdk/src/doors/rendezvous.ts";
import { listenToTrace } from "../../../sdk/src/doors/sallyport.ts";

const say = (value: object): void => console.log(JSON.stringify(value));
// Which ways answer.
const answered = new Set<unknown>();
listenToTrace(["ice"], ({ event, fields }) => {
  if (event !== "pair-answered") return;
  answered.add(fields["remote"]);
  say({ event: "pairs", remotes: [...answered].join(" ") });
});

const { invite, everyMs = 20 } = JSON.parse(process.argv[2] ?? "{}") as { invite: string; everyMs?: number };
const client = await SallyportClient.fromInvite(invite, invitesFromEnvironment());
const room = await client.joinOrCreate("arena", { name: "Gap" });
let sent = 0;
let received = 0;
let heardAt = performance.now();
let longestGapMs = 0;
const heard = (): void => {
  const now = performance.now();
  longestGapMs = Math.max(longestGapMs, now - heardAt);
  heardAt = now;
};
room.onMessage("*", (type) => {
  if (type === "pong") received++;
  if (type === "probed" || type === "pong") heard();
});
room.onPathChange(({ kind, remote }) => say({ event: "path", kind, remote }));
room.onLeave((code, reason) => say({ event: "over", code, reason }));
const timer = setInterval(() => {
  room.send("ping", { n: ++sent });
  room.sendUnreliable("probe", { n: sent });
}, everyMs);
say({ event: "joined", kind: room.path.kind, remote: room.path.remote });
// A line asks for the longest gap since the last one, and for what is lost.
process.stdin.setEncoding("utf8").on("data", (text: string) => {
  if (text.startsWith("end")) {
    clearInterval(timer);
    setTimeout(() => {
      say({ event: "end", longestGapMs: Math.round(longestGapMs), sent, received });
      void room.leave().then(() => process.exit(0));
    }, 1500);
    return;
  }
  say({ event: "gap", longestGapMs: Math.round(longestGapMs) });
  longestGapMs = 0;
  heardAt = performance.now();
});
