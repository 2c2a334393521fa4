import type { SallyportRoom } from "../../../sdk/src/colyseus/client/room.ts";

/** Has a player of the arena walk in a circle: a step each time that the result is called. */
export function walkIn(room: SallyportRoom): () => void {
  const input = room.input<{ x: number; y: number }>({ mode: "unreliable", historySize: 8 });
  let step = 0;
  return () => {
    step++;
    input.data.x = Math.round(100 * Math.cos(step / 20));
    input.data.y = Math.round(100 * Math.sin(step / 20));
    input.send();
  };
}
