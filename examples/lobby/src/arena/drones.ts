/** Drones fly straight on and turn back at the field's edge. */
import type { MapSchema } from "@colyseus/schema";
import { DRONE_RADIUS, DRONE_SPEED, DRONES, FIELD, somewhere } from "./rules.js";
import { Drone } from "./state.ts";

export class Drones {
  readonly #drones: MapSchema<Drone>;
  readonly #velocities = new Map<string, { x: number; y: number }>();
  #next = 0;

  constructor(drones: MapSchema<Drone>) {
    this.#drones = drones;
    for (let i = 0; i < DRONES; i++) this.#add();
  }

  step(seconds: number): void {
    for (const [key, drone] of this.#drones) {
      const velocity = this.#velocities.get(key);
      if (velocity === undefined) continue;
      const x = drone.x + velocity.x * seconds;
      const y = drone.y + velocity.y * seconds;
      if (x < DRONE_RADIUS || x > FIELD.width - DRONE_RADIUS) velocity.x = -velocity.x;
      else drone.x = x;
      if (y < DRONE_RADIUS || y > FIELD.height - DRONE_RADIUS) velocity.y = -velocity.y;
      else drone.y = y;
    }
  }

  /** One is gone, another comes. */
  replace(key: string): void {
    this.#drones.delete(key);
    this.#velocities.delete(key);
    this.#add();
  }

  #add(): void {
    // No player's key: those are longer.
    const key = `d${this.#next++}`;
    const angle = Math.random() * 2 * Math.PI;
    this.#velocities.set(key, { x: Math.cos(angle) * DRONE_SPEED, y: Math.sin(angle) * DRONE_SPEED });
    this.#drones.set(key, new Drone(somewhere(DRONE_RADIUS * 2)));
  }
}
