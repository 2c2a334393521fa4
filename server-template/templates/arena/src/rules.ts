/** The rules of the game, without any network: easy to test, and the same for the server and for bots. */

export const FIELD = { width: 800, height: 500 } as const;
export const RADIUS = 16;
/** Field units per second. */
export const SPEED = 220;
/** Steps per second. */
export const TICK_RATE = 30;
/** A player may wave this often. */
export const WAVE_EVERY_MS = 500;

export interface Vector {
  x: number;
  y: number;
}

/** What a client asks for, made harmless: a direction at most 1 long, or undefined. */
export function parseDirection(message: unknown): Vector | undefined {
  const { x, y } = (message ?? {}) as { x?: unknown; y?: unknown };
  if (typeof x !== "number" || typeof y !== "number" || !Number.isFinite(x) || !Number.isFinite(y)) return undefined;
  const length = Math.max(1, Math.hypot(x, y));
  return { x: x / length, y: y / length };
}

/** Where somebody is after `seconds` of walking. Nobody leaves the field. */
export function walk(from: Vector, direction: Vector, seconds: number): Vector {
  return {
    x: clamp(from.x + direction.x * SPEED * seconds, RADIUS, FIELD.width - RADIUS),
    y: clamp(from.y + direction.y * SPEED * seconds, RADIUS, FIELD.height - RADIUS),
  };
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
