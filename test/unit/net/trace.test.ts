import { spawnSync } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  formatTraceFields,
  listenToTrace,
  roomsOfNodeDebug,
  TRACE_ROOMS,
  type TraceEvent,
  traceOf,
} from "../../../sdk/src/net/trace.ts";
import { TraceFile } from "../../../sdk/src/net/trace-file.ts";

const TRACE = new URL("../../../sdk/src/net/trace.ts", import.meta.url).href;

test("NODE_DEBUG names rooms as Node's own sections", () => {
  expect(roomsOfNodeDebug("")).toEqual([]);
  expect(roomsOfNodeDebug("http,net,tls")).toEqual([]);
  expect(roomsOfNodeDebug("sallyport")).toEqual([...TRACE_ROOMS]);
  expect(roomsOfNodeDebug("SALLYPORT:ICE")).toEqual(["ice"]);
  expect(roomsOfNodeDebug("sallyport:gateway,ice,session")).toEqual(["gateway", "ice", "session"]);
  expect(roomsOfNodeDebug("http, sallyport:ice")).toEqual(["ice"]);
  expect(roomsOfNodeDebug("sallyport:ice,http,net")).toEqual(["ice"]);
  expect(roomsOfNodeDebug("sallyport:t*")).toEqual(["turn", "tunnel"]);
  expect(roomsOfNodeDebug("*")).toEqual([...TRACE_ROOMS]);
  expect(roomsOfNodeDebug("sallyport*")).toEqual([...TRACE_ROOMS]);
  expect(roomsOfNodeDebug("sallyport:none")).toEqual([]);
});

test("an event reaches whoever subscribed, with its fields, and nobody afterwards", () => {
  const trace = traceOf("ice");
  expect(trace).toBe(traceOf("ice"));
  expect(trace.on).toBe(false);
  const heard: TraceEvent[] = [];
  const stop = listenToTrace(["ice"], (event) => heard.push(event));
  expect(trace.on).toBe(true);
  expect(traceOf("gateway").on).toBe(false);
  trace.event("pair-selected", { rttMs: 3, remote: "192.0.2.1:7777" });
  stop();
  trace.event("pair-lost");
  expect(trace.on).toBe(false);
  expect(heard).toEqual([{ room: "ice", event: "pair-selected", fields: { rttMs: 3, remote: "192.0.2.1:7777" } }]);
});

test("endpoints and URLs become text that holds no secret", () => {
  const heard: TraceEvent[] = [];
  onTestFinished(listenToTrace(["stun"], (event) => heard.push(event)));
  traceOf("stun").event("answer", {
    server: { address: "192.0.2.1", port: 3478 },
    mapped: [
      { address: "2001:db8::1", port: 7777 },
      { address: "", port: 0 },
    ],
    url: new URL("https://user:secret@host.test:8443/control?token=secret#secret"),
    ms: 12.345678,
    nobody: null,
    long: "x".repeat(100_000),
  });
  expect(heard[0]?.fields).toEqual({
    server: "192.0.2.1:3478",
    mapped: ["[2001:db8::1]:7777", "none"],
    url: "https://host.test:8443/control",
    ms: 12.346,
    nobody: null,
    long: `${"x".repeat(300)}…`,
  });
});

test("the channel is a diagnostics channel that anybody can subscribe to", () => {
  const heard: unknown[] = [];
  const listener = (message: unknown): void => void heard.push(message);
  subscribe("sallyport:trace:turn", listener);
  onTestFinished(() => void unsubscribe("sallyport:trace:turn", listener));
  traceOf("turn").event("allocated");
  expect(heard).toEqual([{ room: "turn", event: "allocated", fields: {} }]);
});

test("a line is one line, whatever a stranger's text holds", () => {
  const line = formatTraceFields({
    a: "plain",
    b: "two words",
    c: 'quote" \n\u001b[2J',
    d: 3,
    e: null,
    f: undefined,
    g: ["10.0.0.1:1", "x y"],
    h: true,
  });
  expect(line).toBe('a=plain b="two words" c="quote\\" \\n\\u001b[2J" d=3 e=null g=[10.0.0.1:1, "x y"] h=true');
});

test("NODE_DEBUG prints to standard error, with process id and time", () => {
  const program = `import { traceOf } from ${JSON.stringify(TRACE)};
    traceOf("gateway").event("mapped", { port: 7777 });
    traceOf("ice").event("checked");`;
  const run = (value: string): string =>
    spawnSync(process.execPath, ["--input-type=module", "--eval", program], {
      encoding: "utf8",
      env: { ...process.env, NODE_DEBUG: value },
    }).stderr;
  expect(run("sallyport:gateway")).toMatch(/^SALLYPORT:GATEWAY \d+ \d+\.\d mapped port=7777\n$/);
  expect(run("")).toBe("");
});

test("a trace file holds JSON lines for its owner alone, and ends at its limit", () => {
  const directory = mkdtempSync(join(tmpdir(), "trace-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "trace.jsonl");
  {
    using _file = new TraceFile(path, { program: "doctor", maxBytes: 600 });
    // Fields don't hide the time, whatever they are called.
    traceOf("session").event("answer", { ms: 1e9, t: -1, room: "other", event: "other" });
    for (let count = 0; count < 100; count++) traceOf("session").event("path", { count, remote: "[2001:db8::1]:7777" });
    expect(traceOf("session").on).toBe(false);
  }
  traceOf("session").event("path", { count: -1 });
  expect(existsSync(path)).toBe(true);
  if (process.platform !== "win32") expect(statSync(path).mode & 0o777).toBe(0o600);
  const lines = readFileSync(path, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(lines[0]).toMatchObject({ event: "trace", program: "doctor", node: process.version });
  expect(lines[1]).toEqual({ t: expect.any(Number), room: "session", event: "answer", ms: 1e9 });
  expect((lines[1] as { t: number }).t).toBeGreaterThanOrEqual(0);
  expect(lines[2]).toMatchObject({ room: "session", event: "path", count: 0, remote: "[2001:db8::1]:7777" });
  expect(lines.at(-1)).toEqual({ event: "trace-full" });
  expect(readFileSync(path).length).toBeLessThan(700);
});

test("a file that cannot be made is said at once", () => {
  expect(() => new TraceFile("/nowhere/at/all/trace.jsonl")).toThrow(/ENOENT|ENOTDIR/);
});
