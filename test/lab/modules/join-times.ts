// Joins by invite, one after another, in one process: how long each took, and by which path.
import { SallyportClient } from "sallyport/client";

const { invites, relays, stunServers, joins } = JSON.parse(process.argv[2] ?? "{}") as {
  invites: string[];
  relays: string[];
  stunServers: string[];
  joins: number;
};

const times: { ms: number; kind: string }[] = [];
for (let i = 0; i < joins; i++) {
  const began = performance.now();
  const client = await SallyportClient.fromInvite(invites[i % invites.length] ?? "", { relays, stunServers });
  const room = await client.joinOrCreate("arena", { name: "Bot" });
  times.push({ ms: Math.round(performance.now() - began), kind: room.path.kind });
  await room.leave();
}
console.log(JSON.stringify(times));
process.exit(0);
