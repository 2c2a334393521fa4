/** Debian's mosquitto as a relay: by its own port and by its WebSockets, with a stranger who listens to everything. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../sdk/src/net/clock.ts";
import { introduce } from "../../sdk/src/rendezvous/guest/introduce.ts";
import { NODE_SOCKETS } from "../../sdk/src/rendezvous/guest/introduce-node.ts";
import { HostRegistration } from "../../sdk/src/rendezvous/host/registration.ts";
import { checkRelay } from "../../sdk/src/rendezvous/mailbox/check.ts";
import {
  connectPacket,
  MqttReader,
  publishPacket,
  subscribePacket,
} from "../../sdk/src/rendezvous/mailbox/mqtt/packet.ts";
import { openNodeSocket } from "../../sdk/src/rendezvous/mailbox/socket-node.ts";
import type { Introduction } from "../../sdk/src/rendezvous/sealed/introduction.ts";
import { until } from "../until.ts";
import { freePort } from "./lobby-programs.ts";

const PROGRAM = "/usr/sbin/mosquitto";
const hasMosquitto = existsSync(PROGRAM) || Boolean(process.env["CI"]);
if (!hasMosquitto)
  console.log(`Tests of MQTT brokers are skipped: there is no ${PROGRAM} (apt-get install mosquitto).`);

const random = (n: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(n));

describe.runIf(hasMosquitto)("mosquitto", () => {
  let folder: string;
  let broker: ChildProcess;
  let urls: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "sallyport-mosquitto-"));
    const [plain, web] = [await freePort(), await freePort()];
    const configuration = join(folder, "mosquitto.conf");
    await writeFile(
      configuration,
      `listener ${plain} 127.0.0.1\nlistener ${web} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n`,
    );
    broker = spawn(PROGRAM, ["-c", configuration], { stdio: "ignore" });
    urls = [`mqtt://127.0.0.1:${plain}`, `ws://127.0.0.1:${web}/mqtt`];
    const check = (url: string) => checkRelay(url, { openSocket: openNodeSocket, clock: systemClock, random });
    await until(async () => (await Promise.all(urls.map(check))).every(({ problem }) => problem === undefined));
  });
  afterAll(async () => {
    broker.kill();
    await rm(folder, { recursive: true, force: true });
  });

  test.each([
    { name: "by its own port", of: 0 },
    { name: "by WebSocket", of: 1 },
  ])("$name: host and guest meet, whatever a stranger repeats and forges", async ({ of }) => {
    // Listens to all topics, as mosquitto lets everybody, and says it all again, whole and altered.
    const port = Number(new URL(urls[0] ?? "").port);
    const stranger = connect(port, "127.0.0.1");
    const reader = new MqttReader();
    const seen = new Set<string>();
    const topics = new Set<string>();
    stranger.write(connectPacket({ clientId: "stranger", keepAliveSeconds: 60 }));
    stranger.write(subscribePacket(1, ["#"]));
    stranger.on("data", (data: Buffer) => {
      const packets = reader.read(new Uint8Array(data));
      for (const packet of packets === "malformed" ? [] : packets) {
        if (packet.type !== "publish") continue;
        const hex = Buffer.from(packet.payload).toString("hex");
        topics.add(packet.topic);
        if (seen.has(hex)) continue;
        seen.add(hex);
        const forged = packet.payload.slice();
        forged[forged.length >> 1] = (forged[forged.length >> 1] ?? 0) ^ 1;
        seen.add(Buffer.from(forged).toString("hex"));
        for (const topic of topics) {
          for (const payload of [forged, packet.payload]) stranger.write(publishPacket(topic, payload));
        }
      }
    });
    const relays = [urls[of] ?? ""];
    await using registration = new HostRegistration({ lobby: "public", name: "Arena", relays, stunServers: [] });
    const met: Introduction[] = [];
    registration.on("introduction", (introduction) => {
      met.push(introduction);
      introduction.onMessage((data) => introduction.send(data));
    });
    const { url, code } = await registration.open();
    for (const invite of [url, code]) {
      const guest = await introduce(invite, { relays, stunServers: [] }, NODE_SOCKETS);
      const answer = new Promise<Uint8Array>((resolve) => guest.onMessage(resolve));
      guest.send(new Uint8Array(10_000).fill(7));
      expect((await answer).length).toBe(10_000);
      guest.close();
    }
    expect(met).toHaveLength(2);
    expect(seen.size).toBeGreaterThan(8);
    for (const topic of topics) expect(topic).toMatch(/^[0-9a-f]{64}$/);
    stranger.destroy();
  });
});
