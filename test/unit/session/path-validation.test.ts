// Clients whose address changes, and those who only say so, on a simulated network (RFC 9000 sections 8.2 and 9.3).
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import type { Session } from "../../../sdk/src/session/types.ts";
import { type Datagram, HOME, Network, SERVER, type SimulatedSession, simulateSession } from "./network.ts";

const AWAY: Endpoint = { address: "203.0.113.9", port: 4444 };
const VICTIM: Endpoint = { address: "203.0.113.200", port: 53 };
const LIMIT = 3;

let network: Network;
let world: SimulatedSession;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(async () => {
  world.client.close();
  const closing = world.host.close();
  await vi.advanceTimersByTimeAsync(100);
  await closing;
  vi.useRealTimers();
});

async function begin(seed = 1, delayMs = 10, timeoutSeconds = 9): Promise<void> {
  network = new Network(seed);
  network.delayMs = delayMs;
  world = await simulateSession(network, { timeoutSeconds });
  await run(500);
}

const run = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const same = (a: Endpoint, b: Endpoint): boolean => a.address === b.address && a.port === b.port;

/** Both sides say a number every `ms`: reliably, and unreliably at what time it was. */
function talk(ms: number): {
  stop: () => void;
  heard: Record<"client" | "server", { reliable: number[]; unreliable: number[] }>;
} {
  const heard = {
    client: { reliable: [] as number[], unreliable: [] as number[] },
    server: { reliable: [] as number[], unreliable: [] as number[] },
  };
  let count = 0;
  const listen = (session: Session, side: "client" | "server"): void => {
    session.onMessage = (data, mode) => {
      const value = Number(Buffer.from(data).toString());
      heard[side][mode === "reliable" ? "reliable" : "unreliable"].push(value);
    };
  };
  listen(world.client, "client");
  listen(world.server, "server");
  const timer = setInterval(() => {
    for (const session of [world.client, world.server]) {
      session.send(Buffer.from(String(count)), "reliable");
      session.send(Buffer.from(String(performance.now())), "unreliable");
    }
    count++;
  }, ms);
  return { heard, stop: () => clearInterval(timer) };
}

/** Nothing of the client's gets through for so long, as where Wi-Fi gives way to mobile; then it is somewhere else. */
async function move(to: Endpoint, silenceMs: number): Promise<void> {
  const { onSend } = network;
  network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
  await run(silenceMs);
  network.onSend = onSend;
  world.machine.endpoint = to;
}

describe("a client whose address changes", () => {
  test.each([
    { rttMs: 4, silenceMs: 200, everyMs: 16 },
    { rttMs: 30, silenceMs: 300, everyMs: 16 },
    { rttMs: 30, silenceMs: 2000, everyMs: 16 },
    { rttMs: 60, silenceMs: 400, everyMs: 50 },
    { rttMs: 200, silenceMs: 1000, everyMs: 33 },
    { rttMs: 300, silenceMs: 3000, everyMs: 100 },
  ])("hears the server again after two round trips of $rttMs ms", async ({ rttMs, silenceMs, everyMs }) => {
    await begin(rttMs, rttMs / 2);
    const { heard, stop } = talk(everyMs);
    await run(1000);
    await move(AWAY, silenceMs);
    await vi.waitFor(
      async () => {
        await run(1);
        expect(network.bytesFrom(AWAY)).toBeGreaterThan(0);
      },
      { interval: 0, timeout: 10_000 },
    );
    const firstSent = network.sent.find(({ from }) => same(from, AWAY))?.at ?? 0;
    let proven = 0;
    world.server.onPath = () => (proven = performance.now());
    const before = heard.client.unreliable.length;
    await run(2 * rttMs + 1);
    // A round trip and a half: there, back, and there.
    expect(proven - firstSent).toBeLessThanOrEqual(1.5 * rttMs + 2);
    expect(world.server.remote).toEqual(AWAY);
    // What the server says at its next turn is heard by the end of the second round trip.
    await run(everyMs);
    expect(heard.client.unreliable.length).toBeGreaterThan(before);
    stop();
    await run(5000 + 10 * rttMs);
    for (const { reliable } of [heard.client, heard.server]) {
      expect(reliable).toEqual(Array.from({ length: reliable.length }, (_, n) => n));
    }
    expect(heard.client.reliable.length).toBe(heard.server.reliable.length);
    expect(world.client.open && world.server.open).toBe(true);
  });

  test("hears big messages at once too, though all that was on its way is lost with the old path", async () => {
    await begin(1, 30);
    const times: number[] = [];
    world.client.onMessage = () => times.push(performance.now());
    const timer = setInterval(() => world.server.send(new Uint8Array(1000), "unreliable"), 33);
    await run(1000);
    await move(AWAY, 2000);
    const moved = new Promise<number>((resolve) => {
      world.server.onPath = () => resolve(performance.now());
    });
    await run(300);
    const at = await moved;
    clearInterval(timer);
    // Half a round trip after its next turn, since the window is the new path's.
    const first = times.find((time) => time >= at) ?? Number.POSITIVE_INFINITY;
    expect(first - at).toBeLessThanOrEqual(33 + 30 + 2);
    expect(times.filter((time) => time >= at && time < at + 300).length).toBeGreaterThan(5);
  });

  test("keeps what it plays, whatever is lost of challenges, answers and all else", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      await begin(seed, 25);
      const { heard, stop } = talk(16);
      await run(500);
      await move(AWAY, 300);
      network.loss = 0.3;
      await run(3000);
      expect(world.server.remote, `seed ${seed}`).toEqual(AWAY);
      network.loss = 0;
      stop();
      await run(10_000);
      for (const { reliable } of [heard.client, heard.server]) {
        expect(reliable).toEqual(Array.from({ length: heard.server.reliable.length }, (_, n) => n));
      }
      if (seed === 20) return;
      world.client.close();
      const closing = world.host.close();
      await run(100);
      await closing;
    }
  });

  test("is followed there and back, and again", async () => {
    await begin();
    const { stop } = talk(20);
    for (const place of [AWAY, HOME, AWAY, { ...AWAY, port: 5555 }, HOME]) {
      await move(place, 300);
      network.onSend = null;
      await run(400);
      expect(world.server.remote).toEqual(place);
    }
    stop();
  });

  test("what comes late from where it was is read", async () => {
    await begin();
    const { heard, stop } = talk(20);
    await run(500);
    // One packet is held up on the old way for longer than the move takes.
    let held: Datagram | undefined;
    network.onSend = (datagram) => {
      if (held || !same(datagram.from, HOME)) return undefined;
      held = datagram;
      return false;
    };
    await run(20);
    network.onSend = null;
    await move(AWAY, 300);
    await run(500);
    expect(world.server.remote).toEqual(AWAY);
    stop();
    await run(500);
    const { packetsIn } = world.server.stats;
    if (!held) throw new Error("nothing was sent");
    const unreliable = heard.server.unreliable.length;
    network.carry(held);
    await run(20);
    expect(world.server.stats.packetsIn).toBe(packetsIn + 1);
    expect(heard.server.unreliable.length).toBe(unreliable + 1);
    expect(world.server.remote).toEqual(AWAY);
  });
});

describe("a client that gives somebody else's address", () => {
  /** The client's next datagram seems to come from there; all else it keeps to itself. */
  async function forge(packets: number, everyMs = 100): Promise<void> {
    for (let n = 0; n < packets; n++) {
      let done = false;
      network.onSend = ({ data, from }) => {
        if (!same(from, HOME)) return undefined;
        if (!done) network.post(data, VICTIM, SERVER);
        done = true;
        return false;
      };
      world.client.send(Buffer.from("x"), "unreliable");
      await run(everyMs);
    }
  }

  test.each([1, 2, 10, 60])("gets %d times asked there what earns at most three bytes for one", async (packets) => {
    await begin();
    const { stop } = talk(16);
    network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
    await run(300);
    await forge(packets);
    network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
    await run(12_000);
    stop();
    expect(network.bytesTo(VICTIM)).toBeGreaterThan(0);
    expect(network.bytesTo(VICTIM)).toBeLessThanOrEqual(LIMIT * network.bytesFrom(VICTIM));
    // Nothing but the question ever went there, one for a packet at most.
    const asked = network.sent.filter(({ to }) => same(to, VICTIM));
    expect(asked.length).toBeLessThanOrEqual(packets);
    for (const { data } of asked) expect(data.length).toBeLessThanOrEqual(34);
  });

  test("does not live on it: a client that is heard from nowhere proven times out", async () => {
    await begin(1, 10, 2);
    network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
    await run(300);
    const closed = vi.fn();
    world.server.onClose = closed;
    await forge(25);
    expect(closed).toHaveBeenCalledWith("timeout", 1006, "");
    expect(network.bytesTo(VICTIM)).toBeLessThanOrEqual(LIMIT * network.bytesFrom(VICTIM));
  });

  test("stays where it is when it goes on from there", async () => {
    await begin();
    const moved = vi.fn();
    world.server.onPath = moved;
    network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
    await run(300);
    await forge(1);
    network.onSend = null;
    const { heard, stop } = talk(20);
    await run(1000);
    stop();
    expect(heard.client.reliable.length).toBeGreaterThan(40);
    expect(moved).not.toHaveBeenCalled();
    expect(world.server.remote).toEqual(HOME);
  });
});

describe("somebody on the way", () => {
  const THIEF = VICTIM;

  /** After a hiccup of the client's, its next packet is copied, and the copy comes first. */
  async function copyFirst(): Promise<void> {
    network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
    await run(300);
    let copied = false;
    network.onSend = (datagram) => {
      if (copied || !same(datagram.from, HOME)) return undefined;
      copied = true;
      network.post(datagram.data, THIEF, SERVER);
      network.carry(datagram);
      return false;
    };
    await run(200);
  }

  test("who copies a packet and is first does not get the session", async () => {
    await begin();
    const { heard, stop } = talk(20);
    await copyFirst();
    network.onSend = null;
    await run(1000);
    stop();
    await run(200);
    expect(world.server.remote).toEqual(HOME);
    expect(heard.client.reliable.length).toBe(heard.server.reliable.length);
    expect(network.bytesTo(THIEF)).toBeLessThanOrEqual(LIMIT * network.bytesFrom(THIEF));
  });

  test("nor who has the client answer the question: the answer comes from elsewhere", async () => {
    await begin();
    const { stop } = talk(20);
    network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
    await run(300);
    const moved = vi.fn();
    world.server.onPath = moved;
    let copied = false;
    let asked = 0;
    network.onSend = (datagram) => {
      if (!copied && same(datagram.from, HOME)) {
        copied = true;
        network.post(datagram.data, THIEF, SERVER);
        return false;
      }
      // In the server's name, to the client, who answers.
      if (same(datagram.to, THIEF)) {
        asked++;
        network.carry({ ...datagram, to: HOME });
      }
      return undefined;
    };
    await run(2000);
    stop();
    expect(asked).toBeGreaterThan(0);
    expect(moved).not.toHaveBeenCalled();
    expect(world.server.remote).toEqual(HOME);
  });

  test("who carries everything over gets it, as a way does; the client has it back once it is heard at home", async () => {
    await begin();
    const { heard, stop } = talk(20);
    network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
    await run(300);
    // A relay that nobody asked for: whatever the client sends comes from the thief, whatever goes to the thief comes to the client.
    network.onSend = (datagram) => {
      if (same(datagram.from, HOME)) {
        network.post(datagram.data, THIEF, SERVER);
        return false;
      }
      if (same(datagram.to, THIEF)) network.carry({ ...datagram, to: HOME });
      return undefined;
    };
    await run(1000);
    expect(world.server.remote).toEqual(THIEF);
    network.onSend = null;
    await run(1000);
    expect(world.server.remote).toEqual(HOME);
    stop();
    await run(500);
    expect(heard.client.reliable.length).toBe(heard.server.reliable.length);
  });
});
