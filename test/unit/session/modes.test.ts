import { describe, expect, test } from "vitest";
import type { Session, SessionMode } from "../../../sdk/src/session/types.ts";
import { until } from "../../until.ts";
import { connectPair } from "./pair.ts";

interface Heard {
  text: string;
  mode: SessionMode;
  channel: number;
}

/** What arrives until `enough` says so. */
function hear(session: Session, enough: (heard: Heard[]) => boolean): Promise<Heard[]> {
  const heard: Heard[] = [];
  return new Promise((resolve) => {
    session.onMessage = (data, mode, channel) => {
      heard.push({ text: data.length > 100 ? "large" : Buffer.from(data).toString(), mode, channel });
      if (enough(heard)) resolve(heard);
    };
  });
}

describe("delivery modes", () => {
  test("each message arrives with its mode and channel", async () => {
    await using pair = await connectPair();
    const heard = hear(pair.server, ({ length }) => length === 5);
    pair.client.send(Buffer.from("a"), "reliable");
    pair.client.send(Buffer.from("b"), "reliable", { channel: 3 });
    pair.client.send(Buffer.from("c"), "reliable-unordered", { channel: 254 });
    pair.client.send(Buffer.from("d"), "unreliable");
    pair.client.send(Buffer.from("e"), "unreliable-sequenced", { channel: 7, priority: 5 });
    expect((await heard).toSorted((x, y) => x.text.localeCompare(y.text))).toEqual([
      { text: "a", mode: "reliable", channel: 0 },
      { text: "b", mode: "reliable", channel: 3 },
      { text: "c", mode: "reliable-unordered", channel: 254 },
      { text: "d", mode: "unreliable", channel: 0 },
      { text: "e", mode: "unreliable-sequenced", channel: 7 },
    ]);
  });

  test("the sessions' own channel and modes that there are not are refused aloud", async () => {
    await using pair = await connectPair();
    const data = new Uint8Array(1);
    expect(() => pair.client.send(data, "reliable", { channel: 255 })).toThrow(RangeError);
    expect(() => pair.client.send(data, "reliable", { channel: -1 })).toThrow(RangeError);
    expect(() => pair.client.send(data, "somehow" as SessionMode)).toThrow(RangeError);
    expect(pair.client.open).toBe(true);
  });

  test("close waits for what was sent reliably on every channel", async () => {
    await using pair = await connectPair({}, { conditions: { loss: 1 } });
    const count = 40;
    let heard = 0;
    const end = new Promise<number>((resolve) => {
      pair.server.onMessage = () => heard++;
      pair.server.onClose = () => resolve(heard);
    });
    for (let n = 0; n < count; n++) {
      pair.client.send(new Uint8Array(700), n % 2 === 0 ? "reliable" : "reliable-unordered", { channel: n % 5 });
    }
    pair.client.close(4001, "done");
    // Nothing of it has come through, nor have the first two probes, when the line is mended.
    const { packetsOut } = pair.client.stats;
    await until(() => pair.client.stats.packetsOut >= packetsOut + 2);
    pair.client.conditions = null;
    expect(await end).toBe(count);
  });

  test.each(["reliable", "reliable-unordered"] as const)("a large %s transfer does not delay a jump", async (mode) => {
    // A line that takes about a second for the transfer; each jump follows when the one before has come.
    await using pair = await connectPair({ conditions: { delayMs: 10, bytesPerSecond: 1_000_000 } });
    const jumps = 5;
    const jump = (n: number): void => void pair.client.send(Buffer.from(`jump ${n}`), "reliable");
    const heard = hear(pair.server, (all) => {
      if (all.at(-1)?.text !== "large" && all.length < jumps) jump(all.length);
      return all.at(-1)?.text === "large";
    });
    pair.client.send(new Uint8Array(1 << 20), mode, { channel: 1 });
    jump(0);
    const order = (await heard).map(({ text }) => text);
    expect(order).toEqual([...Array.from({ length: jumps }, (_, n) => `jump ${n}`), "large"]);
  });
});

describe("a bad line", () => {
  test("delays both ways: the round trip shows it", async () => {
    await using pair = await connectPair({}, { conditions: { delayMs: 20 } });
    const count = 10;
    const heard = hear(pair.client, ({ length }) => {
      if (length < count) pair.client.send(Buffer.from(String(length)), "reliable");
      return length === count;
    });
    pair.server.onMessage = (data) => void pair.server.send(data, "reliable");
    pair.client.send(Buffer.from("0"), "reliable");
    expect((await heard).map(({ text }) => Number(text))).toEqual(Array.from({ length: count }, (_, n) => n));
    // The line's own time is the least that it can be, on any machine.
    expect(pair.client.stats.rttMs).toBeGreaterThan(39);
    expect(pair.server.stats.rttMs).toBeGreaterThan(39);
  });

  test("loss, duplication and reordering: every reliable message once and in order, and the statistics tell of it", async () => {
    const conditions = { loss: 0.2, duplicate: 0.1, reorder: 0.2, reorderMs: 10, jitterMs: 3 };
    await using pair = await connectPair({ conditions });
    const count = 300;
    const heard = hear(pair.client, ({ length }) => length === count);
    for (let n = 0; n < count; n++) {
      pair.server.send(Buffer.from(String(n)), "reliable");
      // In many datagrams.
      if (n % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect((await heard).map(({ text }) => Number(text))).toEqual(Array.from({ length: count }, (_, n) => n));
    const { packetsLost, loss, jitterMs, congestionWindow, bytesOut, packetsOut } = pair.server.stats;
    expect(packetsLost).toBeGreaterThan(0);
    expect(loss).toBeGreaterThan(0);
    expect(jitterMs).toBeGreaterThan(0);
    expect(congestionWindow).toBeGreaterThanOrEqual(4800);
    expect(bytesOut).toBeGreaterThan(packetsOut);
  });

  test("a path that swallows long packets: they become shorter, the statistics tell of it, and a close gets through", async () => {
    await using pair = await connectPair({ conditions: { maxPacketBytes: 700 } });
    const lengths: number[] = [];
    const heard = new Promise<number[]>((resolve) => {
      pair.client.onMessage = ({ length }) => {
        if (lengths.push(length) === 2) resolve(lengths);
      };
    });
    expect(pair.server.stats.maxPacketBytes).toBe(1200);
    pair.server.send(Buffer.alloc(50_000, "a"), "reliable");
    pair.server.send(Buffer.alloc(1000, "b"), "reliable");
    expect(await heard).toEqual([50_000, 1000]);
    expect(pair.server.stats.maxPacketBytes).toBeLessThanOrEqual(700);
    const closed = new Promise((resolve) => {
      pair.client.onClose = (...how) => resolve(how);
    });
    pair.server.close(4000, "r".repeat(123));
    expect(await closed).toEqual(["remote", 4000, "r".repeat(123)]);
  });

  test("can be switched on and off in mid-game", async () => {
    await using pair = await connectPair();
    const { client, server } = pair;
    expect(server.conditions).toBeNull();
    const first = hear(client, ({ length }) => length === 1);
    server.conditions = { loss: 1 };
    expect(server.conditions).toEqual({ loss: 1 });
    for (let n = 0; n < 20; n++) server.send(Buffer.from("lost"), "unreliable");
    server.flush();
    server.conditions = null;
    server.send(Buffer.from("here"), "unreliable");
    expect(await first).toEqual([{ text: "here", mode: "unreliable", channel: 0 }]);
  });
});

describe("limits", () => {
  const ended = (session: Session) =>
    new Promise<unknown[]>((resolve) => {
      session.onClose = (...how) => resolve(how);
    });

  test("a message above the limit ends the session, and both sides know why; what is sent has no such limit", async () => {
    await using pair = await connectPair({ maxMessageBytes: 1000 });
    const heard = new Promise<number>((resolve) => {
      pair.client.onMessage = ({ length }) => resolve(length);
    });
    expect(pair.server.send(new Uint8Array(5000), "reliable")).toBe(true);
    expect(await heard).toBe(5000);
    const ends = [ended(pair.server), ended(pair.client)];
    expect(pair.client.send(new Uint8Array(5001), "reliable")).toBe(true);
    const text = "The peer sent a message of 5001 bytes, 1000 are allowed.";
    expect(await Promise.all(ends)).toEqual([
      ["limit", 1009, text],
      ["remote", 1009, text],
    ]);
    await expect.poll(() => pair.host.sessions.size).toBe(0);
  });

  test("a session that is aborted drops what waits, and the other side is told at once", async () => {
    await using pair = await connectPair({ conditions: { delayMs: 20, bytesPerSecond: 100_000 } });
    let heard = 0;
    pair.client.onMessage = ({ length }) => (heard += length);
    for (let n = 0; n < 100; n++) pair.server.send(new Uint8Array(50_000), "reliable");
    const end = ended(pair.client);
    await expect.poll(() => heard, { timeout: 10_000 }).toBeGreaterThan(0);
    pair.server.abort(4010, "too slow");
    expect(await end).toEqual(["remote", 4010, "too slow"]);
    expect(heard).toBeLessThan(1_000_000);
  });

  test("limits so small that no goodbye would fit hold for the application's messages alone", async () => {
    await using pair = await connectPair({ maxMessageBytes: 10 });
    const end = ended(pair.server);
    pair.client.close(4000, "r".repeat(123));
    expect(await end).toEqual(["remote", 4000, "r".repeat(123)]);
  });

  test("what waits for a peer is bounded, and room comes back", async () => {
    await using pair = await connectPair({}, { maxBufferedBytes: 10_000 });
    const data = new Uint8Array(1000);
    let taken = 0;
    while (pair.client.send(data, "reliable")) taken++;
    expect(taken).toBeGreaterThan(4);
    expect(taken).toBeLessThanOrEqual(10);
    expect(pair.client.stats.bufferedBytes).toBeLessThanOrEqual(10_000);
    await expect.poll(() => pair.client.stats.bufferedBytes).toBe(0);
    expect(pair.client.send(data, "reliable")).toBe(true);
  });
});
