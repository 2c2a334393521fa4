/** Strangers at the door for browsers, with the real library behind it. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { WEBRTC_PROTOCOL } from "../../../sdk/src/colyseus/wire/webrtc-request.ts";
import { CHROMIUM } from "../../unit/colyseus/server/webrtc/offers.ts";
import { startServer, type TestServer } from "./harness.ts";
import type { ArenaRoom } from "./rooms.ts";

let server: TestServer;

beforeAll(async () => {
  server = await startServer({ webrtc: true });
});
afterAll(() => server[Symbol.asyncDispose]());

async function post(body: string, headers: Record<string, string> = {}): Promise<{ status: number; json: Reply }> {
  const response = await fetch(`${server.url}/sallyport/webrtc`, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  return { status: response.status, json: (await response.json()) as Reply };
}
interface Reply {
  error?: string;
  answer?: string;
}
async function seat(): Promise<{ roomId: string; sessionId: string }> {
  const response = await fetch(`${server.url}/matchmake/joinOrCreate/arena`, {
    method: "POST",
    body: "{}",
    headers: { "content-type": "application/json" },
  });
  return (await response.json()) as { roomId: string; sessionId: string };
}
const offer = (of: { roomId: string; sessionId: string }, sdp = CHROMIUM): string =>
  JSON.stringify({ protocol: WEBRTC_PROTOCOL, roomId: of.roomId, sessionId: of.sessionId, offer: sdp });

test("who holds a seat gets an answer with where to send; other pages may ask too", async () => {
  const { status, json } = await post(offer(await seat()), { origin: "https://game.example" });
  expect(status).toBe(200);
  expect(json.answer).toMatch(/^a=candidate:s0 1 UDP \d+ 127\.0\.0\.1 \d+ typ host\r$/m);
  expect(json.answer).toMatch(/^a=fingerprint:sha-256 /m);
  const preflight = await fetch(`${server.url}/sallyport/webrtc`, {
    method: "OPTIONS",
    headers: { origin: "https://game.example", "access-control-request-method": "POST" },
  });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get("access-control-allow-origin")).toBe("https://game.example");
  expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
});

test("one seat makes a few offers, however many are sent, and the game goes on", async () => {
  const mine = await seat();
  const answers = await Promise.all(Array.from({ length: 15 }, () => post(offer(mine))));
  expect(answers.filter(({ status }) => status === 200).length).toBe(4);
  expect(answers.find(({ status }) => status === 429)?.json.error).toMatch(/^Too many offers for this seat: wait /);
  const flood = await Promise.all(Array.from({ length: 300 }, () => post(offer(mine))));
  expect(flood.map(({ status }) => status).filter((status) => status !== 429).length).toBeLessThanOrEqual(4);
  // The limit is for the ways beside WebSocket, by which others from there still come.
  const room = await server.client({ udp: false }).joinOrCreate<ArenaRoom>("arena", { name: "Ada" });
  room.onMessage("welcome", () => {});
  expect(room.path.kind).toBe("websocket");
  await room.leave();
}, 30_000);

test("no seat, somebody else's seat, nonsense: refused, and no peer is made of it", async () => {
  await using quiet = await anotherServer();
  const ask = (body: string) => fetch(`${quiet.url}/sallyport/webrtc`, { method: "POST", body });
  const status = async (body: string) => (await ask(body)).status;
  expect(await status(offer({ roomId: "none", sessionId: "none" }))).toBe(404);
  expect(await status("{")).toBe(400);
  expect(await status("null")).toBe(400);
  expect(await status(offer({ roomId: "r", sessionId: "s" }, "v=0\r\n"))).toBe(400);
  expect(await status(offer({ roomId: "r", sessionId: "s" }, CHROMIUM.replaceAll("sha-256", "sha-1")))).toBe(400);
  expect(await status(offer({ roomId: "r", sessionId: "s" }, "v=0\r\n".repeat(10_000)))).toBe(413);
  expect((await fetch(`${quiet.url}/sallyport/webrtc`)).status).toBe(405);
});

/** The matchmaker is one for the process; the door is another. */
async function anotherServer(): Promise<{ url: string } & AsyncDisposable> {
  const { SallyportTransport } = await import("../../../sdk/src/doors/colyseus.ts");
  const transport = new SallyportTransport({ connectivity: false, webrtc: true });
  await new Promise<void>((resolve, reject) => {
    transport.listen(0, "127.0.0.1", undefined, (error) => (error ? reject(error) : resolve()));
  });
  const address = transport.server.address();
  if (address === null || typeof address === "string") throw new Error("It does not listen.");
  return { url: `http://127.0.0.1:${address.port}`, [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose]() };
}
