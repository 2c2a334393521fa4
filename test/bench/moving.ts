/** Players whose address changes in mid-game, and those who only say so, in the lab of network namespaces. */

import { measureForgery } from "../lab/forgery.ts";
import { removeLeftovers } from "../lab/lab/cleanup.ts";
import { prepare } from "../lab/lab/prepare.ts";
import { measureMoves } from "../lab/moves.ts";
import type { BenchRow } from "./row.ts";

/** Silence after which a server takes a player for one who may have moved (150 ms), and what a busy machine adds. */
const RESUMED_MS = 250;
const LIMIT = 3;

export async function rows(): Promise<BenchRow[]> {
  const missing = prepare();
  if (missing) {
    return [{ what: "a player's address changes", value: "not measured", target: "", met: false, detail: missing }];
  }
  const result: BenchRow[] = [];
  for (const by of ["address", "invite"] as const) {
    const { sent, answered, inOrder, longestMs } = await measureMoves(by);
    const longest = Math.max(...longestMs);
    result.push({
      what: `a player's address changes in mid-game, joined by ${by === "address" ? "address" : "invite, over ICE"} (lab)`,
      value: `${longest.toFixed(0)} ms without an answer, ${sent - answered} of ${sent} lost`,
      target: `<= ${RESUMED_MS} ms (150 ms of silence, two round trips), 0 lost`,
      met: longest <= RESUMED_MS && sent === answered && inOrder,
      detail: `reliable questions at 50 Hz; three moves: ${longestMs.map((ms) => ms.toFixed(0)).join(", ")} ms`,
    });
  }
  for (const { from, to } of await measureForgery([1, 5])) {
    result.push({
      what: `UDP bytes to an address that has not proved itself, for ${from.packets} forged packets of a player (lab)`,
      value: `${(to.bytes / from.bytes).toFixed(2)} per byte from it`,
      target: `<= ${LIMIT}`,
      met: to.bytes <= LIMIT * from.bytes,
      detail: `in a room where 25 others walk: ${from.bytes} bytes in the victim's name, ${to.packets} packets of ${to.bytes} bytes to it`,
    });
  }
  removeLeftovers();
  return result;
}
