import { describe, expect, test } from "vitest";

import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { TurnRedirect } from "../../../sdk/src/turn/refusal.ts";
import { CREDENTIALS, MAPPED, SERVER } from "./scripted-server.ts";
import { World } from "./world.ts";

const PEER = { address: "203.0.113.50", port: 7000 };
const HOUR = 3_600_000;

/** Speaks with the peer until there is a channel. */
function withChannel(world: World): World {
  world.allocation.permit(PEER.address, world.now);
  world.run(100);
  world.allocation.send(Buffer.from("hi"), PEER.address, PEER.port, world.now);
  world.run(100);
  world.peerSends("hello", PEER.address, PEER.port);
  world.run(200);
  expect(world.server.granted).toContain(`channel ${PEER.address} ${PEER.port}`);
  return world;
}

/** Both sides speak every 2 s; gives back how many datagrams were lost. */
function converse(world: World, ms: number): number {
  const [sent, got] = [world.server.toPeers.length, world.received.length];
  let count = 0;
  for (const end = world.now + ms; world.now < end; count++) {
    world.allocation.send(Buffer.from("ping"), PEER.address, PEER.port, world.now);
    world.peerSends("pong", PEER.address, PEER.port);
    world.run(2000);
  }
  return 2 * count - (world.server.toPeers.length - sent) - (world.received.length - got);
}

describe("allocating", () => {
  test.each([
    ["MD5 by default", {}],
    ["SHA-256", { algorithms: ["sha256"] }],
    ["MD5 with the stronger integrity", { algorithms: ["md5", "sha256"] }],
    ["an anonymous user", { algorithms: ["sha256"], anonymous: true }],
  ] as const)("answers the challenge: %s", (_, options) => {
    const world = new World({}, { ...options, algorithms: [...("algorithms" in options ? options.algorithms : [])] });
    world.allocate();
    const { state, relayed, mapped } = world.allocation;
    expect([state, relayed, mapped]).toEqual(["allocated", { address: "198.51.100.7", port: 50_000 }, MAPPED]);
    expect(withChannel(world).server.toPeers).toEqual([{ data: "hi", ...PEER, by: "indication" }]);
  });

  test("a wrong password, or none, ends with 401 and without a loop", () => {
    for (const credentials of [
      { ...CREDENTIALS, credential: "wrong" },
      { ...CREDENTIALS, username: "you" },
      undefined,
    ]) {
      const world = new World({ credentials }).allocate();
      expect([world.ended?.failure, world.ended?.stunCode]).toEqual(["unauthorized", 401]);
      expect(world.sentAt.length).toBe(credentials === undefined ? 1 : 2);
    }
  });

  test.each([
    [403, "refused"],
    [440, "refused"],
    [441, "unauthorized"],
    [442, "refused"],
    [486, "refused"],
    [500, "refused"],
    [508, "refused"],
    [400, "refused"],
  ] as const)("error %i is told", (code, failure) => {
    const world = new World();
    world.server.fault = () => ({ code });
    world.allocate();
    expect([world.ended?.failure, world.ended?.stunCode, world.sentAt.length]).toEqual([failure, code, 2]);
    expect(world.allocation.nextTimeout()).toBe(null);
  });

  test("an error without integrity is as if it had not come", () => {
    const world = new World();
    world.server.fault = () => ({ code: 486, unsigned: true });
    world.allocate();
    expect(world.ended?.failure).toBe("timeout");
  });

  test("300 names the other server, unless it cannot be asked", () => {
    const redirect = (address: string, port: number): World => {
      const world = new World();
      world.server.fault = () => ({ code: 300, with: (b) => b.address(A.ALTERNATE_SERVER, { address, port }) });
      return world.allocate();
    };
    const { ended } = redirect("192.0.2.2", 3479);
    expect(ended instanceof TurnRedirect && ended.alternate).toEqual({ address: "192.0.2.2", port: 3479 });
    for (const world of [redirect("2001:db8::1", 3479), redirect("192.0.2.2", 0)]) {
      expect([world.ended?.failure, world.ended?.stunCode]).toEqual(["refused", 300]);
    }
  });

  test("437: an allocation of before is given back, once", () => {
    const world = new World().allocate();
    const second = new World();
    Object.assign(second, { server: world.server });
    second.allocate();
    expect([second.allocation.state, world.server.granted]).toEqual(["allocated", ["allocate", "release", "allocate"]]);
    second.server.fault = (message) => (message.method === StunMethod.ALLOCATE ? { code: 437 } : null);
    const third = new World();
    Object.assign(third, { server: world.server });
    third.allocate();
    expect([third.ended?.failure, third.ended?.stunCode]).toEqual(["refused", 437]);
  });

  test("a server that knows no DONT-FRAGMENT is asked without", () => {
    const world = new World({ dontFragment: true });
    world.server.fault = (message) =>
      message.has(A.DONT_FRAGMENT) ? { code: 420, with: (b) => b.unknownAttributes([A.DONT_FRAGMENT]) } : null;
    expect(world.allocate().allocation.state).toBe("allocated");
  });

  test("a silent server is asked at 0, 0.2, 0.6, 1.4 s and every 1.6 s, over TCP once", () => {
    for (const reliable of [false, true]) {
      const world = new World({ reliable });
      world.cut = true;
      world.allocate();
      const at = world.sentAt.map((time) => time - 1000);
      expect(at).toEqual(reliable ? [0] : [0, 200, 600, 1400, 3000, 4600, 6200]);
      expect(world.ended?.failure).toBe("timeout");
    }
  });

  test("an address of the wrong family, or none, is no allocation", () => {
    const world = new World({ family: 6 });
    expect(world.allocate().ended?.failure).toBe("malformed");
    const six = new World({ family: 6 }, { relayed: { address: "2001:db8::7", port: 50_000 } }).allocate();
    expect(six.allocation.relayed).toEqual({ address: "2001:db8::7", port: 50_000 });
    expect(six.allocation.send(Buffer.from("x"), PEER.address, PEER.port, six.now)).toBe(false);
    expect(six.allocation.send(Buffer.from("x"), "2001:DB8:0::9", 9, six.now)).toBe(true);
  });
});

describe("keeping", () => {
  test("two hours in conversation: nothing lapses, nothing is lost, little is asked", () => {
    const world = withChannel(new World({}, { nonceMs: 600_000 }).allocate());
    expect([converse(world, 2 * HOUR), world.server.dropped, world.ended]).toEqual([0, 0, null]);
    const asked = (what: string): number => world.server.granted.filter((name) => name.startsWith(what)).length;
    expect(asked("refresh")).toBeGreaterThanOrEqual(24);
    expect(asked("refresh")).toBeLessThanOrEqual(30);
    expect(asked("permission")).toBeLessThanOrEqual(36);
    expect(asked("channel")).toBeLessThanOrEqual(30);
    expect(new Set(world.server.toPeers.slice(2).map(({ by }) => by))).toEqual(new Set(["channel"]));
  });

  test.each([
    ["refresh", StunMethod.REFRESH],
    ["permission", StunMethod.CREATE_PERMISSION],
    ["channel", StunMethod.CHANNEL_BIND],
    ["allocate", StunMethod.ALLOCATE],
  ])("a nonce that goes stale at %s is replaced, but not for ever", (_, method) => {
    const world = new World();
    let times = 1;
    world.server.fault = (message) => {
      if (message.method !== method || times-- <= 0) return null;
      return { code: 438, with: (b) => b.text(A.NONCE, message.text(A.NONCE) ?? ""), unsigned: true };
    };
    withChannel(world.allocate());
    expect(converse(world, HOUR / 2)).toBe(0);
    expect(times).toBeLessThan(0);
    times = Number.POSITIVE_INFINITY;
    const before = world.sentAt.length;
    if (method === StunMethod.ALLOCATE) return;
    converse(world, HOUR / 6);
    expect(world.sentAt.length - before).toBeLessThan(600);
  });

  test("an idle relay is kept alive too, and its unused permissions are not", () => {
    const world = withChannel(new World().allocate());
    world.run(HOUR);
    const granted = world.server.granted.slice(world.server.granted.length - 100);
    expect([world.allocation.state, world.server.allocated(world.now)]).toEqual(["allocated", true]);
    expect(new Set(granted)).toEqual(new Set(["refresh"]));
    // The NAT on the way to the server is fed.
    const gaps = world.sentAt.slice(1).map((at, i) => at - (world.sentAt[i] ?? 0));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(20_100);
    // Sending to the peer brings its channel back.
    world.allocation.permit(PEER.address, world.now);
    world.run(100);
    expect(converse(world, 10_000)).toBe(0);
  });

  test("a server that restarts is noticed by 437, a silent one within 40 s", () => {
    const world = withChannel(new World().allocate());
    world.server.restart();
    world.run(25_000);
    expect([world.ended?.failure, world.ended?.stunCode]).toEqual(["expired", 437]);
    const silent = withChannel(new World().allocate());
    silent.cut = true;
    silent.run(40_000);
    expect(silent.ended?.failure).toBe("timeout");
    expect(silent.allocation.send(Buffer.from("x"), PEER.address, PEER.port, silent.now)).toBe(false);
    expect(silent.allocation.nextTimeout()).toBe(null);
  });

  test("ten seconds without network are survived", () => {
    const world = withChannel(new World().allocate());
    world.cut = true;
    world.run(25_000);
    world.cut = false;
    world.run(10_000);
    expect([world.ended, converse(world, 60_000)]).toEqual([null, 0]);
  });

  test("credentials that are refused at a refresh end it", () => {
    for (const code of [401, 441, 403]) {
      const world = new World().allocate();
      world.server.fault = () => ({ code, with: (b) => b.text(A.REALM, "example.org").text(A.NONCE, "n") });
      world.run(30_000);
      expect([code, world.ended?.stunCode]).toEqual([code, code]);
    }
  });

  test("a server that cannot just now is asked again until the allocation lapses", () => {
    const world = new World().allocate();
    world.server.fault = () => ({ code: 508 });
    world.run(500_000);
    expect(world.ended).toBe(null);
    world.server.fault = () => null;
    world.run(500_000);
    expect(world.allocation.state).toBe("allocated");
    world.server.fault = () => ({ code: 500 });
    world.run(601_000);
    expect(world.ended?.failure).toBe("expired");
  });

  test("a clock that jumps: seconds do no harm, hours end it at once, and nothing bursts", () => {
    const world = withChannel(new World().allocate());
    world.now += 250_000;
    const before = world.sentAt.length;
    world.run(1000);
    expect(world.sentAt.length - before).toBeLessThan(5);
    expect([world.ended, converse(world, 60_000)]).toEqual([null, 0]);
    world.now += 5 * HOUR;
    world.run(1000);
    expect(world.ended?.failure).toBe("expired");
  });

  test("released: lifetime 0, and the end whether or not the server answers", () => {
    const world = withChannel(new World().allocate());
    world.server.expireNonce();
    world.allocation.release(world.now);
    world.run(100);
    expect([world.ended?.failure, world.server.granted.at(-1)]).toEqual(["aborted", "release"]);
    const alone = new World().allocate();
    alone.cut = true;
    alone.allocation.release(alone.now);
    alone.run(1000);
    expect([alone.allocation.state, alone.allocation.nextTimeout()]).toEqual(["ended", null]);
    const early = new World();
    early.allocation.start(early.now);
    early.allocation.release(early.now);
    expect(early.allocation.state).toBe("ended");
  });
});

describe("peers", () => {
  test("data goes by indication until there is a channel, which a peer gets who answers", () => {
    const world = new World().allocate();
    const say = (port: number): void => {
      world.allocation.send(Buffer.from("hey"), PEER.address, port, world.now);
      world.run(100);
    };
    for (let i = 0; i < 6; i++) say(1);
    expect(world.server.toPeers.map(({ by }) => by)).toEqual([...Array(4).fill("indication"), "channel", "channel"]);
    say(2);
    world.peerSends("ho", PEER.address, 2);
    world.run(200);
    say(2);
    expect(world.server.toPeers.at(-1)).toEqual({ data: "hey", address: PEER.address, port: 2, by: "channel" });
    world.peerSends("ho", PEER.address, 3);
    world.run(100);
    expect(world.received.map(({ port }) => port)).toEqual([2, 3]);
  });

  test("a peer that only sends, and is never answered, is let in for hours", () => {
    const world = new World().allocate();
    world.allocation.permit(PEER.address, world.now);
    world.run(100);
    for (let i = 0; i < 360; i++) {
      world.peerSends("news", PEER.address, PEER.port);
      world.run(20_000);
    }
    expect(world.received.length).toBe(360);
  });

  test("the way to the server is kept open as the translator's lifetime wants it", () => {
    const world = new World().allocate();
    const longestPauseIn = (ms: number): number => {
      const from = world.now;
      world.run(ms);
      const times = [from, ...world.sentAt.filter((at) => at >= from), world.now];
      return Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? 0)));
    };
    world.run(20_000);
    expect(longestPauseIn(60_000)).toBeGreaterThan(14_000);
    world.allocation.fitKeepAlive(16, world.now);
    expect(longestPauseIn(60_000)).toBeLessThanOrEqual(8_100);
    world.allocation.fitKeepAlive(null, world.now);
    world.run(20_000);
    expect(longestPauseIn(60_000)).toBeGreaterThan(14_000);
  });

  test("a refused address is told of, and left alone for a while", () => {
    const world = new World().allocate();
    world.server.fault = (message) => (message.method === StunMethod.CREATE_PERMISSION ? { code: 403 } : null);
    const send = (): boolean => world.allocation.send(Buffer.from("x"), PEER.address, PEER.port, world.now);
    expect(send()).toBe(true);
    world.run(100);
    expect([world.refused, send()]).toEqual([[[PEER.address, 403]], false]);
    world.server.fault = () => null;
    world.run(30_000);
    send();
    world.run(100);
    expect(send()).toBe(true);
  });

  test("a refused channel: it goes on by indications, and another number is tried", () => {
    const world = new World().allocate();
    world.server.fault = (message) => (message.method === StunMethod.CHANNEL_BIND ? { code: 400 } : null);
    world.allocation.permit(PEER.address, world.now);
    world.run(100);
    expect(converse(world, 20_000)).toBe(0);
    world.server.fault = () => null;
    expect(converse(world, 60_000)).toBe(0);
    expect(world.server.toPeers.at(-1)?.by).toBe("channel");
  });

  test("too many addresses: those that never answered make room, the others stay", () => {
    const world = new World({ maxPermissions: 8, maxChannels: 4 }).allocate();
    withChannel(world);
    for (let i = 0; i < 100; i++) {
      world.allocation.permit(`10.1.0.${i}`, world.now);
      world.allocation.send(Buffer.from("x"), `10.1.0.${i}`, 9, world.now);
      world.run(100);
    }
    expect(world.server.granted.filter((name) => name.startsWith("permission")).length).toBe(101);
    expect(converse(world, HOUR / 2)).toBe(0);
    for (let port = 1; port < 50; port++) {
      expect(world.allocation.send(Buffer.from("x"), PEER.address, port, world.now)).toBe(true);
    }
  });

  test("what cannot be sent is not", () => {
    const world = new World();
    const send = (address: string, port: number, bytes = 1): boolean =>
      world.allocation.send(Buffer.alloc(bytes), address, port, world.now);
    expect(send(PEER.address, 1)).toBe(false);
    world.allocate();
    for (const [address, port] of [
      ["nowhere", 1],
      ["1.2.3.4", 0],
      ["1.2.3.4", 65_536],
      ["::1", 1],
    ] as const) {
      expect(send(address, port)).toBe(false);
    }
    expect([send(PEER.address, 1, 65_500), send(PEER.address, 1, 65_000), send(PEER.address, 1, 0)]).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe("forgery", () => {
  test("nothing is taken from another address, nor data from a peer that is not permitted", () => {
    const world = withChannel(new World().allocate());
    const { allocation, now } = world;
    const count = world.received.length;
    const data = (address: string): Buffer =>
      new StunBuilder(StunMethod.DATA, "indication")
        .xorAddress(A.XOR_PEER_ADDRESS, { address, port: 1 })
        .add(A.DATA, Buffer.from("evil"))
        .build();
    const channel = Buffer.from("@\0\0\u0004evil");
    for (const [address, port] of [
      ["192.0.2.66", 3478],
      [SERVER.address, 3479],
    ] as const) {
      expect(allocation.receive(channel, address, port, now)).toBe(false);
      expect(allocation.receive(data(PEER.address), address, port, now)).toBe(false);
    }
    const from = (bytes: Buffer): boolean => allocation.receive(bytes, SERVER.address, SERVER.port, now);
    expect([
      from(data("10.9.9.9")),
      from(Buffer.from("A\0\0\u0004evil")),
      from(Buffer.from("@\0\0\u0009evil")),
    ]).toEqual([true, true, true]);
    expect(world.received.length).toBe(count);
    expect([from(channel), from(data(PEER.address)), world.received.length]).toEqual([true, true, count + 2]);
    // What is no TURN goes on to the socket's other readers.
    const binding = new StunBuilder(StunMethod.BINDING, "success").build();
    expect([from(Buffer.from("game")), from(binding), from(Buffer.alloc(0)), from(Buffer.from("@"))]).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  test("an answer with a wrong integrity, or with the list of algorithms taken out, is not believed", () => {
    const world = new World({}, { algorithms: ["sha256"] });
    const honest = world.server.receive.bind(world.server);
    world.server.receive = (data, now) => {
      const answer = honest(data, now);
      if (answer === null) return null;
      const id = answer.subarray(8, 20);
      // Before the honest answer comes another, as somebody on the path may make it.
      const forged = [
        new StunBuilder(StunMethod.ALLOCATE, "error", id)
          .errorCode(401, "")
          .text(A.REALM, "example.org")
          .text(A.NONCE, "obMatJos2gAAAx"),
        new StunBuilder(StunMethod.ALLOCATE, "success", id)
          .uint32(A.LIFETIME, 600)
          .xorAddress(A.XOR_RELAYED_ADDRESS, PEER)
          .integrity(Buffer.from("guess"), "sha256"),
      ];
      const signed = data.length > 100;
      world.allocation.receive((signed ? forged[1] : forged[0])?.build() ?? answer, SERVER.address, SERVER.port, now);
      return answer;
    };
    expect(world.allocate().allocation.relayed).toEqual({ address: "198.51.100.7", port: 50_000 });
  });
});
