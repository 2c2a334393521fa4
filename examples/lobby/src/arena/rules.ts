/** The arena's rules, without Colyseus: a field, players who walk on it, coins that they collect. */

/** What hosts and players call this game on the local network. */
export const APPLICATION = "sallyport-arena";

/** Field units; the page draws one as one pixel. */
export const FIELD = { width: 960, height: 600 } as const;
export const PLAYER_RADIUS = 16;
export const COIN_RADIUS = 9;
export const COINS = 12;
/** Field units per second. */
export const SPEED = 240;
/** Steps per second. */
export const TICK_RATE = 30;

export interface Vector {
  x: number;
  y: number;
}

const clamp = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value));

/** A direction that a client asked for, at most of length 1; undefined if it is none. */
export function parseDirection(value: unknown): Vector | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { x, y } = value as { x?: unknown; y?: unknown };
  if (typeof x !== "number" || typeof y !== "number" || !Number.isFinite(x) || !Number.isFinite(y)) return undefined;
  const direction = { x: clamp(x, -1, 1), y: clamp(y, -1, 1) };
  const length = Math.hypot(direction.x, direction.y);
  if (length <= 1) return direction;
  return { x: direction.x / length, y: direction.y / length };
}

/** Where somebody is after `seconds` of walking in a direction; nobody leaves the field. */
export function walk(from: Vector, direction: Vector, seconds: number): Vector {
  return {
    x: clamp(from.x + direction.x * SPEED * seconds, PLAYER_RADIUS, FIELD.width - PLAYER_RADIUS),
    y: clamp(from.y + direction.y * SPEED * seconds, PLAYER_RADIUS, FIELD.height - PLAYER_RADIUS),
  };
}

export function touches(player: Vector, coin: Vector): boolean {
  return Math.hypot(player.x - coin.x, player.y - coin.y) <= PLAYER_RADIUS + COIN_RADIUS;
}

/** A place on the field, `margin` away from its edge. `random` gives 0 to below 1. */
export function somewhere(margin: number, random: () => number = Math.random): Vector {
  return {
    x: Math.round(margin + random() * (FIELD.width - 2 * margin)),
    y: Math.round(margin + random() * (FIELD.height - 2 * margin)),
  };
}

/** A sequence number (32 bits, wrapping) that is newer than the last one seen: unreliable messages may overtake. */
export function isNewer(sequence: number, last: number): boolean {
  return ((sequence - last) | 0) > 0;
}
