/** What ends a session that has fallen silent, and what does not. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HostWatch } from "../../../../sdk/src/colyseus/client/host-watch.ts";
import { ServerGoneError } from "../../../../sdk/src/colyseus/client/session-way.ts";

let session: { open: boolean; silentMs: number };
let gone: string[];
let asked: number;
let watch: HostWatch;
let answer: (signal: AbortSignal) => Promise<string>;

beforeEach(() => {
  vi.useFakeTimers();
  session = { open: true, silentMs: 0 };
  gone = [];
  asked = 0;
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

function start(reply: typeof answer): void {
  answer = reply;
  watch = new HostWatch({
    session,
    instance: "first",
    silenceMs: 800,
    ask: (signal) => {
      asked++;
      return answer(signal);
    },
    onGone: (reason) => gone.push(reason),
  });
}

/** @param silent whether nothing is heard meanwhile */
async function pass(ms: number, silent = true): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    session.silentMs = silent ? session.silentMs + 50 : 0;
    await vi.advanceTimersByTimeAsync(50);
  }
}

const never = (signal: AbortSignal) =>
  new Promise<string>((_resolve, reject) => signal.addEventListener("abort", () => reject(new Error("aborted"))));

test("who is heard is not asked for", async () => {
  start(async () => "second");
  await pass(10_000, false);
  expect([asked, gone]).toEqual([0, []]);
});

test("another run of the server ends the session at once", async () => {
  start(async () => "second");
  await pass(1000);
  expect(gone).toEqual(["the host was started again"]);
  await pass(5000);
  expect([asked, gone.length]).toEqual([1, 1]);
});

test("the same run does not, and is asked more and more seldom", async () => {
  start(async () => "first");
  await pass(9000);
  expect(gone).toEqual([]);
  expect(asked).toBeGreaterThan(2);
  expect(asked).toBeLessThan(6);
});

test("that nobody listens ends it when it is said twice", async () => {
  start(async () => {
    throw new ServerGoneError("refused");
  });
  await pass(850);
  expect([asked, gone]).toEqual([1, []]);
  await pass(200);
  expect([asked, gone]).toEqual([2, ["the host is not there any more"]]);
});

test.each<[string, () => Promise<string>]>([
  ["no network", () => Promise.reject(new Error("ENETUNREACH"))],
  ["a proxy's answer", () => Promise.reject(new Error("HTTP status 502"))],
])("%s ends nothing", async (_what, reply) => {
  start(reply);
  await pass(9000);
  expect(gone).toEqual([]);
});

test("no answer ends nothing: a host that stands still gets one question, which is taken back when it is heard again", async () => {
  const signals: AbortSignal[] = [];
  start((signal) => {
    signals.push(signal);
    return never(signal);
  });
  await pass(8000);
  expect([asked, gone]).toEqual([1, []]);
  await pass(300, false);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
  // And the next silence is asked about again.
  await pass(1000);
  expect(asked).toBe(2);
});

test("one refusal among other answers is none", async () => {
  const replies = [new ServerGoneError("refused"), new Error("timeout")];
  start(async () => {
    const next = replies[asked % 2];
    throw next ?? new Error();
  });
  await pass(9000);
  expect(gone).toEqual([]);
});

test("an answer that comes when the session is heard again, or over, ends nothing", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  start(() => promise);
  await pass(1000);
  session.silentMs = 0;
  resolve("second");
  await pass(100, false);
  expect(gone).toEqual([]);
  session.open = false;
  await pass(2000);
  expect([asked, gone]).toEqual([1, []]);
});
