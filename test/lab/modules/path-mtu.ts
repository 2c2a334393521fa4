// One end of a session on a path whose MTU changes, server or player: small messages at 60 Hz all the time, 200 kB when a line
// "transfer" is read. Says when what arrives is complete, and how long packets are.
import { createInterface } from "node:readline";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { type Session } from "../../../sdk/src/session/types.ts";

export interface PathMtuArgs {
  /** Server: where it listens. */
  listen?: { address: string; port: number };
  /** Player: the connect token, in Base64. */
  token?: string;
}

const BYTES = 200_000;
const HZ = 60;
const SMALL = 0;
const LARGE = 1;

const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
/** CLOCK_MONOTONIC, which all processes of a machine share, in ms. */
const clock = (): number => Number(process.hrtime.bigint()) / 1e6;

function play(session: Session): void {
  let next = 0;
  let sent = 0;
  let slowestMs = 0;
  session.onMessage = (data, _mode, channel) => {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (channel === SMALL) {
      if (view.getUint32(8) !== next++) say({ event: "out-of-order", expected: next - 1, came: view.getUint32(8) });
      slowestMs = Math.max(slowestMs, clock() - view.getFloat64(0));
      return;
    }
    const right = data.length === BYTES && data.every((byte, n) => n < 8 || byte === (n * 31) % 251);
    say({ event: "transferred", right, ms: Math.round(clock() - view.getFloat64(0)), small: next, slowestMs });
    slowestMs = 0;
  };
  session.onClose = (reason) => say({ event: "closed", reason });
  const timer = setInterval(() => {
    const data = new Uint8Array(20);
    const view = new DataView(data.buffer);
    view.setFloat64(0, clock());
    view.setUint32(8, sent++);
    session.send(data, "reliable", { channel: SMALL });
  }, 1000 / HZ);
  let told = 0;
  const watch = setInterval(() => {
    const { maxPacketBytes } = session.stats;
    if (maxPacketBytes !== told) say({ event: "size", maxPacketBytes });
    told = maxPacketBytes;
  }, 20);
  createInterface(process.stdin).on("line", (line) => {
    if (line === "transfer") {
      const data = Uint8Array.from({ length: BYTES }, (_, n) => (n * 31) % 251);
      new DataView(data.buffer).setFloat64(0, clock());
      session.send(data, "reliable", { channel: LARGE });
      return;
    }
    clearInterval(timer);
    clearInterval(watch);
    process.exit();
  });
  say({ event: "open" });
}

const { listen, token } = JSON.parse(process.argv[2] ?? "{}") as PathMtuArgs;
if (listen) {
  const server = await UDPSessionServer.open(UDPSocket.open(listen));
  server.onSession = play;
  const made = server.createToken({ clientId: 1n, addresses: [listen], userData: new Uint8Array(0) });
  say({ event: "listening", token: Buffer.from(made).toString("base64") });
} else if (token !== undefined) {
  play(await connectSession(Buffer.from(token, "base64")));
}
