import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { matchMaker, Room } from "@colyseus/core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type DiagnosticsChannels } from "../../../sdk/src/colyseus/server/observability/diagnostics.ts";
import { formatPrometheus } from "../../../sdk/src/colyseus/server/observability/prometheus.ts";
import { until } from "../../until.ts";
import { startServer, type TestServer } from "./harness.ts";

const NAMES: (keyof DiagnosticsChannels)[] = [
  "sallyport:player:opened",
  "sallyport:player:closed",
  "sallyport:connect:granted",
  "sallyport:connect:refused",
  "sallyport:request:refused",
];
const told: [name: string, message: Record<string, unknown>][] = [];
const listener = (message: unknown, name: string | symbol): void => {
  told.push([String(name), message as Record<string, unknown>]);
};
const of = (name: keyof DiagnosticsChannels) => told.filter(([each]) => each === name).map(([, message]) => message);

let arena: TestServer;
beforeAll(async () => {
  // As Colyseus' monitor does when it is imported.
  (Room.prototype as unknown as Record<string, unknown>)["getInspectData"] = async function (this: Room) {
    return { clients: this.clients.map(({ sessionId }) => ({ sessionId, elapsedTime: 1 })) };
  };
  arena = await startServer();
  for (const name of NAMES) subscribe(name, listener);
});
afterAll(async () => {
  for (const name of NAMES) unsubscribe(name, listener);
  await arena[Symbol.asyncDispose]();
});

test("who is connected and how: in metrics, in events, and in what the monitor asks rooms", async () => {
  const udp = await arena.client().create("arena");
  const ws = await arena.client({ udp: false }).joinById(udp.roomId);
  for (const room of [udp, ws]) room.onMessage("*", () => {});
  expect(await udp.request("double", 2)).toBe(4);
  await until(() => arena.transport.metrics().rttMs !== null);

  const metrics = arena.transport.metrics();
  expect(metrics).toMatchObject({
    players: { direct: 1, punched: 0, relayed: 0, websocket: 1 },
    handshakes: { granted: 1, opened: 2 },
    refusals: { connections: {}, requests: {}, tokens: {} },
    loss: { p50: 0, max: 0 },
    reachability: null,
    publicAddress: null,
  });
  expect(metrics.rttMs?.p50).toBeGreaterThan(0);
  expect(metrics.traffic.bytesIn).toBeGreaterThan(0);
  expect(metrics.traffic.packetsOut).toBeGreaterThan(0);

  const [first, second] = arena.transport.connections();
  expect(first).toMatchObject({ roomId: udp.roomId, sessionId: udp.sessionId, path: "direct" });
  expect(first?.remote).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(second).toMatchObject({ sessionId: ws.sessionId, path: "websocket", rttMs: null, loss: null });
  expect(of("sallyport:connect:granted")).toEqual([
    { roomId: udp.roomId, sessionId: udp.sessionId, address: "127.0.0.1" },
  ]);
  expect(of("sallyport:player:opened").map(({ path }) => path)).toEqual(["direct", "websocket"]);

  const inspected = (await matchMaker.remoteRoomCall(udp.roomId, "getInspectData" as never)) as {
    clients: { sessionId: string; connection: unknown }[];
  };
  expect(inspected.clients.find(({ sessionId }) => sessionId === udp.sessionId)?.connection).toMatchObject({
    path: "direct",
  });
  const view = (await matchMaker.remoteRoomCall(udp.roomId, "getInspectorView")) as { clientList: unknown[] };
  expect(view.clientList[1]).toMatchObject({ sessionId: ws.sessionId, connection: { path: "websocket" } });

  const { traffic } = arena.transport.metrics();
  await udp.leave();
  await ws.leave();
  await until(() => of("sallyport:player:closed").length === 2);
  expect(of("sallyport:player:closed")[0]).toMatchObject({ sessionId: udp.sessionId, code: 4000 });
  expect(arena.transport.metrics().players).toEqual({ direct: 0, punched: 0, relayed: 0, websocket: 0 });
  expect(arena.transport.metrics().traffic.bytesIn).toBeGreaterThanOrEqual(traffic.bytesIn);
});

test("refusals are counted by status, and told", async () => {
  await fetch(`${arena.url}/sallyport/connect`, { method: "POST", body: "{" });
  await fetch(`${arena.url}/sallyport/connect`, {
    method: "POST",
    body: JSON.stringify({ roomId: "a", sessionId: "b" }),
  });
  const long = "x".repeat(20_000);
  await fetch(`${arena.url}/matchmake/create/arena`, { method: "POST", body: long });
  expect(arena.transport.metrics().refusals).toEqual({
    connections: {},
    requests: { 413: 1 },
    tokens: { 400: 1, 404: 1 },
  });
  expect(of("sallyport:request:refused")).toEqual([
    { address: "127.0.0.1", status: 413, url: "/matchmake/create/arena" },
  ]);
  expect(of("sallyport:connect:refused").map(({ status }) => status)).toEqual([400, 404]);
});

test("Prometheus can read it", () => {
  const text = formatPrometheus(arena.transport.metrics());
  expect(text).toContain('# TYPE sallyport_players gauge\nsallyport_players{path="direct"} 0\n');
  expect(text).toContain('sallyport_refused_tokens_total{status="404"} 1\n');
  expect(text.endsWith("\n")).toBe(true);
  const names = new Set<string>();
  for (const line of text.trimEnd().split("\n")) {
    const [, kind, name] = /^# (HELP|TYPE) (\w+) /.exec(line) ?? [];
    if (kind === "TYPE") {
      expect(names.has(name ?? "")).toBe(false);
      names.add(name ?? "");
    } else if (kind === undefined) {
      expect(line).toMatch(/^sallyport_\w+(\{\w+="[^"]*"\})? \d+(\.\d+)?(e-\d+)?$/);
      expect(names).toContain(/^\w+/.exec(line)?.[0]);
    }
  }
});
