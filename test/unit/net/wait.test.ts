import { spawnSync } from "node:child_process";
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { type Clock, systemClock } from "../../../sdk/src/net/clock.ts";
import { messageOf } from "../../../sdk/src/net/message-of.ts";
import { abortable, sleep, whileAwaited } from "../../../sdk/src/net/wait.ts";

/** A clock that a test moves on. */
function manualClock(): Pick<Clock, "after"> & { waiting: (() => void)[] } {
  const waiting: (() => void)[] = [];
  return {
    waiting,
    after(_ms, callback) {
      waiting.push(callback);
      return () => void waiting.splice(waiting.indexOf(callback), 1);
    },
  };
}

const never = new Promise<never>(() => undefined);

describe("sleep", () => {
  test("until the clock says so", async () => {
    const clock = manualClock();
    let awake = false;
    const sleeping = sleep(1000, undefined, clock).then(() => (awake = true));
    await Promise.resolve();
    expect(awake).toBe(false);
    clock.waiting[0]?.();
    await sleeping;
  });

  test("or until the signal is aborted, and then nothing is left of it", async () => {
    const clock = manualClock();
    const abort = new AbortController();
    const sleeping = sleep(1000, abort.signal, clock);
    expect(clock.waiting).toHaveLength(1);
    abort.abort();
    await sleeping;
    expect(clock.waiting).toHaveLength(0);
    await sleep(1000, abort.signal, clock);
    expect(clock.waiting).toHaveLength(0);
  });

  test("leaves no listener behind", async () => {
    const clock = manualClock();
    const { signal } = new AbortController();
    const sleeping = sleep(1000, signal, clock);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    clock.waiting[0]?.();
    await sleeping;
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("by the system's clock, too", async () => {
    const before = systemClock.now();
    await sleep(20);
    // Timers may be early by the part of a millisecond.
    expect(systemClock.now() - before).toBeGreaterThan(18);
  });
});

describe("abortable", () => {
  test("is the work, without a signal and with one that is silent", async () => {
    expect(await abortable(Promise.resolve(1), undefined)).toBe(1);
    const { signal } = new AbortController();
    expect(await abortable(Promise.resolve(2), signal)).toBe(2);
    await expect(abortable(Promise.reject(new Error("its own")), signal)).rejects.toThrow("its own");
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("rejects with the signal's reason, or what is made of it", async () => {
    const abort = new AbortController();
    const work = abortable(never, abort.signal);
    const named = abortable(never, abort.signal, (reason) => new RangeError(`given up: ${messageOf(reason)}`));
    abort.abort(new Error("enough"));
    await expect(work).rejects.toThrow("enough");
    await expect(named).rejects.toThrow(new RangeError("given up: enough"));
    await expect(abortable(never, abort.signal)).rejects.toThrow("enough");
    expect(getEventListeners(abort.signal, "abort")).toHaveLength(0);
  });
});

test("a sleep holds no process, and whileAwaited does", () => {
  const program = (work: string): string => `
    import { sleep, whileAwaited } from ${JSON.stringify(new URL("../../../sdk/src/net/wait.ts", import.meta.url).href)};
    process.on("exit", () => console.log("ended"));
    await ${work};
    console.log("awake");`;
  const run = (work: string): string =>
    spawnSync(process.execPath, ["--input-type=module", "-e", program(work)], { encoding: "utf8" }).stdout;
  expect(run("sleep(60_000)")).toBe("ended\n");
  expect(run("whileAwaited(sleep(10))")).toBe("awake\nended\n");
});

test("what an error says, whatever was thrown", () => {
  expect(messageOf(new Error("text"))).toBe("text");
  expect(messageOf("text")).toBe("text");
  expect(messageOf(undefined)).toBe("undefined");
});

test("whileAwaited passes on what becomes of the work", async () => {
  expect(await whileAwaited(Promise.resolve(1))).toBe(1);
  await expect(whileAwaited(Promise.reject(new Error("no")))).rejects.toThrow("no");
});
