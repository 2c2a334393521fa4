import { expect, test } from "vitest";
import { WorkQueue } from "../../../../sdk/src/colyseus/lobby/work-queue.ts";

test("two at a time, some wait in order, and what comes beyond is refused at once", async () => {
  const queue = new WorkQueue({ running: 2, waiting: 3 });
  const gates = Array.from({ length: 6 }, () => Promise.withResolvers<number>());
  const begun: number[] = [];
  const works = gates.map(({ promise }, i) =>
    queue.run(() => {
      begun.push(i);
      return promise;
    }),
  );
  expect(works[5]).toBeUndefined();
  await Promise.resolve();
  await Promise.resolve();
  expect(begun).toEqual([0, 1]);
  gates[1]?.reject(new Error("failed"));
  await expect(works[1]).rejects.toThrow("failed");
  for (const i of [0, 2, 3, 4]) gates[i]?.resolve(i);
  expect(await Promise.all([works[0], works[2], works[3], works[4]])).toEqual([0, 2, 3, 4]);
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  // Its places are free again.
  expect(await Promise.all(Array.from({ length: 5 }, async (_, i) => await queue.run(async () => i)))).toEqual([
    0, 1, 2, 3, 4,
  ]);
});
