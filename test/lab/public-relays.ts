/** What stands in for the internet's public relays and STUN servers: each with the delay of a real one, one dead, one lying. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Lab } from "./lab/index.ts";

/** In either direction, ms: what a relay in the same country, on the same continent and beyond the sea has. */
const DELAYS_MS = [40, 80, 150] as const;
const FIRST_PORT = 7000;
const DEAD_PORT = 7900;
const BROKER = { port: 1884, to: 1883, delayMs: 80 } as const;

export interface PublicRelays {
  relays: string[];
  stunServers: string[];
  /** For programs that read it. */
  environment: Record<string, string>;
  /** A file in which each line is what one relay saw: `{ relay, text }`. */
  log: string;
}

/** @param withTls Nostr relays speak wss, with certificates that nobody signed: for pages of https: */
export async function startPublicRelays(lab: Lab, withTls = false): Promise<PublicRelays> {
  const [meeting, ...stunHosts] = await Promise.all([lab.host(), lab.host(), lab.host()]);
  const log = join(meeting.directory, "seen.log");
  await writeFile(log, "");
  const configuration = join(meeting.directory, "mosquitto.conf");
  await writeFile(configuration, `listener ${BROKER.to} 127.0.0.1\nallow_anonymous true\n`);
  meeting.spawn(["mosquitto", "-c", configuration]);
  const nostr = [
    ...DELAYS_MS.map((delayMs) => ({ delayMs, isSecure: withTls })),
    { delayMs: 40, behaviour: "liar", isSecure: withTls },
  ];
  const listening = meeting.spawnModule(new URL("../relays/run.ts", import.meta.url), { log, nostr, broker: BROKER });
  // Plain ones, with one address, as the public ones are.
  const stun = stunHosts.map((on) =>
    on.spawnModule(new URL("./modules/stun-server.ts", import.meta.url), { ignoresResponsePort: true }),
  );
  await Promise.all([...stun.map((each) => each.waitForLine(/listening/)), listening.waitForLine(/relays listen/)]);
  const { address } = meeting;
  const relays = [
    ...nostr.map(({ isSecure }, i) => `${isSecure ? "wss" : "ws"}://${address}:${FIRST_PORT + i}`),
    `ws://${address}:${DEAD_PORT}`,
    `mqtt://${address}:${BROKER.port}`,
  ];
  const stunServers = stunHosts.map((on) => `stun:${on.address}:3478`);
  const trusting = withTls ? { NODE_TLS_REJECT_UNAUTHORIZED: "0" } : {};
  const environment = { ...trusting, SALLYPORT_RELAYS: relays.join(","), SALLYPORT_STUN_URLS: stunServers.join(",") };
  return { relays, stunServers, environment, log };
}
