/**
 * Relays as a program of their own, for machines of the lab: Nostr relays of any behaviour on ports from 7000 on, each with its delay, and
 * a stream proxy before a broker, which adds one. What they see is appended to a file, one JSON a line.
 *
 *     node run.ts '{"log": "/tmp/seen", "nostr": [{"delayMs": 40}, {"behaviour": "liar"}], "broker": {"port": 1884, "to": 1883, "delayMs": 80}}'
 */
import { appendFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { certificate } from "../certificate.ts";
import { NostrRelay, type NostrRelayOptions } from "./nostr-relay.ts";

interface Options {
  log: string;
  nostr: (NostrRelayOptions & { isSecure?: boolean })[];
  broker?: { port: number; to: number; delayMs: number };
}

const { log, nostr, broker } = JSON.parse(process.argv[2] ?? "{}") as Options;
const FIRST_PORT = 7000;
const see = (relay: string, text: string): void => appendFileSync(log, `${JSON.stringify({ relay, text })}\n`);

for (const [i, { isSecure, ...options }] of nostr.entries()) {
  const port = FIRST_PORT + i;
  const tls = isSecure ? { tls: certificate() } : {};
  await NostrRelay.start({ ...options, ...tls, port, host: "0.0.0.0", onText: (text) => see(`nostr ${port}`, text) });
}
if (broker !== undefined) {
  const server = createServer((client) => {
    const upstream = connect(broker.to, "127.0.0.1");
    pass(client, upstream, (data) => see("mqtt", data.toString("latin1")));
    pass(upstream, client, () => undefined);
  });
  server.listen(broker.port, "0.0.0.0");
}
console.log("relays listen");

function pass(from: Socket, to: Socket, look: (data: Buffer) => void): void {
  from.on("error", () => to.destroy());
  from.on("close", () => setTimeout(() => to.destroy(), broker?.delayMs));
  from.on("data", (data: Buffer) => {
    look(data);
    setTimeout(() => to.destroyed || to.write(data), broker?.delayMs);
  });
}
