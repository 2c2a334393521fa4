/** A bot that plays and measures: numbered reliable messages that the room answers, and unreliable moves. */
import type { ArenaSession } from "../network/client.ts";

export interface Measurement {
  /** Round trips of reliable messages, milliseconds; null when none came back. */
  rttMs: { p50: number; p99: number } | null;
  /** Reliable messages sent, replies received, and what is missing. */
  sent: number;
  received: number;
  lost: number;
  unreliable: { sent: number; received: number };
  /** Most players seen in the room at once, this one included. */
  players: number;
  /** Why the connection ended before its time, if it did. */
  ended: string | undefined;
}

const PING_MS = 100;
const MOVE_MS = 50;
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
  room.onMessage("moved", () => {
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
  const move = setInterval(() => {
    const angle = (unreliable.sent / 40) * Math.PI;
    room.sendUnreliable("move", { n: ++unreliable.sent, x: Math.cos(angle), y: Math.sin(angle), echo: true });
  }, MOVE_MS);
  await elapsed(seconds * 1000, AbortSignal.any([signal, enough, over.signal]));
  clearInterval(ping);
  clearInterval(move);

  if (sentAt.size > 0 && ended === undefined) {
    over.abort();
    await Promise.race([drained.promise, elapsed(DRAIN_MS, signal)]);
  }
  rtts.sort((a, b) => a - b);
  const received = rtts.length;
  return {
    rttMs: received === 0 ? null : { p50: percentile(rtts, 0.5), p99: percentile(rtts, 0.99) },
    sent,
    received,
    lost: sent - received,
    unreliable,
    players,
    ended,
  };
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
