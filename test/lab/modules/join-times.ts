// Joins by invite, one after another, in one process: how long each took and its parts, and by which path.
import { SallyportClient } from "sallyport/client";

const { invites, relays, stunServers, joins } = JSON.parse(process.argv[2] ?? "{}") as {
  /** They take turns. */
  invites: string[];
  relays: string[];
  stunServers: string[];
  /** By each of them. */
  joins: number;
};

/** All in ms since the invite was taken. */
interface JoinTime {
  /** Index of the invite. */
  invite: number;
  /** The host has answered. */
  introduced: number;
  /** A seat is reserved; the connect token is asked for. */
  seat: number;
  /** The path is dialed. */
  dialed: number;
  ms: number;
  kind: string;
}

const times: JoinTime[] = [];
for (let i = 0; i < joins * invites.length; i++) {
  const invite = i % invites.length;
  const began = performance.now();
  const since = (): number => Math.round(performance.now() - began);
  const stages = new Map<string, number>();
  const client = await SallyportClient.fromInvite(invites[invite] ?? "", {
    relays,
    stunServers,
    onProgress: ({ stage }) => void (stages.has(stage) || stages.set(stage, since())),
  });
  const introduced = since();
  const room = await client.joinOrCreate("arena", { name: "Bot" });
  const { token: seat = 0, udp: dialed = 0 } = Object.fromEntries(stages);
  times.push({ invite, introduced, seat, dialed, ms: since(), kind: room.path.kind });
  await room.leave();
}
console.log(JSON.stringify(times));
process.exit(0);
