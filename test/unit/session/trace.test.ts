import { expect, onTestFinished, test } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { TrafficTrace } from "../../../sdk/src/session/traffic-trace.ts";
import type { SessionStats } from "../../../sdk/src/session/types.ts";
import { until } from "../../until.ts";
import { traced } from "../traced.ts";
import { connectPair } from "./pair.ts";

test("a trace tells a session from its token to its end, from both sides", async () => {
  const lines = traced("session", "netcode");
  {
    await using pair = await connectPair();
    pair.client.send(Buffer.from("hello"), "reliable");
    pair.client.close(4000, "enough");
    await until(() => !pair.server.open);
    const at = `127.0.0.1:${pair.port}`;
    const from = /opened remote=(\S+)/.exec(lines.join("\n"))?.[1] ?? "";
    expect(from).toMatch(/^127\.0\.0\.1:\d+$/);
    for (const line of [
      `token-made addresses=[${at}]`,
      `connecting by=addresses addresses=[${at}]`,
      `handshake state=sendingRequest server=${at}`,
      `challenged from=${from} count=1`,
      `handshake state=sendingResponse server=${at}`,
      `handshake state=connected server=${at}`,
      `closed remote=${at} reason=local code=4000 text=enough`,
      `closed remote=${from} reason=remote code=4000 text=enough`,
    ]) {
      expect(lines).toContain(line);
    }
    expect(lines).toContainEqual(expect.stringMatching(`^connected from=${from} handshakeMs=\\S+ slot=0$`));
    expect(lines).toContainEqual(expect.stringMatching(`^connected remote=${at} kind=direct handshakeMs=`));
  }
  expect(lines).toContainEqual(expect.stringMatching(/^disconnected from=\S+ reason=server$/));
});

test("why there was no session", async () => {
  const lines = traced("session", "netcode");
  const socket = UDPSocket.open({ address: "127.0.0.1" });
  onTestFinished(() => socket.close());
  const host = await UDPSessionServer.open(socket, { maxClients: 1 });
  onTestFinished(() => host.close());
  const addresses = [{ address: "127.0.0.1", port: socket.localPort }];
  const token = (clientId: bigint): Uint8Array =>
    host.createToken({ clientId, addresses, userData: new Uint8Array(0) });
  const first = await connectSession(token(1n));
  await expect(connectSession(token(2n))).rejects.toMatchObject({ code: "full" });
  first.close();
  await until(() => host.sessions.size === 0);
  const used = token(3n);
  (await connectSession(used)).close();
  await until(() => host.sessions.size === 0);
  await expect(connectSession(used, { timeoutMs: 300 })).rejects.toMatchObject({ code: "timeout" });
  expect(lines).toContainEqual(expect.stringMatching(/^refused reason=denied from=127\.0\.0\.1:\d+ count=1$/));
  expect(lines).toContainEqual(
    expect.stringMatching(/^refused reason=requestTokenUsed from=127\.0\.0\.1:\d+ count=1$/),
  );
  expect(lines.filter((line) => line.startsWith("failed"))).toEqual([
    `failed code=full server=127.0.0.1:${socket.localPort}`,
    `failed code=timeout server=127.0.0.1:${socket.localPort}`,
  ]);
  const all = lines.join("\n");
  expect(all).not.toContain(Buffer.from(used).toString("base64").slice(100, 140));
});

test("a flood of junk is a few lines a second, which count all of it", async () => {
  const lines = traced("netcode");
  await using pair = await connectPair();
  const begun = performance.now();
  const stranger = UDPSocket.open({ address: "127.0.0.1" });
  onTestFinished(() => stranger.close());
  const junk = Buffer.alloc(100, 0x15);
  const refused = (): string[] => lines.filter((line) => line.startsWith("refused reason=refusedNoKey"));
  const counted = (): number => refused().reduce((sum, line) => sum + Number(/count=(\d+)/.exec(line)?.[1]), 0);
  for (let sent = 0; sent < 1000; sent++) {
    stranger.send(junk, pair.port, "127.0.0.1");
    if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  // Some overrun the socket's buffer. The last are told by the server's own look, though nothing follows.
  await until(() => counted() > 500);
  expect(refused()[0]).toMatch(/from=127\.0\.0\.1:\d+ count=1$/);
  expect(refused().length).toBeLessThanOrEqual(1 + 3 * Math.ceil((performance.now() - begun) / 1000));
});

test("traffic is told once a second, and only when it is another", () => {
  const lines = traced("session");
  const traffic = new TrafficTrace();
  const stats = { rttMs: 40, jitterMs: 2, loss: 0, packetsLost: 0, congestionWindow: 12_000 } as SessionStats;
  const remote = { address: "192.0.2.1", port: 7777 };
  const look = (from: number, to: number): void => {
    for (let now = from; now < to; now += 10) traffic.look(now, { remote, stats });
  };
  look(0, 5000);
  expect(lines).toHaveLength(1);
  stats.rttMs = 44;
  look(5000, 10_000);
  expect(lines).toHaveLength(1);
  stats.packetsLost = 7;
  look(10_000, 15_000);
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^traffic remote=192\.0\.2\.1:7777 rttMs=44 jitterMs=2 loss=0 lost=7 window=12000/);
});
