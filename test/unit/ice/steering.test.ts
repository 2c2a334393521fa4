// A peer who names somebody else's addresses. That somebody counts, and never answers.
import { expect, test } from "vitest";
import { type IceCandidate, localCandidate } from "../../../sdk/src/ice/candidate.ts";
import { newIceCredentials } from "../../../sdk/src/ice/credentials.ts";
import { sharesNetwork } from "../../../sdk/src/ice/remote-policy.ts";
import { PER_DESTINATION, UnansweredBudget } from "../../../sdk/src/net/unanswered-budget.ts";
import { Clock, Host } from "./network.ts";
import { type Player, World } from "./player.ts";

const SECONDS = 35;
/** A few pauses are random by a tenth. */
const PACKETS = PER_DESTINATION.burst + PER_DESTINATION.perSecond * SECONDS + 1;
const random = { credentials: newIceCredentials() };

function name(player: Player, candidates: readonly IceCandidate[]): void {
  player.do((agent, now) => agent.setRemoteCredentials(random.credentials, now));
  for (const candidate of candidates) player.do((agent, now) => agent.addRemoteCandidate(candidate, now));
}

function ports(address: string, count = 32): IceCandidate[] {
  return Array.from({ length: count }, (_, i) => localCandidate("reflexive", { address, port: 2_000 + i }));
}

test.each([1, 8])("of a stranger, on %i paths of 32 candidates", (paths) => {
  const world = new World(new Clock(3));
  const budget = new UnansweredBudget();
  const introduction = budget.introduction();
  let bytes = 0;
  let packets = 0;
  world.internet.attach("9.9.9.9", ({ data }) => {
    packets++;
    bytes += data.length;
  });
  for (let i = 0; i < paths; i++) {
    const player = world.player(world.home("port-restricted").host, { role: "controlled", budget: introduction });
    player.gather(null);
    name(player, ports("9.9.9.9"));
  }
  world.clock.run(SECONDS * 1_000);
  expect(packets).toBeGreaterThan(0);
  expect(packets).toBeLessThanOrEqual(PACKETS);
  expect(bytes).toBeLessThan(PACKETS * 150);
});

test("of our own network, behind what it says is our public address: three checks for each, and no more", () => {
  const world = new World(new Clock(5));
  const { lan } = world.lan({ filtering: "address-and-port-dependent" });
  const host = new Host(lan, "192.168.1.10");
  const player = world.player(host, { role: "controlled", allowRemote: sharesNetwork });
  player.gather({ address: "11.1.1.2", port: 7 });
  let seen = 0;
  for (const address of ["192.168.1.1", "192.168.1.20", "192.168.7.1"]) lan.attach(address, () => seen++);
  name(player, [
    localCandidate("reflexive", { address: "11.1.1.2", port: 9 }),
    localCandidate("host", { address: "192.168.1.1", port: 53 }),
    localCandidate("host", { address: "192.168.1.20", port: 161 }),
    localCandidate("host", { address: "192.168.7.1", port: 53 }),
    localCandidate("host", { address: "127.0.0.1", port: 53 }),
  ]);
  world.clock.run(120_000);
  player.do((agent, now) => agent.networkChanged(now));
  world.clock.run(60_000);
  expect(seen).toBe(6);
});
