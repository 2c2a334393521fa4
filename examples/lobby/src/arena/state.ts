/** What every player of the arena sees. */
import { type SchemaType, schema, t } from "@colyseus/schema";
import { FIELD } from "./rules.ts";

/** Positions travel unreliably: the next one is worth more than the last one's retransmission. */
export const Player = schema(
  {
    name: t.string(),
    /** Degrees on the colour wheel. */
    hue: t.uint16(),
    x: t.float32().unreliable(),
    y: t.float32().unreliable(),
    score: t.uint16(),
  },
  "Player",
);
export type Player = SchemaType<typeof Player>;

export const Coin = schema({ x: t.uint16(), y: t.uint16() }, "Coin");
export type Coin = SchemaType<typeof Coin>;

export const ArenaState = schema(
  {
    width: t.uint16().default(FIELD.width),
    height: t.uint16().default(FIELD.height),
    players: t.map(Player),
    coins: t.map(Coin),
  },
  "ArenaState",
);
export type ArenaState = SchemaType<typeof ArenaState>;
