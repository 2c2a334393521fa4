// One end of the latency measurement, server or players: the same messages over a session (reliable and unreliable) and over
// `ws`, at the same time, both ways. Prints what arrived.
import { once } from "node:events";
import { WebSocket, WebSocketServer } from "ws";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { type Session } from "../../../sdk/src/session/types.ts";

export const KINDS = ["reliable", "unreliable", "ws"] as const;
export type Kind = (typeof KINDS)[number];

export interface ServerArgs {
  role: "server";
  address: string;
  port: number;
  players: number;
  messages: number;
}
export interface PlayersArgs {
  role: "players";
  address: string;
  port: number;
  tokens: string[];
  messages: number;
}
export interface Report {
  event: "report";
  kinds: Record<Kind, KindReport>;
}
export interface KindReport {
  /** One way, ms, as they came, after the warm-up. */
  delays: number[];
  missing: number;
  doubled: number;
  /** Arrived after one that was sent later. */
  reordered: number;
}

const HZ = 60;
/** The first seconds' messages are not timed: both processes are still compiling what they run. */
export const WARM_UP_MESSAGES = 2 * HZ;
const BYTES = 200;
/** A tick's messages don't leave at once, as players are not in step. */
const PARTS = 4;
/** How long the last ones may take, ms. */
const DRAIN_MS = 20_000;

/** CLOCK_MONOTONIC, which all processes of a machine share, in ms. */
const clockOffset = Number(process.hrtime.bigint()) / 1e6 - performance.now();
const clock = (): number => performance.now() + clockOffset;

type Send = (data: Uint8Array) => void;

class Measurement {
  readonly kinds: Record<Kind, KindReport>;
  readonly #messages: number;
  readonly #ways: Send[] = [];
  #missing = 0;
  #arrived: () => void = () => undefined;

  constructor(messages: number) {
    this.#messages = messages;
    const fresh = (): KindReport => ({ delays: [], missing: 0, doubled: 0, reordered: 0 });
    this.kinds = { reliable: fresh(), unreliable: fresh(), ws: fresh() };
  }

  /** A connection: how to send on it. @returns what is to be told of each message that arrives. */
  add(kind: Kind, send: Send): (data: Uint8Array) => void {
    this.#ways.push(send);
    const report = this.kinds[kind];
    const seen = new Uint8Array(this.#messages);
    let newest = -1;
    report.missing += this.#messages;
    if (kind !== "unreliable") this.#missing += this.#messages;
    return (data) => {
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      const number = view.getUint32(8);
      if (seen[number]) {
        report.doubled++;
        return;
      }
      seen[number] = 1;
      const delay = clock() - view.getFloat64(0);
      if (number >= WARM_UP_MESSAGES) report.delays.push(Math.round(delay * 1000) / 1000);
      report.missing--;
      if (number < newest) report.reordered++;
      newest = Math.max(newest, number);
      if (kind !== "unreliable" && --this.#missing === 0) this.#arrived();
    };
  }

  async run(): Promise<Report> {
    const all = new Promise<void>((resolve) => {
      this.#arrived = resolve;
    });
    if (this.#missing === 0) this.#arrived();
    const data = new Uint8Array(BYTES);
    const view = new DataView(data.buffer);
    const begun = performance.now();
    for (let part = 0; part < this.#messages * PARTS; part++) {
      const wait = begun + (part * 1000) / HZ / PARTS - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      view.setUint32(8, Math.floor(part / PARTS));
      for (let n = part % PARTS; n < this.#ways.length; n += PARTS) {
        view.setFloat64(0, clock());
        this.#ways[n]?.(data);
      }
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, DRAIN_MS);
    });
    await Promise.race([all, late]);
    clearTimeout(timer);
    return { event: "report", kinds: this.kinds };
  }

  addSession(session: Session, mode: "reliable" | "unreliable"): void {
    session.onMessage = this.add(mode, (data) => {
      session.send(data, mode);
      session.flush();
    });
  }

  addSocket(socket: WebSocket): void {
    const arrived = this.add("ws", (data) => socket.send(data.slice()));
    socket.on("message", (data) => arrived(data as Buffer));
  }
}

const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

async function serve({ address, port, players, messages }: ServerArgs): Promise<void> {
  const measurement = new Measurement(messages);
  const socket = UDPSocket.open({ address, port, receiveBufferSize: 1 << 20 });
  const server = await UDPSessionServer.open(socket);
  let waiting = 3 * players;
  const all = new Promise<void>((resolve) => {
    const added = (): void => {
      if (--waiting === 0) resolve();
    };
    server.onSession = (session) => {
      measurement.addSession(session, session.clientId % 2n === 0n ? "reliable" : "unreliable");
      added();
    };
    const webSockets = new WebSocketServer({ host: address, port, perMessageDeflate: false });
    webSockets.on("connection", (webSocket) => {
      measurement.addSocket(webSocket);
      added();
    });
  });
  const tokens = Array.from({ length: 2 * players }, (_, n) =>
    Buffer.from(
      server.createToken({ clientId: BigInt(n), addresses: [{ address, port }], userData: new Uint8Array(0) }),
    ).toString("base64"),
  );
  say({ event: "listening", tokens });
  await all;
  await once(process.stdin, "data");
  say(await measurement.run());
}

async function play({ address, port, tokens, messages }: PlayersArgs): Promise<void> {
  const measurement = new Measurement(messages);
  for (const [n, token] of tokens.entries()) {
    const session = await connectSession(Buffer.from(token, "base64"));
    measurement.addSession(session, n % 2 === 0 ? "reliable" : "unreliable");
    if (n % 2 === 0) continue;
    const webSocket = new WebSocket(`ws://${address}:${port}`, { perMessageDeflate: false });
    await once(webSocket, "open");
    measurement.addSocket(webSocket);
  }
  say({ event: "ready" });
  await once(process.stdin, "data");
  say(await measurement.run());
}

const given = process.argv[2];
if (given !== undefined && import.meta.main) {
  const args = JSON.parse(given) as ServerArgs | PlayersArgs;
  await (args.role === "server" ? serve(args) : play(args));
  // The other side may still wait for what it has not got.
  await once(process.stdin, "data");
  process.exit();
}
