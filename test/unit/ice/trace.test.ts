import { expect, test } from "vitest";
import { candidatePriority, localCandidate } from "../../../sdk/src/ice/candidate.ts";
import { CandidatePair } from "../../../sdk/src/ice/pair.ts";
import { choosePair, whyChosen } from "../../../sdk/src/ice/selection.ts";
import { traced } from "../traced.ts";
import { Clock, type Packet } from "./network.ts";
import { type Home, type Player, World } from "./player.ts";

function game(otherHome: Home = "port-restricted"): { world: World; clock: Clock; one: Player; other: Player } {
  const clock = new Clock(3);
  const world = new World(clock);
  const one = world.player(world.home("port-restricted").host, { role: "controlling" });
  const other = world.player(world.home(otherHome).host, { role: "controlled" });
  world.introduce(one, other);
  return { world, clock, one, other };
}

/** The lines of one agent, without its number. */
function of(lines: readonly string[], { agent }: Player): string[] {
  const [name = ""] = lines
    .filter((line) => line.includes(`role=${agent.role}`))
    .flatMap((line) => /peer=\d+/.exec(line) ?? []);
  return lines.filter((line) => line.includes(`${name} `)).map((line) => line.replace(`${name} `, ""));
}

const relay = ({ from, to }: Packet): boolean => from.address === "11.0.0.2" || to.address === "11.0.0.2";

test("a trace tells candidates, pairs, and why each path was taken and left", () => {
  const lines = traced("ice");
  const { world, clock, one, other } = game();
  world.internet.filter = relay;
  const kindIs = (kind: string) => (): boolean => [one, other].every(({ agent }) => agent.path?.kind === kind);
  expect(clock.run(1000, kindIs("relayed"))).toBe(true);
  one.chat(50);
  other.chat(50);
  clock.run(30_000);
  world.internet.filter = null;
  expect(clock.run(5000, kindIs("punched"))).toBe(true);
  clock.run(5000);
  expect(one.agent.pairs().find(({ selected }) => selected)?.why).toBe("more-direct");
  world.internet.filter = relay;
  expect(clock.run(5000, kindIs("relayed"))).toBe(true);

  const told = of(lines, one);
  expect(
    told.filter((line) => line.startsWith("path ")).map((line) => /kind=(\S+).* why=(\S+)/.exec(line)?.slice(1)),
  ).toEqual(
    expect.arrayContaining([
      ["relayed", "first-answer"],
      ["punched", "more-direct"],
      ["relayed", "old-silent"],
    ]),
  );
  const paths = of(lines, other).filter((line) => line.startsWith("path "));
  expect(paths.some((line) => line.includes("why=nominated"))).toBe(true);
  for (const line of [
    /^local-candidate type=host at=192\.168\.\d\.10:\d+ priority=\d+ via=socket$/,
    /^local-candidate type=relayed at=11\.0\.0\.2:\d+ priority=\d+ via=relay$/,
    /^remote-candidate type=reflexive at=11\.1\.\d\.2:\d+ priority=\d+$/,
    /^candidate-refused type=host at=192\.168\.\d\.10:\d+ priority=\d+ scope=private reason=not-on-a-shared-network$/,
    /^state state=connected was=checking$/,
    /^pair-checked via=socket remote=11\.1\.\d\.2:\d+ remoteType=reflexive$/,
    /^pair-failed via=socket remote=11\.1\.\d\.2:\d+ remoteType=reflexive checks=\d+ reason=no-answer$/,
    /^pair-answered via=socket remote=11\.1\.\d\.2:\d+ remoteType=reflexive localType=reflexive rttMs=\d+ checks=\d+$/,
    /^nominated via=socket .* by=us nomination=\d+$/,
    /^pair-silent via=socket .* inUse=true$/,
  ]) {
    expect(told).toContainEqual(expect.stringMatching(line));
  }
  // Once, though each further candidate has it looked at again.
  expect(told.filter((line) => line.startsWith("candidate-refused"))).toHaveLength(1);
  for (const { agent } of [one, other]) {
    for (const secret of Object.values(agent.localCredentials)) expect(lines.join("\n")).not.toContain(secret);
  }
});

test("a trace of half a minute's play is as long as what happened, not as the packets", () => {
  const { clock, one, other } = game();
  clock.run(5000);
  const lines = traced("ice");
  one.chat(20);
  other.chat(20);
  clock.run(30_000);
  expect(one.received.length).toBeGreaterThan(1000);
  expect(lines.length).toBeLessThan(20);
});

test("nobody there: each pair has failed, and consent expires at last", () => {
  const lines = traced("ice");
  const { clock, one, other, world } = game();
  expect(clock.run(5000, () => one.agent.path !== null)).toBe(true);
  clock.run(5000);
  world.internet.filter = () => false;
  other.agent.close();
  clock.run(60_000);
  const told = of(lines, one);
  expect(told).toContainEqual(expect.stringMatching(/^consent-expired /));
  expect(told).toContainEqual(expect.stringMatching(/^path-lost was="(punched|relayed) /));
  expect(told).toContain("state state=failed was=connected");
});

test("a peer that moves is followed, and told to have moved", () => {
  const lines = traced("ice");
  const { clock, one, other, world } = game("public");
  clock.run(5000);
  one.chat(50);
  other.chat(50);
  clock.run(1000);
  world.nats.get(one.host)?.renumber("11.77.0.2");
  expect(clock.run(5000, () => other.agent.path?.remote.address === "11.77.0.2")).toBe(true);
  expect(lines.some((line) => /^path .*remote=11\.77\.0\.2.*why=peer-moved/.test(line))).toBe(true);
});

test("of two ways of a kind the shorter, and of two that are gone the one that is left", () => {
  const pairOf = (port: number, rttMs: number): CandidatePair => {
    const at = { address: "11.0.0.9", port };
    const candidate = {
      ...localCandidate("host", at),
      signalled: true,
      foundAt: 0,
      unproven: undefined,
      mayAsk: Number.POSITIVE_INFINITY,
      asked: 0,
    };
    const pair = new CandidatePair("socket", candidate, candidatePriority("host"), "host", 0);
    for (let n = 0; n < 3; n++) pair.confirm(100 * n, 100 * n + rttMs);
    return pair;
  };
  const [far, near] = [pairOf(1, 90), pairOf(2, 20)];
  const now = 1000;
  expect(choosePair([far, near], far, now)).toBe(near);
  expect(whyChosen(near, far, { isListed: true, isNominated: false, now })).toBe("shorter-rtt");
  expect(whyChosen(near, far, { isListed: false, isNominated: false, now })).toBe("old-gone");
});
