/** What every player sees, and what each of them says. Colyseus sends the changes, and only those. */
import { type SchemaType, schema, t } from "@colyseus/schema";

export const Player = schema(
  {
    name: t.string(),
    /** Degrees on the colour wheel. */
    hue: t.uint16(),
    // Reliable: they travel in the patch that acknowledges inputs, and a prediction is compared with the position of its input.
    x: t.float32(),
    y: t.float32(),
    tags: t.uint16(),
  },
  "Player",
);
export type Player = SchemaType<typeof Player>;

export const ArenaState = schema({ players: t.map(Player) }, "ArenaState");
export type ArenaState = SchemaType<typeof ArenaState>;

/** Sixty times a second, from each player. */
export const ArenaInput = schema(
  {
    /** Where to: -100 to 100 each way. */
    x: t.int8().default(0),
    y: t.int8().default(0),
    /** Tags whoever is close. */
    tag: t.boolean().default(false),
  },
  "ArenaInput",
);
export type ArenaInput = SchemaType<typeof ArenaInput>;
