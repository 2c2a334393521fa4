// A player who relays for others: joins games by their invites, and says as JSON lines what comes of it. Leaves on SIGTERM, with a word.
import { type RelayingState, SallyportClient, type SallyportRoom } from "../../../sdk/src/doors/client.ts";
import { invitesFromEnvironment } from "../../../sdk/src/doors/rendezvous.ts";

const {
  invites,
  kbps = 20_000,
  gb = 1,
} = JSON.parse(process.argv[2] ?? "{}") as {
  invites: string[];
  kbps?: number;
  gb?: number;
};
const say = (value: object): void => console.log(JSON.stringify(value));
const rooms: SallyportRoom[] = [];
// One after the other: each has a relay of its own, whose ports the one router forwards one by one.
for (const [game, invite] of invites.entries()) {
  const onChange = (state: RelayingState): void => say({ event: "relaying", game, ...state });
  const client = await SallyportClient.fromInvite(invite, {
    ...invitesFromEnvironment(),
    relayForOthers: { kbps, gb, onChange },
  });
  const room = await client.joinOrCreate("arena", { name: "Relay" });
  room.onMessage("*", () => {});
  say({ event: "joined", game, path: room.path.kind });
  rooms.push(room);
}
say({ event: "ready" });
process.on("SIGTERM", () => {
  void Promise.all(rooms.map((room) => room.leave())).then(() => {
    say({ event: "left" });
    process.exit(0);
  });
});
