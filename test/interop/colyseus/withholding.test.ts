// A hundred players who make a server hold as much as they can, by every door, against default options; and one who plays.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { until } from "../../until.ts";
import { Program } from "./program.ts";
import { MODE, RawPlayer, type RawSeat, seatURL, sliceFrame, wholeFrame } from "./raw-player.ts";
import type { ArenaState } from "./rooms.ts";

const ATTACKERS = 100;
const MB = 1e6;
const TICK_MS = 50;
/** `Protocol.JOIN_ROOM`: the client is ready for the room's state. */
const JOIN_ROOM = 10;

interface Memory {
  used: number;
  sessions: number;
}

let stack: AsyncDisposableStack;
beforeEach(() => {
  stack = new AsyncDisposableStack();
});
afterEach(() => stack.disposeAsync());

/** A game with somebody in it who plays all the time. */
class Game {
  readonly url: string;
  #asked = 0;
  #answered = 0;
  #ended = 0;

  private constructor(url: string) {
    this.url = url;
  }

  static async start(options: object = {}, blobKiB = 0): Promise<Game> {
    const program = stack.use(new Program("memory.ts", [JSON.stringify(options), String(blobKiB)]));
    const game = new Game(`http://127.0.0.1:${await program.line(/^listening (\d+)/)}`);
    const room = await new SallyportClient(game.url, { lan: false }).joinById(await program.line(/^room (\S+)/));
    room.reconnection.enabled = false;
    room.onMessage("*", () => {});
    for (const signal of [room.onDrop, room.onLeave]) signal(() => game.#ended++);
    expect(room.path.kind).toBe("direct");
    await until(() => (room.state as ArenaState).blob?.length === blobKiB, { what: "the first state" });
    const timer = setInterval(() => {
      const n = ++game.#asked;
      room.request<number>("double", n).then(
        (twice) => void (game.#answered += twice === 2 * n ? 1 : 0),
        () => {},
      );
    }, TICK_MS);
    stack.defer(() => clearInterval(timer));
    return game;
  }

  async memory(): Promise<Memory> {
    return (await (await fetch(`${this.url}/memory`)).json()) as Memory;
  }

  async seats(count: number): Promise<RawSeat[]> {
    const response = await fetch(`${this.url}/seats/${count}`, { method: "POST" });
    return (await response.json()) as RawSeat[];
  }

  /** What the attack makes it hold, and what is left of that when the attackers are gone; nobody may have noticed. */
  async under(attack: () => Promise<readonly AsyncDisposable[]>): Promise<{ held: number; left: number }> {
    const before = await this.memory();
    const attackers = await attack();
    const during = await this.memory();
    for (const attacker of attackers) await attacker[Symbol.asyncDispose]();
    await until(async () => (await this.memory()).sessions <= 1, { timeoutMs: 30_000, what: "the attackers' end" });
    const after = await this.memory();
    const asked = this.#asked;
    await until(() => this.#answered >= asked || this.#ended > 0, { what: "an answer to everything" });
    expect([this.#ended, this.#answered >= asked]).toEqual([0, true]);
    const [held, left] = [during, after].map(({ used }) => Math.round((used - before.used) / MB)) as [number, number];
    console.log(`${expect.getState().currentTestName}: ${held} MB held by ${during.sessions - 1}, ${left} left`);
    return { held, left };
  }

  async players(): Promise<RawPlayer[]> {
    return await Promise.all((await this.seats(ATTACKERS)).map((seat) => RawPlayer.enter(this.url, seat)));
  }

  /** Each of a hundred players says these packets, all in turn. */
  async flood(packets: (say: RawPlayer["say"]) => Generator<void>): Promise<RawPlayer[]> {
    const players = await this.players();
    const talks = players.map((player) => packets((...frames) => player.connected && player.say(...frames)));
    for (let rest = talks; rest.length > 0; rest = rest.filter((talk) => talk.next().done !== true)) {
      // The host and the player have a turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    return players;
  }
}

const MOST_HELD = 100;
const MOST_LEFT = 20;
const bounded = ({ held, left }: { held: number; left: number }): void => {
  expect(held).toBeLessThanOrEqual(MOST_HELD);
  expect(left).toBeLessThanOrEqual(MOST_LEFT);
};

describe("over UDP: what never becomes whole, or comes before what never comes", () => {
  test.each<[string, object, (say: RawPlayer["say"]) => Generator<void>]>([
    [
      "a block in each page of long messages, where these are allowed",
      { maxPayload: 4 << 20 },
      function* (say) {
        for (let id = 1; id <= 4; id++) {
          for (let first = 0; first < 4096; first += 32 * 8) {
            say(...Array.from({ length: 8 }, (_, n) => slice(MODE.reliable, 0, id, 4 << 20, first + n * 32)));
            yield;
          }
        }
      },
    ],
    [
      "small messages behind a first one, in many channels",
      {},
      function* (say) {
        for (let channel = 1; channel < 60; channel++) {
          say(...Array.from({ length: 100 }, (_, n) => wholeFrame(MODE.reliable, channel, n + 1, 1)));
          yield;
        }
      },
    ],
    [
      "the beginnings of messages in every mode and many channels",
      {},
      function* (say) {
        for (let channel = 0; channel < 40; channel++) {
          for (const mode of [MODE.unreliable, MODE.unordered, MODE.reliable]) {
            say(...Array.from({ length: 7 }, (_, id) => slice(mode, channel, id + 1, 4096, 0)));
          }
          yield;
        }
      },
    ],
  ])("%s", { timeout: 90_000 }, async (_what, options, packets) => {
    const game = await Game.start(options);
    bounded(await game.under(() => game.flood(packets)));
  });
});

const slice = (mode: number, channel: number, id: number, total: number, first: number): Uint8Array =>
  sliceFrame(mode, channel, id, { total, first, length: 128 });

test("over UDP: a large state that is asked for and never acknowledged", { timeout: 90_000 }, async () => {
  const game = await Game.start({}, 3 * 1024);
  bounded(
    await game.under(async () => {
      const players = await game.players();
      for (const player of players) {
        player.say(wholeFrame(MODE.reliable, 0, 0, 1, JOIN_ROOM));
        await new Promise((resolve) => setImmediate(resolve));
      }
      await until(async () => (await game.memory()).sessions > 0);
      return players;
    }),
  );
});

/** A WebSocket's TCP connection, which says what it likes and reads nothing. */
async function webSocket(url: string, seat: RawSeat): Promise<Socket & AsyncDisposable> {
  const { hostname, port, pathname, search } = seatURL(url, seat);
  const socket = connect(Number(port), hostname);
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(
    `GET ${pathname}${search} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\n\r\n`,
  );
  await once(socket, "readable");
  return Object.assign(socket, {
    async [Symbol.asyncDispose]() {
      socket.destroy();
    },
  });
}

/** RFC 6455 section 5.2, with a mask of zeros. */
function frame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = length < 126 ? Buffer.of(opcode, 0x80 | length) : Buffer.of(opcode, 0xff, 0, 0, 0, 0, 0, 0, 0, 0);
  if (length >= 126) head.writeUInt32BE(length, 6);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}

const BINARY = 2;

describe("over WebSocket", () => {
  test.each([
    ["in one piece", 3 << 20],
    ["in small pieces", 1000],
  ])("messages of 4 MiB that lack an end, %s", { timeout: 90_000 }, async (_how, piece) => {
    const game = await Game.start({ maxPayload: 4 << 20 });
    bounded(
      await game.under(async () => {
        const sockets = await Promise.all((await game.seats(ATTACKERS)).map((seat) => webSocket(game.url, seat)));
        for (const socket of sockets) {
          for (let n = 0; n < (3 << 20) / piece; n++) socket.write(frame(n === 0 ? BINARY : 0, Buffer.alloc(piece)));
        }
        await Promise.all(sockets.map((socket) => until(() => socket.destroyed || socket.writableLength === 0)));
        await new Promise((resolve) => setTimeout(resolve, 500));
        return sockets;
      }),
    );
  });
});
