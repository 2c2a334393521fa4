import { expect, test } from "vitest";
import { GuessingLimits, MAX_GUESSING_SOCKETS } from "../../../sdk/src/ice/guessing-limits.ts";
import { IceMux } from "../../../sdk/src/ice/mux.ts";
import { guessPorts } from "../../../sdk/src/ice/port-guessing.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { until } from "../../until.ts";

const STRICT = "address-and-port-dependent";
/** Our translator is the symmetric one. The peer's credentials are not known, so nothing is sent. */
const OPENER = {
  ours: { mapping: STRICT, filtering: STRICT },
  theirs: { mapping: "endpoint-independent", filtering: STRICT },
  remote: [{ address: "9.9.9.9", port: 7777 }],
  intervalMs: 1,
} as const;

function opener(stack: AsyncDisposableStack, limits: GuessingLimits): (signal: AbortSignal) => Promise<boolean> {
  const socket = stack.use(UDPSocket.open({ address: "127.0.0.1" }));
  const mux = stack.use(new IceMux(socket));
  const peer = mux.open({ role: "controlled" });
  return (signal) => guessPorts(mux, peer, { ...OPENER, limits, signal });
}

test("one round at a time in a process, and the next when it is over", async () => {
  await using stack = new AsyncDisposableStack();
  const limits = new GuessingLimits();
  const [one, other] = [opener(stack, limits), opener(stack, limits)];
  const end = new AbortController();
  const first = one(end.signal);
  expect(limits.busy).toBe(true);
  expect(await other(AbortSignal.timeout(60_000))).toBe(false);
  expect(limits.busy).toBe(true);
  end.abort();
  await first;
  expect([limits.busy, limits.sockets]).toEqual([false, 0]);
  await other(AbortSignal.abort());
  expect(limits.busy).toBe(false);
});

test("256 sockets in all, those included that ways still go over", async () => {
  await using stack = new AsyncDisposableStack();
  const limits = new GuessingLimits();
  for (let i = 0; i < MAX_GUESSING_SOCKETS - 5; i++) expect(limits.takeSocket()).toBe(true);
  const end = new AbortController();
  const round = opener(stack, limits)(end.signal);
  await until(() => limits.sockets === MAX_GUESSING_SOCKETS);
  expect(limits.takeSocket()).toBe(false);
  end.abort();
  await round;
  expect(limits.sockets).toBe(MAX_GUESSING_SOCKETS - 5);
});
