// Somebody who takes of a game whatever it can get, by the game's own doors, and says how much that was.
import { Agent, request } from "node:http";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import type { ConnectReply } from "../../../sdk/src/colyseus/wire/connect-request.ts";
import { WEBRTC_PROTOCOL } from "../../../sdk/src/colyseus/wire/webrtc-request.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { readConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { writeRequest } from "../../../sdk/src/netcode/request.ts";
import { SESSION_PROTOCOL } from "../../../sdk/src/session/protocol.ts";
import { CHROMIUM } from "../../unit/colyseus/server/webrtc/offers.ts";

export interface HoarderArgs {
  url: string;
  /**
   * `create` and `joinOrCreate` ask for seats; `tokens` has connect tokens made for one seat and shows each; `offers` has WebRTC answers made
   * for as many seats as there are; `sessions` comes in as as many players as are let in, each into a room of its own; `join` comes in as
   * anybody does.
   */
  what: "create" | "joinOrCreate" | "tokens" | "offers" | "sessions" | "join";
  count: number;
  /** Default 32. */
  concurrency?: number;
  /** Requests are spread over so much time. Default: as fast as they go. */
  seconds?: number;
}

export interface Hoard {
  /** How often which status was answered; 0: none. */
  statuses: Record<string, number>;
  seconds: number;
  /** What was said to whom was refused. */
  errors: string[];
  /** Those that were joined. */
  rooms: string[];
}

const { url, what, count, concurrency = 32, seconds = 0 } = JSON.parse(process.argv[2] ?? "{}") as HoarderArgs;
const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
const statuses: Record<string, number> = {};
const errors = new Set<string>();
const rooms: string[] = [];
const began = performance.now();

function post(path: string, body: object): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const sent = request(new URL(path, url), {
      method: "POST",
      agent,
      headers: { "content-type": "application/json" },
    });
    sent.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
      response.on("close", () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.on("error", (error) => resolve({ status: 0, text: JSON.stringify({ error: error.message }) }));
    sent.end(JSON.stringify(body));
  });
}

function note({ status, text }: { status: number; text: string }): boolean {
  statuses[status] = (statuses[status] ?? 0) + 1;
  if (status !== 200 && errors.size < 20) errors.add(String((JSON.parse(text || "{}") as { error?: string }).error));
  return status === 200;
}

/** So much work, so much of it at once. */
async function repeat(work: (turn: number) => Promise<void>): Promise<void> {
  let turn = 0;
  const worker = async (): Promise<void> => {
    while (turn < count) {
      const mine = turn++;
      const wait = began + (mine * seconds * 1000) / count - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      await work(mine);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
}

async function seat(): Promise<object | undefined> {
  const answer = await post("/matchmake/joinOrCreate/arena", {});
  if (answer.status !== 200) note(answer);
  return answer.status === 200 ? { ...(JSON.parse(answer.text) as object), protocol: SESSION_PROTOCOL } : undefined;
}

if (what === "create" || what === "joinOrCreate") {
  await repeat(async () => void note(await post(`/matchmake/${what}/arena`, {})));
} else if (what === "offers") {
  await repeat(async () => {
    const mine = await seat();
    if (mine) note(await post("/sallyport/webrtc", { ...mine, protocol: WEBRTC_PROTOCOL, offer: CHROMIUM }));
  });
} else if (what === "tokens") {
  const socket = UDPSocket.open();
  const mine = await seat();
  const { hostname, port } = new URL(url);
  await repeat(async () => {
    const answer = await post("/sallyport/connect", mine ?? {});
    if (!note(answer)) return;
    const token = readConnectToken(Buffer.from((JSON.parse(answer.text) as ConnectReply).token, "base64"));
    if (typeof token === "string") throw new Error(token);
    socket.send(writeRequest(token), Number(port), hostname);
  });
  await socket.close();
} else {
  await repeat(async () => {
    try {
      const client = new SallyportClient(url);
      const room = await (what === "join" ? client.joinOrCreate("arena") : client.create("arena"));
      rooms.push(room.roomId);
      room.onMessage("*", () => {});
      note({ status: 200, text: "" });
    } catch (error) {
      const { code = 0, message } = error as { code?: number; message: string };
      note({ status: code, text: JSON.stringify({ error: message }) });
    }
  });
}
const took = (performance.now() - began) / 1000;
console.log(JSON.stringify({ event: "done", statuses, seconds: took, errors: [...errors], rooms }));
// What it holds it keeps.
process.stdin.resume();
process.stdin.once("end", () => process.exit(0));
