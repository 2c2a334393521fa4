import { type Clock, systemClock } from "../net/clock.ts";

/**
 * The time by which a server mints and judges connect tokens, in whole unix seconds.
 *
 * A server that mints its tokens itself asks its wall clock once, and then goes by the monotonic one: whatever NTP, a resumed virtual
 * machine or a person does to the wall clock, a token lives as long as it says. Servers that share a key judge each other's tokens, and
 * all they have in common is the wall clock.
 */
export function tokenClock(sharesKey: boolean, clock: Clock = systemClock): () => number {
  if (sharesKey) return () => Math.floor(clock.unixNow() / 1000);
  const startedAt = clock.unixNow() - clock.now();
  return () => Math.floor((startedAt + clock.now()) / 1000);
}
