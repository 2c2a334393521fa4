/** By what an invited player says, on ICE's simulated internet. */
import { type IceCandidate, localCandidate } from "../../../sdk/src/ice/candidate.ts";
import { CheckCredentials } from "../../../sdk/src/ice/check-message.ts";
import { newIceCredentials } from "../../../sdk/src/ice/credentials.ts";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { UnansweredBudget } from "../../../sdk/src/net/unanswered-budget.ts";
import { UnprovenAddress } from "../../../sdk/src/net/unproven-address.ts";
import { encodeInviteTunnelMessage, type InviteTunnelMessage } from "../../../sdk/src/rendezvous/wire/invite-tunnel.ts";
import { Clock } from "../../unit/ice/network.ts";
import { type Player, World } from "../../unit/ice/player.ts";
import type { Row } from "./row.ts";

const VICTIM = "9.9.9.9";
const MINUTES = 10;
const PATHS = 8;
const CANDIDATES = 32;
/** What one round of guessing tries. */
const GUESSES = 1024;

const candidates = (count: number): IceCandidate[] =>
  Array.from({ length: count }, (_, n) => localCandidate("reflexive", { address: VICTIM, port: 2_000 + n }));

/** A host, and one introduction's share of what it sends. */
class Target {
  readonly world: World;
  readonly budget: UnansweredBudget = new UnansweredBudget();
  readonly introduction = this.budget.introduction(new UnprovenAddress());
  said = 0;
  got = 0;

  constructor(seed: number) {
    this.world = new World(new Clock(seed));
    this.world.internet.attach(VICTIM, ({ data }) => (this.got += data.length));
  }

  /** The guest says this through the mailbox. */
  hear(message: InviteTunnelMessage): void {
    const { length } = encodeInviteTunnelMessage(message);
    this.said += length;
    this.introduction.heard(length);
  }

  player(): Player {
    const { host } = this.world.home("port-restricted");
    return this.world.player(host, { role: "controlled", budget: this.introduction });
  }

  run(ms: number): void {
    this.world.clock.run(ms);
  }
}

function named(paths: number): Row {
  const target = new Target(paths);
  for (let id = 1; id <= paths; id++) {
    const player = target.player();
    player.gather(null);
    const ice = newIceCredentials((bytes) => target.world.clock.bytes(bytes));
    target.hear({ type: "path", id, ice, candidates: candidates(CANDIDATES) });
    player.do((agent, now) => agent.setRemoteCredentials(ice, now));
    for (const each of candidates(CANDIDATES)) player.do((agent, now) => agent.addRemoteCandidate(each, now));
  }
  target.run(MINUTES * 60_000);
  const { said, got } = target;
  return {
    what: `candidates that an invited player names: ${paths} ${paths === 1 ? "path" : "paths"} of ${CANDIDATES}`,
    said,
    got,
    held: "3 bytes for each that was said; 64 packets and 2/s to one address, 256 and 20/s of one introduction",
  };
}

/** The player's own path works, over a relay alone, and says what players say: the host may guess ports. */
function relayed(): Row {
  const target = new Target(3);
  const { world } = target;
  const host = target.player();
  const guest = world.player(world.home("blocked").host, { role: "controlling" });
  const { allocation } = guest;
  if (allocation === null) throw new Error("there is no relay");
  const { send } = allocation;
  // Of what it says over its relay all that goes to the host counts.
  allocation.send = (data, address, port) => {
    target.said += data.length;
    send(data, address, port);
  };
  world.introduce(guest, host);
  target.hear({ type: "path", id: 1, ice: guest.agent.localCredentials, candidates: candidates(2) });
  for (const each of candidates(2)) host.do((agent, now) => agent.addRemoteCandidate(each, now));
  target.run(3_000);
  if (host.agent.path?.kind !== "relayed") throw new Error("the path is not relayed");
  guest.chat(50);
  const guesses: Endpoint[] = candidates(GUESSES);
  for (const { address, port } of guesses) {
    host.do((agent, now) => agent.knock("socket", address, port, now));
    target.run(10);
  }
  target.run(60_000);
  const { said, got } = target;
  return {
    what: "the same by a player whose relayed path works, with port guessing",
    said,
    got,
    held: "the same; ports are guessed only where the player has answered",
  };
}

/** Its check is authentic, and its source somebody else's. */
function forged(): Row {
  const target = new Target(5);
  const { world } = target;
  const host = target.player();
  const guest = world.player(world.home("public").host, { role: "controlling" });
  world.introduce(guest, host);
  target.run(3_000);
  const credentials = new CheckCredentials(guest.agent.localCredentials);
  credentials.remote = host.agent.localCredentials;
  const fields = { role: "controlling", tieBreaker: 1n, priority: 1, nomination: 1 } as const;
  for (let n = 0; n < 5; n++) {
    const check = credentials.request(fields, world.clock.bytes(12));
    target.said += check.length;
    host.do((agent, now) => agent.receive(check, "socket", VICTIM, 53, now));
    target.run(2_000);
  }
  target.run(60_000);
  const { said, got } = target;
  return {
    what: "an invited player's connectivity check from a forged source",
    said,
    got,
    held: "3 bytes for each from there, answers counted",
  };
}

export const iceRows = (): Row[] => [named(1), named(PATHS), relayed(), forged()];
