import { describe, expect, test } from "vitest";

import { candidatePriority, type IceCandidate, localCandidate } from "../../../sdk/src/ice/candidate.ts";
import { newIceCredentials } from "../../../sdk/src/ice/credentials.ts";
import { type IceAgentOptions } from "../../../sdk/src/ice/types.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { isStun, StunMessage } from "../../../sdk/src/stun/message.ts";
import { Clock, Host, type NatOptions, type Packet } from "./network.ts";
import { type Home, type Player, World, type WorldOptions } from "./player.ts";

const PORT_RESTRICTED: NatOptions = { filtering: "address-and-port-dependent" };
type Options = Partial<IceAgentOptions>;

interface Game {
  world: World;
  clock: Clock;
  one: Player;
  other: Player;
}

interface GameOptions {
  one?: Options;
  other?: Options;
  /** Default: behind a port-restricted translator. */
  otherHome?: Home;
  world?: WorldOptions;
  seed?: number;
}

/** Two players, introduced. */
function game(options: GameOptions = {}): Game {
  const clock = new Clock(options.seed ?? 3);
  const world = new World(clock, options.world);
  const one = world.player(world.home("port-restricted").host, { role: "controlling", ...options.one });
  const other = world.player(world.home(options.otherHome ?? "port-restricted").host, {
    role: "controlled",
    ...options.other,
  });
  world.introduce(one, other);
  return { world, clock, one, other };
}

function isPunched(...players: Player[]): boolean {
  return players.every(({ agent }) => agent.path?.kind === "punched");
}

function isDirect(...players: Player[]): boolean {
  return players.every(({ agent }) => agent.path !== null && agent.path.kind !== "relayed");
}

/** … and playing. */
function playing(options: GameOptions = {}): Game {
  const all = game(options);
  expect(all.clock.run(5000, () => isDirect(all.one, all.other))).toBe(true);
  all.one.chat(50);
  all.other.chat(50);
  all.clock.run(3000);
  return all;
}

/** The longest pause between what a player received since `since`. */
function longestGap({ received, clock }: Player, since: number): number {
  let last = since;
  let gap = 0;
  for (const { at } of received) {
    if (at < since) continue;
    gap = Math.max(gap, at - last);
    last = at;
  }
  return Math.max(gap, clock.now - last);
}

describe("roles", () => {
  test.each([
    ["controlling", 1n, 2n],
    ["controlling", 2n, 1n],
    ["controlling", 5n, 5n],
    ["controlled", 1n, 2n],
    ["controlled", 2n, 1n],
    ["controlled", 5n, 5n],
  ] as const)("both %s with tie-breakers %d and %d end with one of each", (role, a, b) => {
    const { clock, one, other } = game({ one: { role, tieBreaker: a }, other: { role, tieBreaker: b } });
    clock.run(3000);
    expect([one.agent.role, other.agent.role].sort()).toEqual(["controlled", "controlling"]);
    if (a !== b) expect(one.agent.role).toBe(a > b ? "controlling" : "controlled");
    expect(isPunched(one, other)).toBe(true);
  });
});

describe("selection", () => {
  test("the relay carries packets first, where it works first, and gives way to the direct path", () => {
    const { clock, one, other, world } = game();
    // Nothing but the relay's packets gets through.
    const internet = world.internet;
    internet.filter = ({ from, to }) => from.address === "11.0.0.2" || to.address === "11.0.0.2";
    expect(clock.run(1000, () => one.agent.path?.kind === "relayed" && other.agent.path?.kind === "relayed")).toBe(
      true,
    );
    one.chat(50);
    other.chat(50);
    clock.run(60_000);
    internet.filter = null;
    const opened = clock.now;
    expect(clock.run(5000, () => isPunched(one, other))).toBe(true);
    clock.run(5000);
    expect(isPunched(one, other)).toBe(true);
    expect(longestGap(one, opened)).toBeLessThan(120);
    expect(longestGap(other, opened)).toBeLessThan(120);
  });

  test("a direct path that dies gives way to the relay, and comes back", () => {
    const { clock, one, other, world } = playing();
    const died = clock.now;
    world.internet.filter = ({ from, to }) => from.address === "11.0.0.2" || to.address === "11.0.0.2";
    const relayed = (): boolean => one.agent.path?.kind === "relayed" && other.agent.path?.kind === "relayed";
    expect(clock.run(4000, relayed)).toBe(true);
    clock.run(20_000);
    expect(longestGap(one, died)).toBeLessThan(3500);
    expect(longestGap(other, died)).toBeLessThan(3500);
    world.internet.filter = null;
    expect(clock.run(5000, () => isPunched(one, other))).toBe(true);
  });

  test("a dead relay is not noticed while the direct path works", () => {
    const { clock, one, other, world } = playing();
    world.relay.alive = false;
    const died = clock.now;
    clock.run(120_000);
    expect(isPunched(one, other)).toBe(true);
    expect(longestGap(one, died)).toBeLessThan(120);
    expect(one.paths).toHaveLength(one.paths.length);
    expect(one.agent.counters.switches).toBeLessThanOrEqual(3);
  });

  test("20 % loss for ten minutes does not make it flap", () => {
    const { clock, one, other, world } = playing();
    world.internet.loss = 0.2;
    const before = one.agent.counters.switches + other.agent.counters.switches;
    clock.run(600_000);
    expect(one.agent.counters.switches + other.agent.counters.switches - before).toBeLessThanOrEqual(4);
    expect(isPunched(one, other)).toBe(true);
  });

  test("a path that comes and goes is trusted less each time", () => {
    const { clock, one, world } = playing();
    const before = one.agent.counters.switches;
    for (let i = 0; i < 30; i++) {
      world.internet.filter =
        i % 2 === 0 ? ({ from, to }) => from.address === "11.0.0.2" || to.address === "11.0.0.2" : null;
      clock.run(6000);
    }
    expect(one.agent.counters.switches - before).toBeLessThanOrEqual(12);
  });

  test("of two ways in reserve the one that still works is taken", () => {
    for (const dead of ["one", "other"] as const) {
      const { clock, one, other, world } = playing();
      const { allocation } = dead === "one" ? one : other;
      if (allocation === null) throw new Error("no relay");
      allocation.onPacket = null;
      allocation.send = () => undefined;
      allocation.permitted.clear();
      clock.run(1000);
      const died = clock.now;
      world.internet.filter = ({ from, to }) => from.address === "11.0.0.2" || to.address === "11.0.0.2";
      clock.run(10_000);
      expect(longestGap(one, died)).toBeLessThan(3500);
      expect(longestGap(other, died)).toBeLessThan(3500);
    }
  });

  test("players of one LAN meet on it, though the router does not hairpin", () => {
    const clock = new Clock();
    const world = new World(clock);
    const { lan } = world.lan(PORT_RESTRICTED);
    const one = world.player(new Host(lan, "192.168.1.10"), { role: "controlling" });
    const other = world.player(new Host(lan, "192.168.1.11"), { role: "controlled" });
    world.introduce(one, other);
    clock.run(3000);
    for (const { agent } of [one, other]) {
      expect(agent.path).toMatchObject({ kind: "direct", localType: "host", remoteType: "host" });
    }
  });

  test("a shorter way of the same class is taken once it is known to be shorter, and kept", () => {
    const { clock, one, other, world } = game({ one: { keepAliveMs: 2000 }, other: { keepAliveMs: 2000 } });
    clock.run(3000);
    // A second address of the other's, over which the way is shorter.
    const fast = new Host(world.internet, "11.9.0.9");
    fast.onPacket = (packet) => other.host.onPacket?.({ ...packet, from: packet.from });
    const send = other.host.send.bind(other.host);
    other.host.send = (data, address, port) => {
      if (isStun(data) && replies.has(StunMessage.decode(data)?.transactionKey ?? "")) fast.send(data, address, port);
      else send(data, address, port);
    };
    const replies = new Set<string>();
    world.internet.onPacket = ({ data, to }) => {
      if (to.address === fast.address) replies.add(StunMessage.decode(data)?.transactionKey ?? "");
    };
    world.internet.delayOf = ({ from, to }) => (from.address === fast.address || to.address === fast.address ? 5 : 60);
    const candidate = localCandidate("reflexive", { address: fast.address, port: fast.port });
    one.do((agent, now) => agent.addRemoteCandidate(candidate, now));
    expect(clock.run(60_000, () => one.agent.path?.remote.address === fast.address)).toBe(true);
    const { switches } = one.agent.counters;
    clock.run(60_000);
    expect(one.agent.counters.switches).toBe(switches);
  });
});

describe("change", () => {
  test.each([
    ["controlling", true],
    ["controlled", true],
    ["controlling", false],
    ["controlled", false],
  ] as const)("the %s side's address changes in mid-game (and it knows: %s)", (role, knows) => {
    const other = role === "controlling" ? "controlled" : "controlling";
    const {
      clock,
      one: mover,
      other: stayer,
      world,
    } = playing({
      one: { role },
      other: { role: other },
      otherHome: "public",
    });
    world.nats.get(mover.host)?.renumber("11.77.0.2");
    const changed = clock.now;
    let firstCheckAt = Number.POSITIVE_INFINITY;
    world.internet.onPacket = ({ from, data }) => {
      if (from.address === "11.77.0.2" && isStun(data)) firstCheckAt = Math.min(firstCheckAt, clock.now);
    };
    if (knows) mover.do((agent, now) => agent.networkChanged(now));
    expect(clock.run(3000, () => stayer.agent.path?.remote.address === "11.77.0.2")).toBe(true);
    const rtt = 2 * (world.internet.delay + 2);
    expect(clock.now - firstCheckAt).toBeLessThanOrEqual(2 * rtt);
    clock.run(10_000);
    // Unless it is told, the silence of half a second to one is the first sign.
    expect(longestGap(mover, changed)).toBeLessThan(knows ? 250 : 1300);
    expect(longestGap(stayer, changed)).toBeLessThan(knows ? 250 : 1300);
    expect(isDirect(mover, stayer)).toBe(true);
  });

  test.each(["controlling", "controlled"] as const)(
    "the %s side's address changes, it does not know, and its packets tell: two round trips",
    (role) => {
      const {
        clock,
        one: mover,
        other: stayer,
        world,
      } = playing({
        one: { role },
        other: { role: role === "controlling" ? "controlled" : "controlling" },
        otherHome: "public",
      });
      world.nats.get(mover.host)?.renumber("11.77.0.2");
      let heardAt = 0;
      world.internet.onPacket = ({ from }) => {
        if (from.address === "11.77.0.2" && heardAt === 0) heardAt = clock.now;
      };
      const hear = stayer.host.onPacket;
      stayer.host.onPacket = (packet) => {
        // As a session does, whose keys tell whose packet it is.
        if (packet.from.address === "11.77.0.2" && !isStun(packet.data)) {
          const { address, port } = packet.from;
          stayer.do((agent, now) => agent.strayed("socket", address, port, packet.data.length, now));
        }
        hear?.(packet);
      };
      // Forty bytes, as a player's move.
      const chat = (): void => {
        mover.say("x".repeat(39));
        clock.after(16, chat);
      };
      chat();
      expect(clock.run(3000, () => stayer.agent.path?.remote.address === "11.77.0.2")).toBe(true);
      // It may take a second packet until a check may be sent.
      expect(clock.now - heardAt).toBeLessThanOrEqual(1.5 * 2 * (world.internet.delay + 2) + 16);
      clock.run(20_000);
      expect(stayer.agent.path?.remote.address).toBe("11.77.0.2");
      expect(isDirect(mover, stayer)).toBe(true);
    },
  );

  test("addresses that the peer has left are forgotten", () => {
    const { clock, one, other, world } = playing({ otherHome: "public" });
    for (const address of ["11.77.0.2", "11.77.0.3", "11.77.0.4"]) {
      world.nats.get(one.host)?.renumber(address);
      one.do((agent, now) => agent.networkChanged(now));
      clock.run(5000);
      expect(other.agent.path?.remote.address).toBe(address);
    }
    clock.run(60_000);
    const found = other.agent
      .pairs()
      .filter(({ remoteType, via }) => remoteType === "peer-reflexive" && via === "socket");
    expect(found.map(({ remote }) => remote.address)).toEqual(["11.77.0.4"]);
  });

  test("a peer that shows up late is answered at once, though its turn would be later", () => {
    const clock = new Clock();
    const world = new World(clock, { relays: false });
    const one = world.player(world.home("port-restricted").host, { role: "controlling" });
    const other = world.player(world.home("public").host, { role: "controlled" });
    // The other is deaf while the first checks are sent.
    const hear = other.host.onPacket;
    other.host.onPacket = null;
    world.introduce(one, other);
    // Between two checks that are 1.5 s apart by now.
    clock.run(5200);
    expect(one.agent.state).toBe("checking");
    other.host.onPacket = hear;
    let cameAt = 0;
    let answeredAt = 0;
    world.internet.onPacket = ({ data, from }) => {
      const isCheck = StunMessage.decode(data)?.class === "request";
      if (!isCheck) return;
      if (from.address === other.host.address && cameAt === 0) cameAt = clock.now;
      else if (from.address !== other.host.address && cameAt > 0 && answeredAt === 0) answeredAt = clock.now;
    };
    const seen = world.reflexive(one.host);
    if (seen === null) throw new Error("no answer from STUN");
    other.agent.knock("socket", seen.address, seen.port, clock.now);
    clock.run(400);
    expect(answeredAt).toBeGreaterThan(cameAt);
    expect(answeredAt - cameAt).toBeLessThan(80);
  });

  test("behind two filters a new address needs signalling: the relay carries packets until then", () => {
    const { clock, one, other, world } = playing();
    world.nats.get(other.host)?.renumber("11.77.0.2");
    const since = clock.now;
    clock.run(20_000);
    expect([one.agent.path?.kind, other.agent.path?.kind]).toEqual(["relayed", "relayed"]);
    expect(longestGap(one, since)).toBeLessThan(3500);
    expect(longestGap(other, since)).toBeLessThan(3500);
    const reflexive = world.reflexive(other.host);
    if (reflexive === null) throw new Error("no answer from STUN");
    const candidate = localCandidate("reflexive", reflexive);
    other.do((agent, now) => agent.addLocalCandidate(candidate, now));
    one.do((agent, now) => agent.addRemoteCandidate(candidate, now));
    expect(clock.run(5000, () => isPunched(one, other))).toBe(true);
  });

  test("both sides restart, and packets go on", () => {
    const { clock, one, other } = playing();
    const since = clock.now;
    for (const player of [one, other]) {
      player.do((agent, now) =>
        agent.restart(
          newIceCredentials((bytes) => clock.bytes(bytes)),
          now,
        ),
      );
    }
    clock.run(500);
    for (const [to, from] of [
      [one, other],
      [other, one],
    ] as const) {
      to.do((agent, now) => {
        agent.setRemoteCredentials(from.agent.localCredentials, now);
        for (const each of from.candidates) agent.addRemoteCandidate(each, now);
      });
    }
    clock.run(40_000);
    expect(isPunched(one, other)).toBe(true);
    expect(longestGap(one, since)).toBeLessThan(120);
    expect(longestGap(other, since)).toBeLessThan(120);
    expect(one.agent.state).toBe("connected");
  });

  test("consent expires 30 s after the last answer; the path is gone, and comes back with the peer", () => {
    const { clock, one, other, world } = playing();
    const since = clock.now;
    world.internet.filter = () => false;
    expect(clock.run(23_500, () => one.agent.path === null)).toBe(false);
    expect(clock.run(14_000, () => one.agent.path === null && other.agent.path === null)).toBe(true);
    expect(clock.now - since).toBeLessThan(36_500);
    expect(one.agent.state).toBe("failed");
    expect(one.sources.size).toBe(0);
    expect(one.say("into the void")).toBe(false);
    world.internet.filter = null;
    expect(clock.run(15_000, () => isPunched(one, other))).toBe(true);
    expect(one.agent.state).toBe("connected");
  });

  test("nobody there: failed, and not noisy", () => {
    const clock = new Clock();
    const world = new World(clock);
    const one = world.player(world.home("port-restricted").host, { role: "controlling" });
    const other = world.player(world.home("port-restricted").host, { role: "controlled" });
    world.introduce(one, other);
    other.agent.close();
    clock.run(15_000);
    expect(one.states).toEqual(["checking", "failed"]);
    const sent = one.stunSent;
    clock.run(60_000);
    expect(one.stunSent - sent).toBeLessThan(12 * 5 + 5);
  });

  test("the process slept for an hour", () => {
    const { clock, one, other } = playing();
    clock.sleep(3_600_000);
    const sent = one.stunSent + other.stunSent;
    clock.run(100);
    expect(one.stunSent + other.stunSent - sent).toBeLessThan(20);
    expect(clock.run(10_000, () => isPunched(one, other))).toBe(true);
  });

  test("a closed agent is silent", () => {
    const { clock, one, other } = playing();
    one.agent.close();
    const sent = one.stunSent;
    expect([one.agent.path, one.agent.state, one.sources.size]).toEqual([null, "closed", 0]);
    clock.run(60_000);
    expect(one.stunSent).toBe(sent);
    expect(one.agent.nextUpdate(clock.now)).toBe(Number.POSITIVE_INFINITY);
    expect(other.agent.path).toBeNull();
  });
});

describe("cost", () => {
  test("a quiet connection sends little, a busy one little more", () => {
    const { clock, one } = game();
    clock.run(20_000);
    const quiet = one.stunSent;
    clock.run(60_000);
    expect(one.stunSent - quiet).toBeLessThan(100);
    one.chat(50);
    const busy = one.stunSent;
    clock.run(60_000);
    expect(one.stunSent - busy).toBeLessThan(100);
  });

  test("checks that cross on their way do not trigger one another for ever", () => {
    const { clock, one, other } = playing();
    for (const player of [one, other]) player.do((agent, now) => agent.probe(now));
    const before = one.stunSent + other.stunSent;
    clock.run(20_000);
    expect(one.stunSent + other.stunSent - before).toBeLessThan(80);
  });

  test("nor do those whose answers are lost", () => {
    const { clock, one, other, world } = game({ world: { relays: false } });
    world.internet.filter = ({ data }) => StunMessage.decode(data)?.class === "request";
    clock.run(10_000);
    // Ten checks of their own, and those that the other's triggered; answers to all.
    expect(one.stunSent + other.stunSent).toBeLessThan(160);
  });

  test("the path never rests longer than keepAliveMs", () => {
    const { clock, one, world } = game({ one: { keepAliveMs: 3000 }, other: { keepAliveMs: 3000 } });
    clock.run(5000);
    let last = clock.now;
    let longest = 0;
    world.internet.onPacket = ({ from }) => {
      if (from.address !== world.nats.get(one.host)?.address) return;
      longest = Math.max(longest, clock.now - last);
      last = clock.now;
    };
    clock.run(60_000);
    expect(longest).toBeLessThanOrEqual(3700);
  });

  test("a way in reserve is kept open as the translator's lifetime wants it, from the moment that it is known", () => {
    const { clock, one, world } = game();
    clock.run(20_000);
    const reserve = one.agent.pairs().find(({ selected, state }) => !selected && state === "succeeded");
    if (reserve === undefined) throw new Error("no reserve");
    const { address, port } = reserve.remote;
    let last = clock.now;
    let longest = 0;
    world.internet.onPacket = ({ from, to }) => {
      if (from.address !== world.nats.get(one.host)?.address || to.address !== address || to.port !== port) return;
      longest = Math.max(longest, clock.now - last);
      last = clock.now;
    };
    const longestIn = (ms: number): number => {
      longest = 0;
      last = clock.now;
      clock.run(ms);
      return Math.max(longest, clock.now - last);
    };
    expect(longestIn(120_000)).toBeGreaterThan(8_000);
    one.do((agent, now) => agent.fitKeepAlive(14, now));
    expect(longestIn(120_000)).toBeLessThanOrEqual(7_500);
    one.do((agent, now) => agent.fitKeepAlive(1, now));
    expect(longestIn(120_000)).toBeLessThanOrEqual(5_500);
    one.do((agent, now) => agent.fitKeepAlive(600, now));
    expect(longestIn(120_000)).toBeGreaterThan(8_000);
  });

  test("thousands of candidates are cut down, and checked at the pace", () => {
    const clock = new Clock();
    const world = new World(clock);
    const one = world.player(world.home("port-restricted").host, { role: "controlling" });
    one.gather(world.reflexive(one.host));
    one.do((agent, now) => agent.setRemoteCredentials(newIceCredentials(), now));
    let added = 0;
    for (let i = 0; i < 5000; i++) {
      const endpoint = { address: `12.${i % 256}.${i >> 8}.1`, port: 1 + i };
      const candidate = localCandidate("reflexive", endpoint);
      one.do((agent, now) => {
        added += Number(agent.addRemoteCandidate(candidate, now));
      });
    }
    expect(added).toBe(32);
    expect(one.agent.pairs().length).toBeLessThanOrEqual(64);
    const sent = one.stunSent;
    clock.run(10_000);
    expect(one.stunSent - sent).toBeLessThanOrEqual(10_000 / 50 + 10);
    clock.run(30_000);
    const later = one.stunSent;
    clock.run(60_000);
    // Sixteen at most are tried again, every five seconds.
    expect(one.stunSent - later).toBeLessThanOrEqual((16 * 60) / 4.5 + 16);
  });

  test("answers are shorter than checks, and those that cannot be the peer's get none", () => {
    const { clock, one, world } = game();
    const requests = new Map<string, number>();
    const answers: [string, number][] = [];
    world.internet.onPacket = ({ data }) => {
      const message = StunMessage.decode(data);
      if (message?.class === "request") requests.set(message.transactionKey, data.length);
      else if (message !== null) answers.push([message.transactionKey, data.length]);
    };
    clock.run(3000);
    expect(answers.length).toBeGreaterThan(3);
    for (const [key, length] of answers) expect(length).toBeLessThan(requests.get(key) ?? 0);
    expect(one.agent.counters.responsesReceived).toBeGreaterThan(0);
  });
});

describe("no scanning by proxy", () => {
  const PRIVATE = [
    "192.168.1.1",
    "10.0.0.1",
    "169.254.169.254",
    "127.0.0.1",
    "172.16.0.1",
    "100.64.0.1",
    "203.0.113.5",
    "::1",
    "fe80::1",
  ];

  test("private addresses of a peer elsewhere are never tried, from the socket or the relay", () => {
    const { clock, one, world } = game();
    const tried = new Set<string>();
    const watch = ({ to }: Packet): void => void tried.add(to.address);
    one.host.network.onPacket = watch;
    world.internet.onPacket = watch;
    for (const address of PRIVATE) {
      for (const type of ["host", "reflexive", "mapped", "relayed"] as const) {
        const candidate: IceCandidate = { type, address, port: 22, priority: candidatePriority(type), foundation: "1" };
        one.do((agent, now) => agent.addRemoteCandidate(candidate, now));
      }
    }
    clock.run(20_000);
    expect(PRIVATE.filter((address) => tried.has(address))).toEqual([]);
  });

  test("naming our public address as its own gets a peer our own /24 at most", () => {
    const { clock, one, world } = game();
    const ours = world.nats.get(one.host)?.address ?? "";
    const tried = new Set<string>();
    one.host.network.onPacket = ({ to }) => tried.add(to.address);
    const claim: IceCandidate = { type: "reflexive", address: ours, port: 9, priority: 5, foundation: "1" };
    one.do((agent, now) => agent.addRemoteCandidate(claim, now));
    for (const address of PRIVATE) {
      const candidate: IceCandidate = { type: "host", address, port: 22, priority: 9, foundation: "1" };
      one.do((agent, now) => agent.addRemoteCandidate(candidate, now));
    }
    clock.run(20_000);
    const [a, b, c] = one.host.address.split(".");
    const prefix = `${a}.${b}.${c}.`;
    expect(PRIVATE.filter((address) => !address.startsWith(prefix) && tried.has(address))).toEqual([]);
  });
});

describe("forgery", () => {
  function check(username: string, password: string, nominate: boolean): Buffer {
    const builder = new StunBuilder(StunMethod.BINDING, "request")
      .text(StunAttribute.USERNAME, username)
      .uint32(StunAttribute.PRIORITY, candidatePriority("peer-reflexive"))
      .uint64(StunAttribute.ICE_CONTROLLING, 2n ** 64n - 1n);
    if (nominate) builder.flag(StunAttribute.USE_CANDIDATE);
    return builder.integrity(Buffer.from(password)).fingerprint().build();
  }

  test("a check with a wrong password, user or no seal gets no answer and changes nothing", () => {
    const { clock, one, other } = playing();
    const { ufrag, password } = one.agent.localCredentials;
    const theirs = other.agent.localCredentials.ufrag;
    const { sent } = one.host;
    const state = JSON.stringify([
      one.agent.path,
      one.agent.role,
      one.agent.pairs().length,
      one.agent.counters.responsesSent,
    ]);
    const good = check(`${ufrag}:${theirs}`, password, true);
    const tampered = Buffer.from(good);
    tampered[40] = (tampered[40] ?? 0) ^ 1;
    for (const data of [
      check(`${ufrag}:${theirs}`, "another password than ours", true),
      check(`${ufrag}:someone`, password, true),
      check(`nobody:${theirs}`, password, true),
      check(ufrag, password, true),
      tampered,
      good.subarray(0, good.length - 8),
      new StunBuilder(StunMethod.BINDING, "request")
        .text(StunAttribute.USERNAME, `${ufrag}:${theirs}`)
        .fingerprint()
        .build(),
    ]) {
      expect(one.agent.receive(data, "socket", "11.66.0.6", 666, clock.now)).toBe(false);
    }
    expect(one.host.sent).toBe(sent);
    expect(
      JSON.stringify([one.agent.path, one.agent.role, one.agent.pairs().length, one.agent.counters.responsesSent]),
    ).toBe(state);
  });

  test("checks replayed from elsewhere move nothing", () => {
    const { clock, one, other, world } = game();
    const seen: Buffer[] = [];
    const ours = (): string => world.nats.get(other.host)?.address ?? "";
    world.internet.onPacket = ({ data, to }) => {
      if (isStun(data) && to.address === ours()) seen.push(Buffer.from(data));
    };
    clock.run(3000);
    expect(seen.length).toBeGreaterThan(3);
    world.internet.onPacket = null;
    const { path } = other.agent;
    let toAttacker = 0;
    world.internet.attach("11.66.0.6", () => toAttacker++);
    for (let i = 0; i < 300; i++) {
      other.do((agent, now) => {
        const data = seen[i % seen.length];
        if (data !== undefined) agent.receive(data, "socket", "11.66.0.6", 1000 + i, now);
      });
      clock.run(10);
      expect(other.agent.path?.remote).toEqual(path?.remote);
    }
    clock.run(20_000);
    expect(other.agent.path?.remote).toEqual(path?.remote);
    expect(one.agent.path?.kind).toBe("punched");
    expect(other.agent.pairs().length).toBeLessThan(20);
    expect(other.agent.isRemote("socket", "11.66.0.6", 1000)).toBe(false);
    // An answer for each, and a few checks; never more than twice what came.
    expect(toAttacker).toBeLessThan(600);
  });

  test.each([
    { plays: false, checks: 1 },
    { plays: false, checks: 40 },
    { plays: true, checks: 1 },
    { plays: true, checks: 40 },
  ])("$checks authentic checks from a forged source earn it three bytes for one (while they play: $plays)", (many) => {
    const { clock, one, other, world } = many.plays ? playing() : game({ world: { relays: false } });
    if (!many.plays) other.agent.close();
    clock.run(2000);
    const victim = { address: "11.66.0.6", port: 666 };
    let [bytesTo, bytesFrom] = [0, 0];
    world.internet.onPacket = ({ data, to }) => {
      if (to.address !== victim.address) return;
      bytesTo += data.length;
      expect(bytesTo).toBeLessThanOrEqual(3 * bytesFrom);
    };
    const { ufrag, password } = one.agent.localCredentials;
    for (let n = 0; n < many.checks; n++) {
      const data = check(`${ufrag}:${other.agent.localCredentials.ufrag}`, password, true);
      bytesFrom += data.length;
      one.do((agent, now) => expect(agent.receive(data, "socket", victim.address, victim.port, now)).toBe(true));
      clock.run(100);
    }
    // It is asked all the same, beside the answers: it could be the peer.
    expect(bytesTo).toBeGreaterThan(64 * many.checks);
    // Whatever else makes the agent try: a second way of its own, another network, silence.
    one.do((agent, now) => agent.addLocalCandidate(localCandidate("host", { address: "11.5.0.9", port: 7 }), now));
    one.do((agent, now) => agent.networkChanged(now));
    clock.run(180_000);
    expect(one.agent.isRemote("socket", victim.address, victim.port)).toBe(false);
    expect(one.agent.path?.remote.address).not.toBe(victim.address);
  });

  test("nor does what the layer above has authenticated", () => {
    const { clock, one, world } = playing();
    const victim = { address: "11.66.0.6", port: 666 };
    let [bytesTo, bytesFrom] = [0, 0];
    world.internet.onPacket = ({ data, to }) => {
      if (to.address !== victim.address) return;
      bytesTo += data.length;
      expect(bytesTo).toBeLessThanOrEqual(3 * bytesFrom);
    };
    for (let n = 0; n < 20; n++) {
      bytesFrom += 26;
      one.do((agent, now) => agent.strayed("socket", victim.address, victim.port, 26, now));
      clock.run(100);
    }
    expect(bytesTo).toBeGreaterThan(0);
    clock.run(60_000);
    expect(one.agent.path?.remote.address).not.toBe(victim.address);
  });

  test("answers from another address, with a wrong key, or to nothing are not taken", () => {
    const clock = new Clock();
    const world = new World(clock);
    const one = world.player(world.home("public").host, { role: "controlling" });
    one.gather(null);
    const remote = newIceCredentials();
    const requests: Buffer[] = [];
    const target = new Host(world.internet, "11.5.0.5");
    target.onPacket = ({ data }) => requests.push(Buffer.from(data));
    one.do((agent, now) => {
      agent.setRemoteCredentials(remote, now);
      agent.addRemoteCandidate(localCandidate("host", { address: target.address, port: target.port }), now);
    });
    clock.run(300);
    const request = StunMessage.decode(requests[0] ?? Buffer.alloc(0));
    if (request === null) throw new Error("no check came");
    const answer = (id: Uint8Array, password: string): Buffer =>
      new StunBuilder(StunMethod.BINDING, "success", id)
        .xorAddress(StunAttribute.XOR_MAPPED_ADDRESS, { address: one.host.address, port: one.host.port })
        .integrity(Buffer.from(password))
        .fingerprint()
        .build();
    const { agent } = one;
    const good = answer(request.transactionId, remote.password);
    expect(agent.receive(good, "socket", "11.66.0.6", target.port, clock.now)).toBe(false);
    expect(agent.receive(good, "socket", target.address, 9, clock.now)).toBe(false);
    expect(agent.receive(good, "relay", target.address, target.port, clock.now)).toBe(false);
    const wrong = answer(request.transactionId, agent.localCredentials.password);
    expect(agent.receive(wrong, "socket", target.address, target.port, clock.now)).toBe(false);
    const unasked = answer(Buffer.alloc(12, 7), remote.password);
    expect(agent.receive(unasked, "socket", target.address, target.port, clock.now)).toBe(false);
    const conflict = new StunBuilder(StunMethod.BINDING, "error", request.transactionId).errorCode(
      487,
      "Role Conflict",
    );
    expect(agent.receive(conflict.fingerprint().build(), "socket", target.address, target.port, clock.now)).toBe(false);
    expect([agent.path, agent.role]).toEqual([null, "controlling"]);
    // All of this has not ended the transaction.
    expect(agent.receive(good, "socket", target.address, target.port, clock.now)).toBe(true);
    expect(agent.path?.remote).toEqual({ address: target.address, port: target.port });
    expect(agent.receive(good, "socket", target.address, target.port, clock.now)).toBe(false);
  });

  test("a flood of genuine checks is answered within bounds", () => {
    const { clock, one, other } = game();
    clock.run(2000);
    const { ufrag, password } = one.agent.localCredentials;
    const data = check(`${ufrag}:${other.agent.localCredentials.ufrag}`, password, false);
    const before = one.agent.counters.responsesSent;
    for (let i = 0; i < 5000; i++) one.agent.receive(data, "socket", "11.66.0.6", 666, clock.now);
    expect(one.agent.counters.responsesSent - before).toBeLessThanOrEqual(100);
  });

  test("a check with an attribute that must be understood and is not gets 420", () => {
    const { clock, one, other } = game();
    clock.run(1000);
    const { ufrag, password } = one.agent.localCredentials;
    const data = new StunBuilder(StunMethod.BINDING, "request")
      .text(StunAttribute.USERNAME, `${ufrag}:${other.agent.localCredentials.ufrag}`)
      .add(0x7fff, Buffer.alloc(4))
      .integrity(Buffer.from(password))
      .fingerprint()
      .build();
    let answer: StunMessage | null = null;
    one.host.network.onPacket = (packet) => {
      if (packet.to.address === "11.66.0.6") answer = StunMessage.decode(packet.data);
    };
    expect(one.agent.receive(data, "socket", "11.66.0.6", 666, clock.now)).toBe(true);
    expect((answer as StunMessage | null)?.errorCode()?.code).toBe(420);
    expect((answer as StunMessage | null)?.unknownAttributes()).toEqual([0x7fff]);
  });
});

test("a candidate that the peer takes back is left at once, and one that is not known changes nothing", () => {
  const { clock, one } = playing();
  const before = one.agent.path?.remote;
  if (before === undefined) throw new Error("no path");
  expect(one.agent.removeRemoteCandidate({ address: "192.0.2.1", port: 1 }, clock.now)).toBe(false);
  expect(one.agent.path?.remote).toEqual(before);
  expect(one.agent.removeRemoteCandidate(before, clock.now)).toBe(true);
  expect(one.agent.pairs().some(({ remote }) => remote.address === before.address && remote.port === before.port)).toBe(
    false,
  );
  expect(one.agent.path?.remote).not.toEqual(before);
});
