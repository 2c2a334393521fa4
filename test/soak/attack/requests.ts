// Says hostile things to an HTTP port, from many addresses, some of them by WebSocket with a seat that it took, and counts the answers.
import { request } from "node:http";
import { connect } from "node:net";
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import { HostileRequests } from "./hostile-requests.ts";

export interface RequestsArgs {
  address: string;
  port: number;
  count: number;
  from: readonly string[];
  seed: number;
  /** How a seat is asked for: path and body. */
  seat: { path: string; body: object };
}

export interface RequestsReport extends Record<string, unknown> {
  event: "asked";
  sent: number;
  seconds: number;
  /** Answers by status; 0: none. */
  statuses: Record<string, number>;
  seats: number;
  /** The first lines of some that were answered with 500: a fault of the server's, not of who asks. */
  faults: string[];
}

const AT_ONCE = 32;
/** One in so many has a seat first. */
const SEAT_EVERY = 20;
/** An answer comes within this time, or none is waited for, ms. */
const WAIT_MS = 250;
const TIMEOUT_MS = 10_000;
const MAX_FAULTS = 5;

const { address, port, count, from, seed, seat } = JSON.parse(process.argv[2] ?? "{}") as RequestsArgs;
const random = seededRandom(seed);
const hostile = new HostileRequests(random);
const report: RequestsReport = { event: "asked", sent: 0, seconds: 0, statuses: {}, seats: 0, faults: [] };
const source = (): string => from[Math.floor(random() * from.length)] ?? "";

/** Sends bytes, waits for the first answer, sends what follows, and goes. */
function say(data: Buffer, after: Buffer | undefined): Promise<void> {
  return new Promise((resolve) => {
    let status = "0";
    const socket = connect({ host: address, port, localAddress: source() });
    const timer = setTimeout(() => socket.destroy(), WAIT_MS);
    socket.on("connect", () => socket.write(data));
    socket.once("data", (answer) => {
      status = /^HTTP\/1\.1 (\d{3})/.exec(answer.toString("latin1"))?.[1] ?? "?";
      if (after === undefined) socket.destroy();
      else socket.write(after, () => timer.refresh());
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      report.statuses[status] = (report.statuses[status] ?? 0) + 1;
      if (status === "500" && report.faults.length < MAX_FAULTS) report.faults.push(data.toString("latin1", 0, 100));
      resolve();
    });
  });
}

interface Seat {
  room?: { processId?: string; roomId?: string };
  processId?: string;
  roomId?: string;
  sessionId?: string;
}

/** The path of a seat's WebSocket; undefined where there is no seat to be had. */
function takeSeat(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const asked = request({
      host: address,
      port,
      path: seat.path,
      method: "POST",
      localAddress: source(),
      agent: false,
      timeout: TIMEOUT_MS,
      headers: { "content-type": "application/json" },
    });
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(undefined));
    asked.on("response", (response) => {
      let text = "";
      response.on("data", (data: Buffer) => (text += data.toString()));
      response.on("close", () => {
        const {
          room,
          processId = room?.processId,
          roomId = room?.roomId,
          sessionId,
        } = (response.statusCode === 200 ? JSON.parse(text) : {}) as Seat;
        if (sessionId === undefined) resolve(undefined);
        else resolve(`/${processId}/${roomId}?sessionId=${sessionId}`);
      });
    });
    asked.end(JSON.stringify(seat.body));
  });
}

const upgrade = (path: string): Buffer =>
  Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: ${address}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c3RyYW5nZXJzdHJhbmdlcg==\r\n\r\n",
  );

const begun = performance.now();
await Promise.all(
  Array.from({ length: AT_ONCE }, async () => {
    while (report.sent < count) {
      const path = ++report.sent % SEAT_EVERY === 0 ? await takeSeat() : undefined;
      if (path === undefined) {
        await say(hostile.next(), undefined);
      } else {
        report.seats++;
        await say(upgrade(path), hostile.frames());
      }
    }
  }),
);
report.seconds = (performance.now() - begun) / 1000;
console.log(JSON.stringify(report));
process.exit(0);
