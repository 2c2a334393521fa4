/** What every player of the arena sees, and what each of them says. */
import { type SchemaType, schema, t } from "@colyseus/schema";
import { FIELD } from "./rules.js";

/**
 * Positions are reliable fields: they travel in the patch that acknowledges inputs, and a prediction is compared with the position that
 * belongs to its input. (An unreliable field travels beside it, in a frame that says nothing of inputs.)
 */
export const Player = schema(
  {
    name: t.string(),
    /** Degrees on the colour wheel. */
    hue: t.uint16(),
    x: t.float32(),
    y: t.float32(),
    score: t.uint16(),
  },
  "Player",
);
export type Player = SchemaType<typeof Player>;

export const Coin = schema({ x: t.uint16(), y: t.uint16() }, "Coin");
export type Coin = SchemaType<typeof Coin>;

export const Drone = schema({ x: t.float32(), y: t.float32() }, "Drone");
export type Drone = SchemaType<typeof Drone>;

export const ArenaState = schema(
  {
    width: t.uint16().default(FIELD.width),
    height: t.uint16().default(FIELD.height),
    players: t.map(Player),
    coins: t.map(Coin),
    drones: t.map(Drone),
  },
  "ArenaState",
);
export type ArenaState = SchemaType<typeof ArenaState>;

/** Sixty times a second, from each player. */
export const ArenaInput = schema(
  {
    /** Where to: -100 to 100 each way. */
    x: t.int8().default(0),
    y: t.int8().default(0),
    /** A full turn is 65536. */
    aim: t.uint16().default(0),
    fire: t.boolean().default(false),
  },
  "ArenaInput",
);
export type ArenaInput = SchemaType<typeof ArenaInput>;

/** What the room tells everybody of a shot: where from and how far, and whom it hit. */
export interface Shot {
  by: string;
  x: number;
  y: number;
  aim: number;
  reach: number;
  /** Key of a player or of a drone; empty if it hit nobody. */
  hit: string;
}
