/** What every player sees. Colyseus sends the changes, and only those. */
import { type SchemaType, schema, t } from "@colyseus/schema";

export const Player = schema(
  {
    name: t.string(),
    /** Degrees on the colour wheel. */
    hue: t.uint16(),
    // Unreliable: the next position is worth more than a lost one sent again.
    x: t.float32().unreliable(),
    y: t.float32().unreliable(),
  },
  "Player",
);
export type Player = SchemaType<typeof Player>;

export const ArenaState = schema({ players: t.map(Player) }, "ArenaState");
export type ArenaState = SchemaType<typeof ArenaState>;
