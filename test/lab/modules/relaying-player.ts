// A player who relays for others: joins games by their invites, and says as JSON lines what comes of it. Leaves on SIGTERM, with a word.
import { type RelayingState, SallyportClient } from "../../../sdk/src/doors/client.ts";
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
const rooms = await Promise.all(
  invites.map(async (invite, game) => {
    const onChange = (state: RelayingState): void => say({ event: "relaying", game, ...state });
    const client = await SallyportClient.fromInvite(invite, {
      ...invitesFromEnvironment(),
      relayForOthers: { kbps, gb, onChange },
    });
    const room = await client.joinOrCreate("arena", { name: "Relay" });
    room.onMessage("*", () => {});
    say({ event: "joined", game, path: room.path.kind });
    return room;
  }),
);
say({ event: "ready" });
process.on("SIGTERM", () => {
  void Promise.all(rooms.map((room) => room.leave())).then(() => {
    say({ event: "left" });
    process.exit(0);
  });
});
