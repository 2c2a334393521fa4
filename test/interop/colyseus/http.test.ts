import type { IncomingMessage } from "node:http";
import { logger, matchMaker } from "@colyseus/core";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CONNECT_PROTOCOL, type ConnectReply } from "../../../sdk/src/colyseus/wire/connect-request.ts";
import { startServer, type TestServer } from "./harness.ts";

let arena: TestServer;
let admit: (request: IncomingMessage) => boolean = () => true;
let intercept: (url: string) => Response | undefined = () => undefined;

beforeAll(async () => {
  arena = await startServer({
    verifyClient: ({ req }: { req: IncomingMessage }) => admit(req),
    beforeUpgrade: ({ url }) => intercept(url),
  });
});
afterAll(() => arena[Symbol.asyncDispose]());

function post(body: string | object, init: RequestInit = {}): Promise<Response> {
  const text = typeof body === "string" ? body : JSON.stringify({ protocol: CONNECT_PROTOCOL, ...body });
  return fetch(`${arena.url}/sallyport/connect`, { method: "POST", body: text, ...init });
}

async function seat(): Promise<{ roomId: string; sessionId: string }> {
  const { roomId, sessionId } = await matchMaker.create("arena", {});
  return { roomId, sessionId };
}

test("gives a token to whoever holds a seat, with the dialed address first", async () => {
  const response = await post({ ...(await seat()), dialed: [{ address: "198.51.100.7", port: 1234 }] });
  const reply = (await response.json()) as ConnectReply;
  expect(response.status).toBe(200);
  expect(reply.protocol).toBe(CONNECT_PROTOCOL);
  expect(Buffer.from(reply.token, "base64").length).toBe(2048);
  expect(reply.endpoints[0]).toEqual({ kind: "dialed", address: "198.51.100.7", port: 1234 });
  expect(reply.endpoints.length).toBeGreaterThan(1);
});

test("a token does not take the seat: it is still there for WebSocket", async () => {
  const mine = await seat();
  await post(mine);
  expect(matchMaker.getLocalRoomById(mine.roomId).hasReservedSeat(mine.sessionId)).toBe(true);
});

test("tells a client of another version, which keeps its seat and is slowed down by nothing; the log says it once", async () => {
  const warn = vi.spyOn(logger, "warn");
  const ours = CONNECT_PROTOCOL;
  const mine = await seat();
  for (const protocol of [1, ours + 1]) {
    for (let n = 0; n < 40; n++) {
      const response = await post({ ...mine, protocol: protocol === 1 ? undefined : protocol });
      expect(response.status).toBe(409);
      const update = protocol < ours ? "client" : "server";
      expect(await response.json()).toEqual({
        code: 409,
        error: `This game's server speaks Sallyport protocol ${ours}, this client ${protocol}: update the ${update}`,
        protocol: ours,
      });
    }
    const said = warn.mock.calls.flat().filter((line) => String(line).includes(`protocol ${protocol}, this server`));
    expect(said.length).toBe(1);
  }
  expect((await post(mine)).status).toBe(200);
  // Only whoever holds a seat is told.
  expect((await post({ ...mine, sessionId: "another", protocol: 9 })).status).toBe(404);
  expect(warn.mock.calls.flat().some((line) => String(line).includes("protocol 9"))).toBe(false);
  warn.mockRestore();
});

test.each([
  ["no JSON", "{", 400],
  ["a version that is none", { roomId: "a", sessionId: "b", protocol: "two" }, 400],
  ["a request without a seat", {}, 400],
  ["names too long for a token", { roomId: "x".repeat(200), sessionId: "y".repeat(100) }, 404],
  ["a room that is not here", { roomId: "nowhere", sessionId: "s" }, 404],
  ["a body without end", `{"roomId":"${"x".repeat(5000)}"}`, 413],
])("refuses %s", async (_what, body, status) => {
  const response = await post(body);
  expect(response.status).toBe(status);
  expect(await response.json()).toMatchObject({ code: expect.any(Number), error: expect.any(String) });
});

test("refuses a session that has no seat in the room, and a token that is not its own", async () => {
  const mine = await seat();
  expect((await post({ ...mine, sessionId: "another" })).status).toBe(404);
  const { reconnectionToken } = await arena.client().consumeSeatReservation({ ...mine, name: "arena", processId: "p" });
  expect((await post(mine)).status).toBe(404);
  expect((await post({ ...mine, reconnectionToken: "guessed" })).status).toBe(404);
  const token = reconnectionToken.split(":")[1];
  expect((await post({ ...mine, reconnectionToken: token })).status).toBe(200);
});

test("lets web pages of other origins ask, as Colyseus' matchmaking does", async () => {
  const headers = { origin: "https://game.example", "access-control-request-method": "POST" };
  for (const path of ["/sallyport/connect", "/matchmake/create/arena"]) {
    const response = await fetch(arena.url + path, { method: "OPTIONS", headers });
    expect(response.status).toBe(204);
    expect(response.headers.get("access-control-allow-origin")).toBe("https://game.example");
    expect(response.headers.get("access-control-allow-methods")).toContain("POST");
  }
  expect((await post(await seat(), { headers })).headers.get("access-control-allow-origin")).toBe(
    "https://game.example",
  );
});

test("leaves all other paths to Colyseus", async () => {
  expect((await fetch(`${arena.url}/__healthcheck`)).status).toBe(200);
  expect((await fetch(`${arena.url}/sallyport`)).status).toBe(404);
  expect((await fetch(`${arena.url}/sallyport/connect`)).status).toBe(405);
  await expect(arena.client().getAvailableRooms("arena")).rejects.toMatchObject({ code: 404 });
});

describe("Colyseus' gatekeepers", () => {
  test("verifyClient", async () => {
    admit = (request) => request.headers["x-friend"] !== undefined;
    try {
      expect((await post(await seat())).status).toBe(401);
      expect((await post(await seat(), { headers: { "x-friend": "yes" } })).status).toBe(200);
      await expect(arena.client().create("arena")).rejects.toThrow(/WebSocket/);
    } finally {
      admit = () => true;
    }
  });

  test("beforeUpgrade", async () => {
    intercept = () => new Response("tomorrow", { status: 418, headers: { "x-reason": "closed" } });
    try {
      const response = await post(await seat());
      expect([response.status, response.headers.get("x-reason"), await response.text()]).toEqual([
        418,
        "closed",
        "tomorrow",
      ]);
    } finally {
      intercept = () => undefined;
    }
  });
});

test("who guesses seats has to wait, and who has one behind the same address does not", async () => {
  const guess = (body = {}) => post({ roomId: "a", sessionId: "b", ...body });
  const statuses = await Promise.all(Array.from({ length: 30 }, async () => (await guess()).status));
  expect(new Set(statuses)).toEqual(new Set([404, 429]));
  const refused = await guess();
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "1"]);
  expect(await refused.json()).toEqual({
    code: 429,
    error: "Too many requests without a seat from your address: wait a second.",
  });
  // A page of another origin sees no header that is not named.
  expect(refused.headers.get("access-control-expose-headers")).toBe("Retry-After");
  // After a restart everybody comes back with a token for a room that is gone.
  expect((await guess({ reconnectionToken: "kept" })).status).toBe(404);
  expect((await post(await seat())).status).toBe(200);
  const room = await arena.client().create("arena");
  expect(room.path.kind).toBe("direct");
  await room.leave();
});
