import { once } from "node:events";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { Program } from "./program.ts";

/** The whole answer to raw bytes; the first line of it is the status. */
async function ask(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  socket.end(bytes);
  return await text(socket).catch(() => "");
}

/** Sends raw bytes and a reset right after them. */
async function reset(port: number, bytes: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => {});
  await once(socket, "connect");
  socket.write(bytes);
  socket.resetAndDestroy();
}

const statusOf = (answer: string): number => Number(answer.split(" ", 2)[1]);
const POST = "POST /matchmake/create/open HTTP/1.1\r\n";
const JSON_BODY = "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
const UPGRADE =
  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";

const HOSTILE: [what: string, bytes: string, status: number][] = [
  ["a Host with a space", `${POST}Host: a b\r\n${JSON_BODY}`, 400],
  ["a Host that is no address", `${POST}Host: [\r\n${JSON_BODY}`, 400],
  ["a Host that is half an address", `${POST}Host: [1:2]\r\n${JSON_BODY}`, 400],
  ["a Host with numbers out of range", `${POST}Host: 256.1.1.1\r\n${JSON_BODY}`, 400],
  ["a Host with a port out of range", `${POST}Host: x:99999\r\n${JSON_BODY}`, 400],
  ["a Host with a user", `${POST}Host: a:b@c\r\n${JSON_BODY}`, 400],
  ["a Host with a broken IDNA name", `${POST}Host: xn--a-ecp.ru--\u00ad\r\n${JSON_BODY}`, 400],
  ["a whole URL for a path", `POST http://x/matchmake/create/open HTTP/1.1\r\nHost: x\r\n${JSON_BODY}`, 400],
  ["a method that fetch refuses", `TRACE /matchmake/create/open HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, 405],
  ["a matchmaking body of 99 MB", `${POST}Host: x\r\nContent-Type: a/b\r\nContent-Length: 99999999\r\n\r\n`, 413],
  [
    "the same, by a roundabout path",
    "POST /x/../%6datchmake/join/a HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n",
    413,
  ],
  ["a matchmaking body without end", `${POST}Host: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n`, 411],
  ["a WebSocket for a Host that is none", `GET /a/b?sessionId=1 HTTP/1.1\r\nHost: [\r\n${UPGRADE}`, 400],
  ["a WebSocket for a whole URL", `GET http://x/a/b?sessionId=1 HTTP/1.1\r\nHost: x\r\n${UPGRADE}`, 400],
];

describe.each([
  ["SallyportTransport", "sallyport"],
  ["another transport, with guardRequests", "guarded"],
])("%s", (_name, kind) => {
  test("refuses what would end the process, and what would fill it", async () => {
    await using program = new Program("guarded.ts", [kind]);
    const port = Number(await program.line(/^listening (\d+)/));
    for (const [what, bytes, status] of HOSTILE) {
      expect([what, statusOf(await ask(port, bytes))]).toEqual([what, status]);
    }
    // Headers that are not believed do no harm.
    for (const header of ["X-Forwarded-Proto: ://", "X-Forwarded-For: a b", "X-Real-Ip: ,"]) {
      expect(statusOf(await ask(port, `${POST}Host: x\r\n${header}\r\n${JSON_BODY}`))).toBe(200);
    }
    for (const host of ["localhost", "my_game.example:80", "127.0.0.1:1", "[::1]:7777", "[::ffff:1.2.3.4]"]) {
      expect([host, statusOf(await ask(port, `${POST}Host: ${host}\r\n${JSON_BODY}`))]).toEqual([host, 200]);
    }
    expect(statusOf(await ask(port, "GET /__healthcheck HTTP/1.0\r\n\r\n"))).toBe(200);
    expect(program.over).toBe(false);
  });

  test("a caller who resets its connection as soon as it has asked ends nothing", async () => {
    await using program = new Program("guarded.ts", [kind]);
    const port = Number(await program.line(/^listening (\d+)/));
    const asked = [...HOSTILE.map(([, bytes]) => bytes), `GET /a/b?sessionId=1 HTTP/1.1\r\nHost: x\r\n${UPGRADE}`];
    for (const bytes of asked) for (let i = 0; i < 4; i++) await reset(port, bytes);
    expect(statusOf(await ask(port, "GET /__healthcheck HTTP/1.0\r\n\r\n"))).toBe(200);
    expect(program.over).toBe(false);
  });

  test("shows onAuth the address of the socket, whatever the client says", async () => {
    await using program = new Program("guarded.ts", [kind]);
    const port = Number(await program.line(/^listening (\d+)/));
    const lies = "X-Forwarded-For: 192.0.2.1\r\nX-Real-Ip: 192.0.2.2\r\nX-Client-Ip: 192.0.2.3\r\n";
    await ask(port, `${POST}Host: x\r\n${lies}${JSON_BODY}`);
    expect(await program.line(/^onAuth (.*)/)).toBe("127.0.0.1");
  });

  test("with trustProxy, the address that the proxy names, but no protocol that is none", async () => {
    await using program = new Program("guarded.ts", [kind, "trust-proxy"]);
    const port = Number(await program.line(/^listening (\d+)/));
    await ask(
      port,
      `${POST}Host: x\r\nX-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-Proto: https, http\r\n${JSON_BODY}`,
    );
    expect(await program.line(/^onAuth (.*)/)).toBe("192.0.2.1");
    expect(statusOf(await ask(port, `${POST}Host: x\r\nX-Forwarded-Proto: ://\r\n${JSON_BODY}`))).toBe(400);
    expect(program.over).toBe(false);
  });
});
