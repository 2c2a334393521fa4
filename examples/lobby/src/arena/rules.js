// @ts-check
// The arena's rules, without any network: a field, players who walk on it, coins that they collect, drones that they shoot at. The room
// runs them, and the page predicts with them: hence JavaScript, which both load as it is.

/** @typedef {{ x: number, y: number }} Vector */
/** @typedef {{ x: number, y: number }} Walking what an input says of walking: -100 to 100 each way */

/** Field units; the page draws one as one pixel. */
export const FIELD = { width: 960, height: 600 };
export const PLAYER_RADIUS = 16;
export const COIN_RADIUS = 9;
export const COINS = 12;
export const DRONE_RADIUS = 14;
export const DRONES = 3;
/** Field units per second. */
export const SPEED = 240;
export const DRONE_SPEED = 150;
/** Steps, inputs and patches per second. */
export const TICK_RATE = 60;
/** A shot reaches this far, and the next one may follow after so many inputs. */
export const REACH = 420;
export const INPUTS_PER_SHOT = 15;
/** Others are drawn this long ago, between two positions that are known: room for jitter, and for one packet that is lost. */
export const INTERPOLATION_MS = 75;
/**
 * Each packet of inputs has the last ones too; an input is lost only where all of them are. A screen at 30 pictures a second sends two inputs
 * in a packet. At 5 % loss 2 left 24 corrections a minute, 4 none; 8 cost 5 % more bytes than 4.
 */
export const INPUT_HISTORY = 8;
/** Further at once than this is no walking: somebody was put elsewhere. */
export const TELEPORT = 100;

/** @param {number} value @param {number} min @param {number} max */
const clamp = (value, min, max) => Math.min(max, Math.max(min, value));

/**
 * One step of a player, who is changed in place. Room and page get the same result: with Math.sqrt, which is exact everywhere.
 * @param {Vector} player
 * @param {Walking} input
 * @param {number} seconds
 */
export function walk(player, input, seconds) {
  const length = Math.max(100, Math.sqrt(input.x * input.x + input.y * input.y));
  const distance = (SPEED * seconds) / length;
  player.x = clamp(player.x + input.x * distance, PLAYER_RADIUS, FIELD.width - PLAYER_RADIUS);
  player.y = clamp(player.y + input.y * distance, PLAYER_RADIUS, FIELD.height - PLAYER_RADIUS);
}

/** @param {Vector} player @param {Vector} coin */
export function touches(player, coin) {
  return Math.hypot(player.x - coin.x, player.y - coin.y) <= PLAYER_RADIUS + COIN_RADIUS;
}

/** A full turn in an input's 16 bits. */
const TURN = 65_536;

/** An angle as inputs have it. @param {Vector} from @param {Vector} to */
export function aimAt(from, to) {
  const turns = Math.atan2(to.y - from.y, to.x - from.x) / (2 * Math.PI);
  return Math.round(turns * TURN) & (TURN - 1);
}

/** @param {number} aim @returns {Vector} of length 1 */
export function direction(aim) {
  const angle = (aim / TURN) * 2 * Math.PI;
  return { x: Math.cos(angle), y: Math.sin(angle) };
}

/**
 * How far a shot flies until it hits.
 * @param {Vector} from
 * @param {number} aim
 * @param {Vector} target
 * @param {number} radius
 * @returns {number | undefined} undefined if it misses
 */
export function hitDistance(from, aim, target, radius) {
  const { x, y } = direction(aim);
  const [dx, dy] = [target.x - from.x, target.y - from.y];
  const along = dx * x + dy * y;
  const beside = dx * y - dy * x;
  const inside = radius * radius - beside * beside;
  if (inside < 0 || along < 0) return undefined;
  const distance = Math.max(0, along - Math.sqrt(inside));
  return distance <= REACH ? distance : undefined;
}

/**
 * A place on the field, `margin` away from its edge.
 * @param {number} margin
 * @param {() => number} [random] gives 0 to below 1
 * @returns {Vector}
 */
export function somewhere(margin, random = Math.random) {
  return {
    x: Math.round(margin + random() * (FIELD.width - 2 * margin)),
    y: Math.round(margin + random() * (FIELD.height - 2 * margin)),
  };
}
