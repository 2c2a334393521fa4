/** A bot that plays and measures: inputs at 60 Hz, numbered reliable messages that the room answers, and unreliable ones. */
import { aimAt, FIELD } from "../arena/rules.js";
import type { ArenaSession } from "../network/client.ts";
import { firstState, Pilot } from "./pilot.ts";

export interface Measurement {
  /** Round trips of reliable messages, milliseconds; null when none came back. */
  rttMs: { p50: number; p99: number } | null;
  /** Reliable messages sent, replies received, and what is missing. */
  sent: number;
  received: number;
  lost: number;
  unreliable: { sent: number; received: number };
  /** From an input to the room's answer, ms; null when there was none. */
  ackMs: { p50: number; p99: number } | null;
  /** Corrections of the prediction that a player might see, a minute. */
  correctionsPerMinute: number | null;
  /** Most players seen in the room at once, this one included. */
  players: number;
  /** Why the connection ended before its time, if it did. */
  ended: string | undefined;
}

const PING_MS = 100;
const PROBE_MS = 50;
/** A frame of somebody's screen. */
const FRAME_MS = 1000 / 60;
/** The bot walks towards the middle of the field, and round it. */
const TURN_MS = 700;
const FIRE_MS = 1500;
/** How long to wait for the last replies. */
const DRAIN_MS = 3000;

/** @param enough ends it before its time, as if the seconds were over */
export async function measure(
  room: ArenaSession,
  seconds: number,
  signal: AbortSignal,
  enough: AbortSignal = signal,
): Promise<Measurement> {
  const sentAt = new Map<number, number>();
  const rtts: number[] = [];
  const unreliable = { sent: 0, received: 0 };
  let sent = 0;
  let ended: string | undefined;
  const over = new AbortController();
  const drained = Promise.withResolvers<void>();

  room.onMessage("pong", ({ n }: { n: number }) => {
    const at = sentAt.get(n);
    if (at === undefined) return;
    sentAt.delete(n);
    rtts.push(performance.now() - at);
    if (over.signal.aborted && sentAt.size === 0) drained.resolve();
  });
  let players = 0;
  room.onStateChange((state) => {
    players = Math.max(players, state.players.size);
  });
  room.onMessage("shot", () => {});
  room.onMessage("probed", () => {
    unreliable.received++;
  });
  room.onLeave((code, reason) => {
    ended = `The host ended the connection (${code}${reason === undefined || reason === "" ? "" : `, ${reason}`}).`;
    over.abort();
    drained.resolve();
  });

  const ping = setInterval(() => {
    sentAt.set(++sent, performance.now());
    room.send("ping", { n: sent });
  }, PING_MS);
  const probe = setInterval(() => {
    room.sendUnreliable("probe", { n: ++unreliable.sent });
  }, PROBE_MS);
  await firstState(room);
  const pilot = new Pilot(room);
  const beganAt = performance.now();
  let firedAt = beganAt;
  const frame = setInterval(() => {
    const now = performance.now();
    pilot.frame(now, () => {
      const angle = now / TURN_MS;
      const [x, y] = [100 * Math.cos(angle), 100 * Math.sin(angle)];
      if (now - firedAt < FIRE_MS) return { x, y };
      firedAt = now;
      const [drone] = room.state.drones.values();
      return { x, y, fire: true, aim: aimAt(pilot.own, drone ? pilot.seen(drone) : { x: FIELD.width, y: 0 }) };
    });
  }, FRAME_MS);
  await elapsed(seconds * 1000, AbortSignal.any([signal, enough, over.signal]));
  clearInterval(ping);
  clearInterval(probe);
  clearInterval(frame);
  const minutes = (performance.now() - beganAt) / 60_000;

  if (sentAt.size > 0 && ended === undefined) {
    over.abort();
    await Promise.race([drained.promise, elapsed(DRAIN_MS, signal)]);
  }
  const received = rtts.length;
  return {
    rttMs: percentiles(rtts),
    ackMs: percentiles(pilot.ackMs),
    correctionsPerMinute: Math.round((10 * pilot.corrections) / minutes) / 10,
    sent,
    received,
    lost: sent - received,
    unreliable,
    players,
    ended,
  };
}

function percentiles(values: readonly number[]): { p50: number; p99: number } | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0 ? null : { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
}

/** Nearest rank, of sorted values. */
export function percentile(sorted: readonly number[], share: number): number {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return Math.round(value * 100) / 100;
}

function elapsed(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
