import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  askPatiently,
  patientFetch,
  retryAfterMsOf,
  ToldToWait,
} from "../../../../sdk/src/colyseus/client/patience.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

/** Answers as it is told, one after another. */
function server(...answers: (readonly [status: number, retryAfter?: string])[]) {
  const asked: number[] = [];
  const fetch = async (): Promise<Response> => {
    asked.push(performance.now());
    const [status, retryAfter] = answers[asked.length - 1] ?? [200];
    return new Response("{}", { status, headers: retryAfter === undefined ? {} : { "retry-after": retryAfter } });
  };
  return { asked, fetch: fetch as typeof globalThis.fetch };
}

const SEAT = "http://host/matchmake/joinOrCreate/arena";
const POST = { method: "POST" };

describe("a request for a seat", () => {
  test("is asked again when the server says, and not before", async () => {
    const { asked, fetch } = server([429, "1"], [503, "2"], [200]);
    const answer = patientFetch(fetch)(SEAT, POST);
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await answer).status).toBe(200);
    const [first = 0, second = 0, third = 0] = asked;
    expect(second - first).toBeGreaterThanOrEqual(1000);
    expect(second - first).toBeLessThanOrEqual(1500);
    expect(third - second).toBeGreaterThanOrEqual(2000);
    expect(third - second).toBeLessThanOrEqual(3000);
  });

  test.each([
    ["no time is named", [429] as const],
    ["the time is a date", [429, "Fri, 27 Nov 2026 18:00:00 GMT"] as const],
    ["it is longer than a seat is kept", [429, "60"] as const],
    ["it is no matter of time", [404, "1"] as const],
  ])("is not, where %s", async (_why, answer) => {
    const { asked, fetch } = server(answer);
    expect((await patientFetch(fetch)(SEAT, POST)).status).toBe(answer[0]);
    expect(asked).toHaveLength(1);
  });

  test("is given up after twelve seconds: the last answer says why", async () => {
    const { asked, fetch } = server(...Array.from({ length: 50 }, () => [429, "1"] as const));
    const answer = patientFetch(fetch)(SEAT, POST);
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await answer).status).toBe(429);
    expect(asked.length).toBeGreaterThan(6);
    expect(asked.length).toBeLessThan(14);
    expect((asked.at(-1) ?? 0) - (asked[0] ?? 0)).toBeLessThanOrEqual(12_000);
  });

  test("is not asked again once its caller has given up", async () => {
    const { asked, fetch } = server([429, "5"]);
    const patience = new AbortController();
    const answer = patientFetch(fetch)(SEAT, { ...POST, signal: patience.signal });
    const outcome = expect(answer).rejects.toThrow("enough");
    await vi.advanceTimersByTimeAsync(1000);
    patience.abort(new Error("enough"));
    await outcome;
    await vi.advanceTimersByTimeAsync(10_000);
    expect(asked).toHaveLength(1);
  });
});

test("all other requests are the caller's business", async () => {
  const { asked, fetch } = server([429, "1"], [429, "1"]);
  expect((await patientFetch(fetch)("http://host/scores", POST)).status).toBe(429);
  expect((await patientFetch(fetch)(SEAT, { method: "GET" })).status).toBe(429);
  expect(asked).toHaveLength(2);
});

test("what is no request to wait is thrown at once, and each wait is told", async () => {
  const told: string[] = [];
  const errors = [new ToldToWait("busy", 500), new Error("no")];
  const asking = askPatiently(() => Promise.reject(errors.shift() as Error), {
    onWait: ({ message }) => void told.push(message),
  });
  const outcome = expect(asking).rejects.toThrow("no");
  await vi.advanceTimersByTimeAsync(1000);
  await outcome;
  expect(told).toEqual(["busy"]);
});

test.each([
  [429, "3", 3000],
  [503, "0", 0],
  [200, "3", undefined],
  [429, null, undefined],
  [429, "-1", undefined],
  [429, "9999999", undefined],
])("%d with Retry-After %s: %s ms", (status, retryAfter, ms) => {
  expect(retryAfterMsOf(status, retryAfter)).toBe(ms);
});
