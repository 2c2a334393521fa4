/** Whom a shot meets, where the player who fired saw everybody. */
import type { RewindView } from "@colyseus/core";
import { DRONE_RADIUS, hitDistance, PLAYER_RADIUS, REACH } from "./rules.js";
import type { ArenaState } from "./state.ts";

export interface Hit {
  /** Key of a player or of a drone; empty if it meets nobody. */
  hit: string;
  /** How far it flies. */
  reach: number;
}

/** @param seen the world as the player who fired saw it */
export function findHit(seen: RewindView, { players, drones }: ArenaState, by: string, aim: number): Hit {
  const nearest: Hit = { hit: "", reach: REACH };
  const from = players.get(by);
  if (from === undefined) return nearest;
  const look = (key: string, target: { x: number; y: number }, radius: number): void => {
    const place = { x: seen.value(target, "x"), y: seen.value(target, "y") };
    const reach = hitDistance(from, aim, place, radius);
    if (reach !== undefined && reach < nearest.reach) Object.assign(nearest, { hit: key, reach });
  };
  for (const [key, player] of players) if (key !== by) look(key, player, PLAYER_RADIUS);
  for (const [key, drone] of drones) look(key, drone, DRONE_RADIUS);
  return nearest;
}
