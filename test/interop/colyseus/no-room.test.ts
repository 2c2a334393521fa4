/** Rooms that every object has by inheritance: Colyseus keeps its rooms in a plain one. Each door has to say that there is no such room. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { SESSION_PROTOCOL } from "../../../sdk/src/session/protocol.ts";
import { CHROMIUM } from "../../unit/colyseus/server/webrtc/offers.ts";
import { until } from "../../until.ts";
import { Program } from "./program.ts";

const INHERITED = Object.getOwnPropertyNames(Object.prototype);

async function post(url: string, body: unknown): Promise<{ status: number; text: string }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body), headers });
  return { status: response.status, text: await response.text() };
}

const UPGRADE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

/** What is answered to a WebSocket's wish for a path as it stands: `ws` would tidy it up. */
async function upgrade(port: string, path: string): Promise<number> {
  const socket = connect(Number(port), "127.0.0.1");
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n${UPGRADE}`);
  const [answer] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  return Number(answer.toString().split(" ", 2)[1]);
}

describe.each(["sallyport", "guarded"])("%s", (kind) => {
  test("a WebSocket to no room", async () => {
    await using program = new Program("guarded.ts", [kind, "loud"]);
    const port = await program.line(/^listening (\d+)/);
    for (const roomId of INHERITED) {
      for (const query of ["?sessionId=a", "?sessionId=__proto__&reconnectionToken=__proto__", "", "?sessionId=a#/x"]) {
        const status = await upgrade(port, `/p/${roomId}${query}`);
        expect([roomId, query, status]).toEqual([roomId, query, 404]);
      }
    }
    for (const path of ["/p/./__proto__", "/p\\__proto__", "/x/p/__proto__", "/%70/__proto__", "/p/__proto__#/x"]) {
      expect([path, await upgrade(port, `${path}?sessionId=a`)]).toEqual([path, 404]);
    }
    // These name no room at all.
    for (const path of ["/p/%5f%5fproto__", "/p/__proto__/", "/__proto__/", "/p/__proto__%00"]) {
      expect([path, await upgrade(port, `${path}?sessionId=a`)]).toEqual([path, 101]);
    }
    expect(program.text("stderr")).toBe("");
  });

  test("matchmaking by no room's id, and by names that are none", async () => {
    await using program = new Program("guarded.ts", [kind, "loud"]);
    const url = `http://127.0.0.1:${await program.line(/^listening (\d+)/)}/matchmake`;
    for (const name of INHERITED) {
      for (const method of ["joinById", "reconnect", "join", "create", "joinOrCreate", name]) {
        const { status, text } = await post(`${url}/${method}/${name}`, { reconnectionToken: name });
        expect([method, name, status]).toEqual([
          method,
          name,
          expect.toSatisfy((code: number) => code >= 400 && code !== 500),
        ]);
        expect(text).not.toMatch(/\n\s+at /);
      }
    }
    expect(program.text("stderr")).toBe("");
  });
});

test.each(["connect", "webrtc"])(
  "POST /sallyport/%s for no room is refused, counted, and leaves no trace",
  async (door) => {
    await using program = new Program("guarded.ts", ["sallyport", "loud"]);
    const url = `http://127.0.0.1:${await program.line(/^listening (\d+)/)}/sallyport/${door}`;
    const statuses: number[] = [];
    for (const roomId of [...INHERITED, ...INHERITED]) {
      const { status, text } = await post(url, { roomId, sessionId: "__proto__", offer: CHROMIUM });
      expect(text).not.toMatch(/TypeError|is not a function|\n\s+at /);
      statuses.push(status);
    }
    expect(new Set(statuses.slice(0, 20))).toEqual(new Set([404]));
    expect(statuses.at(-1)).toBe(429);
    expect(program.text("stderr")).toBe("");
  },
);

test("WebSockets to no room count too: who goes on that way is told to wait, and who has a seat is not", async () => {
  await using program = new Program("guarded.ts", ["sallyport", "loud"]);
  const port = await program.line(/^listening (\d+)/);
  const asks = async (seat: object): Promise<number> => {
    const { status } = await post(`http://127.0.0.1:${port}/sallyport/connect`, {
      ...seat,
      protocol: SESSION_PROTOCOL,
    });
    return status;
  };
  const asksWithSeat = async (): Promise<number> => {
    const { text } = await post(`http://127.0.0.1:${port}/matchmake/create/open`, {});
    return await asks(JSON.parse(text) as object);
  };
  expect(await asksWithSeat()).toBe(200);
  for (let i = 0; i < 10; i++) {
    await upgrade(port, "/p/__proto__?sessionId=a");
    await upgrade(port, "/p/nowhere?sessionId=a");
  }
  await until(async () => (await asks({ roomId: "nowhere", sessionId: "a" })) === 429, { timeoutMs: 9000 });
  expect(await asksWithSeat()).toBe(200);
});

test("frames that cannot be read, of many players: the log says so a hundred times, then how many more there were", async () => {
  await using program = new Program("guarded.ts", ["sallyport", "loud"]);
  const port = await program.line(/^listening (\d+)/);
  const spoil = async (): Promise<void> => {
    const { text } = await post(`http://127.0.0.1:${port}/matchmake/joinOrCreate/open`, {});
    const { roomId, sessionId, processId } = JSON.parse(text) as Record<string, string>;
    const socket = new WebSocket(`ws://127.0.0.1:${port}/${processId}/${roomId}?sessionId=${sessionId}`);
    await once(socket, "message");
    socket.send(Buffer.of(10)); // JOIN_ROOM
    socket.send(Buffer.from([13, 0xa1, 0x78, 0xc1, 0xc1])); // ROOM_DATA with a payload that MessagePack has not
    await once(socket, "close");
  };
  for (let i = 0; i < 130; i++) await spoil();
  const errors = (): number => program.text("stderr").match(/^\w*Error/gm)?.length ?? 0;
  expect(errors()).toBeGreaterThan(50);
  // A hundred at once, and one a second.
  expect(errors()).toBeLessThan(125);
  await until(async () => {
    await spoil();
    return /more lines like the last ones were left out/.test(program.text("stderr"));
  });
});
