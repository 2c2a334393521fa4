import { describe, expect, test } from "vitest";
import { DEFAULT_WAITS_MS, type NatLifetime, NatLifetimeProbe } from "../../../sdk/src/nat/lifetime.ts";
import { natLifetime } from "../../../sdk/src/nat/lifetime-discovery.ts";
import { NatSilences } from "../../../sdk/src/nat/lifetime-search.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { StunMessage } from "../../../sdk/src/stun/message.ts";
import { respondToStun } from "../../../sdk/src/stun/responder.ts";
import { StunServer } from "../../../sdk/src/stun/server.ts";
import { Clock, Nat, type NatOptions, Network, type Packet } from "../ice/network.ts";

/** What a server makes of RESPONSE-PORT (RFC 5780 section 7.5 leaves it to it). */
type ServerKind = "answers" | "ignores" | "refuses" | "dead";

interface WorldOptions extends NatOptions {
  readonly servers?: readonly ServerKind[];
  readonly waitsMs?: readonly number[];
  readonly seed?: number;
  readonly loss?: number;
  /** The machine has the address that the server sees. */
  readonly noNat?: boolean;
  /** Milliseconds after which the servers fall silent. */
  readonly serversDieAt?: number;
}

interface Measured {
  readonly lifetime: NatLifetime | undefined;
  readonly ms: number;
  /** Sent from inside. */
  readonly packets: number;
  readonly mostSockets: number;
  readonly stillOpen: number;
  /** What the NAT knew no mapping for. */
  readonly dropped: number;
  readonly silences: readonly [number, boolean][];
}

const HOME = "192.168.1.5";

/** A machine that measures, a NAT with a timer, and STUN servers, all in simulated time. */
function measure(options: WorldOptions): Measured {
  const { servers = ["answers"], waitsMs, seed = 1, loss = 0, noNat = false, serversDieAt } = options;
  const clock = new Clock(seed);
  const internet = new Network(clock, 20);
  const home = noNat ? internet : new Network(clock, 1);
  const nat = noNat ? null : new Nat(home, internet, "203.0.113.5", options);
  internet.loss = loss;
  const began = clock.now;
  const endpoints = servers.map((kind, index) => {
    const endpoint = { address: `192.0.2.${index + 1}`, port: 3478 };
    internet.attach(endpoint.address, ({ data, from }) => {
      if (serversDieAt !== undefined && clock.now - began >= serversDieAt) return;
      const reply = kind === "dead" ? null : replyOf(kind, data, from);
      if (reply === null) return;
      internet.route({ data: reply.data, from: endpoint, to: { address: from.address, port: reply.port } });
    });
    return endpoint;
  });

  const open = new Map<number, number>();
  let nextPort = 50_000;
  let packets = 0;
  let mostSockets = 0;
  let lifetime: NatLifetime | undefined;
  const silences: [number, boolean][] = [];
  const probe: NatLifetimeProbe = new NatLifetimeProbe(
    { servers: endpoints, ...(waitsMs === undefined ? {} : { waitsMs }) },
    {
      open: (socket) => {
        open.set(socket, nextPort);
        mostSockets = Math.max(mostSockets, open.size);
        return nextPort++;
      },
      send: (socket, data, to) => {
        packets++;
        home.route({ data, from: { address: HOME, port: open.get(socket) ?? 0 }, to });
      },
      close: (socket) => void open.delete(socket),
      isLocal: (socket, { address, port }) => address === HOME && port === open.get(socket),
      silence: (waitMs, survived) => void silences.push([waitMs, survived]),
      done: (found) => {
        expect(lifetime).toBeUndefined();
        lifetime = found;
      },
    },
  );
  home.attach(HOME, ({ data, from, to }: Packet) => {
    for (const [socket, port] of open) {
      if (port === to.port) probe.receive(socket, data, from.address, from.port, clock.now);
    }
  });
  const stillOpen = (): boolean => lifetime === undefined;
  probe.start(clock.now);
  for (let turns = 0; stillOpen(); turns++) {
    expect(turns).toBeLessThan(10_000);
    const next = probe.nextTimeout();
    if (next === null) break;
    // Packets first, then time; they may change when it is time.
    if (!clock.run(Math.max(0, next - clock.now), () => probe.nextTimeout() !== next)) probe.handleTimeout(clock.now);
  }
  return {
    lifetime,
    ms: clock.now - began,
    packets,
    mostSockets,
    stillOpen: open.size,
    dropped: nat?.dropped ?? 0,
    silences,
  };
}

function replyOf(kind: ServerKind, data: Uint8Array, from: Packet["from"]): { data: Buffer; port: number } | null {
  const reply = respondToStun(data, from);
  const request = StunMessage.decode(data);
  if (reply === null || request?.has(StunAttribute.RESPONSE_PORT) !== true || kind === "answers") return reply;
  if (kind === "ignores") return { ...reply, port: from.port };
  const refusal = new StunBuilder(StunMethod.BINDING, "error", request.transactionId).errorCode(
    420,
    "Unknown Attribute",
  );
  return { data: refusal.unknownAttributes([StunAttribute.RESPONSE_PORT]).fingerprint().build(), port: from.port };
}

const TIMERS_S = [3, 8, 12, 16, 20, 25, 30, 35, 50, 59, 61, 90, 119, 150];

describe("a server that answers to another port", () => {
  test.each(TIMERS_S)("measures a timer of %i s from below, whatever the NAT", (seconds) => {
    for (const mapping of ["endpoint-independent", "address-and-port-dependent"] as const) {
      for (const filtering of ["endpoint-independent", "address-and-port-dependent"] as const) {
        for (const keepsPort of [true, false]) {
          const { lifetime, packets, mostSockets, stillOpen, ms } = measure({
            mapping,
            filtering,
            keepsPort,
            timeoutMs: seconds * 1000,
          });
          expect(lifetime?.outcome).toBe("measured");
          const { seconds: survived, goneAfterSeconds: gone } = lifetime ?? {};
          expect(survived).toBeLessThanOrEqual(seconds);
          expect(gone).toBeGreaterThanOrEqual(seconds - 0.1);
          // Closely where it decides how often to send.
          if (seconds <= 60) expect(survived).toBeGreaterThanOrEqual(0.74 * seconds);
          expect(stillOpen).toBe(0);
          expect(mostSockets).toBeLessThanOrEqual(9);
          expect(packets).toBeLessThanOrEqual(60);
          expect(ms).toBeLessThanOrEqual(4 * Math.max(10_000, seconds * 1000));
        }
      }
    }
  });

  test("a NAT that keeps RFC 4787's word is not waited for longer than three minutes", () => {
    const { lifetime, ms, packets, dropped, silences } = measure({ timeoutMs: 300_000 });
    expect(lifetime).toEqual({ seconds: 180, goneAfterSeconds: null, outcome: "measured" });
    expect(ms).toBeLessThan(190_000);
    expect(packets).toBe(2 * DEFAULT_WAITS_MS.length + 2);
    expect(dropped).toBe(0);
    expect(silences).toEqual(DEFAULT_WAITS_MS.map((wait) => [wait, true]));
  });

  test("the second server is asked where the first does not do it", () => {
    for (const first of ["ignores", "refuses", "dead"] as const) {
      const { lifetime } = measure({ servers: [first, "answers"], timeoutMs: 30_000, keepsPort: true });
      expect(lifetime?.seconds, first).toBeGreaterThanOrEqual(25);
      expect(lifetime?.seconds, first).toBeLessThanOrEqual(30);
    }
  });

  test("what is lost on the way is hardly ever taken for forgotten, and never for remembered", () => {
    let tooShort = 0;
    for (let seed = 1; seed <= 300; seed++) {
      const { lifetime, stillOpen } = measure({ seed, loss: 0.2, timeoutMs: 35_000 });
      expect(stillOpen).toBe(0);
      expect(lifetime?.seconds ?? 0).toBeLessThanOrEqual(35);
      if ((lifetime?.seconds ?? 0) < 25) tooShort++;
    }
    // Four packets to the server and four back, of which one each must come through.
    expect(tooShort).toBeLessThan(30);
  });
});

describe("a plain STUN server", () => {
  test.each(["ignores", "refuses"] as const)("that %s the wish: another port tells what was forgotten", (kind) => {
    for (const seconds of TIMERS_S) {
      const { lifetime } = measure({ servers: [kind], timeoutMs: seconds * 1000 });
      expect(lifetime?.outcome).toBe("measured");
      expect(lifetime?.seconds).toBeLessThanOrEqual(seconds);
      expect(lifetime?.goneAfterSeconds).toBeGreaterThanOrEqual(seconds - 0.1);
    }
  });

  test("says nothing of a NAT that gives the same port again, and does not wait for it", () => {
    const { lifetime, ms } = measure({ servers: ["ignores"], timeoutMs: 30_000, keepsPort: true });
    expect(lifetime).toEqual({ seconds: null, goneAfterSeconds: null, outcome: "untold" });
    expect(ms).toBeLessThan(1000);
  });

  test("one port that is kept by chance is not taken for the rule", () => {
    for (let chance = 50_000; chance < 50_012; chance++) {
      const { lifetime } = measure({ servers: ["refuses"], timeoutMs: 30_000, keepsPort: (port) => port === chance });
      expect(lifetime?.outcome, String(chance)).toBe("measured");
      expect(lifetime?.seconds).toBeLessThanOrEqual(30);
      expect(lifetime?.goneAfterSeconds).toBeGreaterThanOrEqual(29.9);
    }
  });

  test("nor of one that changed no port in three minutes: that may be a long memory, or a stubborn choice", () => {
    const { lifetime } = measure({ servers: ["refuses"], timeoutMs: 300_000 });
    expect(lifetime).toEqual({ seconds: null, goneAfterSeconds: null, outcome: "untold" });
  });
});

describe("nothing to measure", () => {
  const nothing = { seconds: null, goneAfterSeconds: null };

  test("no NAT", () => {
    expect(measure({ noNat: true })).toMatchObject({ lifetime: { ...nothing, outcome: "no-nat" }, stillOpen: 0 });
  });

  test("no server, no answer, and a server that dies meanwhile", () => {
    const unanswered = { lifetime: { ...nothing, outcome: "unanswered" }, stillOpen: 0 };
    expect(measure({ servers: [] })).toMatchObject(unanswered);
    expect(measure({ servers: ["dead", "dead"] })).toMatchObject(unanswered);
    expect(measure({ timeoutMs: 60_000, serversDieAt: 12_000 })).toMatchObject(unanswered);
  });

  test("no sockets", () => {
    let result: NatLifetime | undefined;
    const probe = new NatLifetimeProbe(
      { servers: [{ address: "192.0.2.1", port: 3478 }] },
      {
        open: () => null,
        send: () => expect.unreachable(),
        close: () => undefined,
        isLocal: () => false,
        done: (lifetime) => {
          result = lifetime;
        },
      },
    );
    probe.start(0);
    expect(result?.outcome).toBe("unanswered");
    expect(probe.nextTimeout()).toBeNull();
  });

  test.each([[[]], [[0]], [[-1]], [[Number.NaN]], [[4_000_000]], [Array.from({ length: 33 }, (_, i) => i + 1)]])(
    "waits %j are refused",
    (waitsMs) => {
      expect(() => new NatSilences(waitsMs)).toThrow(RangeError);
    },
  );
});

test("a silence survived after a longer one that seemed gone: the longer one was lost, and is tried again", () => {
  const silences = new NatSilences([10, 20, 30]);
  expect(silences.nextRound()).toEqual([10, 20, 30]);
  silences.note(10, true);
  silences.note(20, false);
  expect([silences.isMoot(20), silences.isMoot(30)]).toEqual([false, true]);
  expect(silences.nextRound()).toEqual([12.5, 15, 17.5, 20]);
  for (const wait of [12.5, 15, 17.5, 20]) silences.note(wait, true);
  expect(silences.nextRound()).toEqual([30]);
  silences.note(30, true);
  expect(silences.nextRound()).toBeNull();
  expect([silences.longestSurvived, silences.shortestGone]).toEqual([30, Number.POSITIVE_INFINITY]);
});

describe("on loopback", () => {
  test("there is no NAT", async () => {
    await using stun = StunServer.open({ port: 0, addresses: ["127.0.0.1"] });
    expect((await natLifetime([`127.0.0.1:${stun.port}`])).outcome).toBe("no-nat");
  });

  test("silence, names that are none, and giving up", async () => {
    await using silent = UDPSocket.open({ address: "127.0.0.1" });
    const name = `127.0.0.1:${silent.localPort}`;
    expect((await natLifetime([name], { timeoutMs: 50 })).outcome).toBe("unanswered");
    expect((await natLifetime(["turn:x", "[::1]:3478"])).outcome).toBe("unanswered");
    expect((await natLifetime([name], { signal: AbortSignal.abort() })).outcome).toBe("aborted");
    const controller = new AbortController();
    silent.onDatagram = () => controller.abort();
    expect((await natLifetime([name], { signal: controller.signal, timeoutMs: 60_000 })).outcome).toBe("aborted");
  });
});
