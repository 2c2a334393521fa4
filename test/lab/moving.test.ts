// Players whose address changes in mid-game: the router at home gets another one. Nothing but their packets tells of it.
import { expect, test } from "vitest";
import { describeLab } from "./lab/vitest.ts";
import { measureMoves } from "./moves.ts";

describeLab("a player whose router gets another address", () => {
  test.each(["address", "invite"] as const)("who came by %s plays on, and nothing is lost", async (by) => {
    const { sent, answered, inOrder, longestMs, paths } = await measureMoves(by);
    // The server takes a player for one who may have moved after 150 ms of silence; round trips are of less than a millisecond here.
    for (const ms of longestMs) expect(ms).toBeLessThan(1000);
    expect(answered).toBe(sent);
    expect(inOrder).toBe(true);
    expect(paths).toEqual(["direct", "direct"]);
  });
});
