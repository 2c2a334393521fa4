// @ts-check
// The rules of the game, without any network: easy to test. The server runs them, and players predict with them: hence JavaScript, which
// server and page both load as it is.

/** @typedef {{ x: number, y: number }} Vector */

export const FIELD = { width: 800, height: 500 };
export const RADIUS = 16;
/** Field units per second. */
export const SPEED = 220;
/** Steps, inputs and patches per second. */
export const TICK_RATE = 60;
/** Who is this close can be tagged, and so often. */
export const REACH = 60;
export const INPUTS_PER_TAG = 30;
/** A player may wave this often. */
export const WAVE_EVERY_MS = 500;
/** Others are drawn this long ago, between two positions that are known: room for jitter, and for one packet that is lost. */
export const INTERPOLATION_MS = 75;
/** Each packet of inputs has the last ones too; an input is lost only where all of them are. */
export const INPUT_HISTORY = 8;

/**
 * One step of a player, who is changed in place. Nobody leaves the field. Math.sqrt, since it has the same result everywhere.
 * @param {Vector} player
 * @param {Vector} input -100 to 100 each way
 * @param {number} seconds
 */
export function walk(player, input, seconds) {
  const length = Math.max(100, Math.sqrt(input.x * input.x + input.y * input.y));
  const distance = (SPEED * seconds) / length;
  player.x = clamp(player.x + input.x * distance, RADIUS, FIELD.width - RADIUS);
  player.y = clamp(player.y + input.y * distance, RADIUS, FIELD.height - RADIUS);
}

/** @param {Vector} player @param {Vector} other */
export function reaches(player, other) {
  return Math.hypot(player.x - other.x, player.y - other.y) <= REACH;
}

/** @param {number} value @param {number} min @param {number} max */
function clamp(value, min, max) {
  return Math.min(max, Math.max(min, value));
}
