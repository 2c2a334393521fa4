import { logger } from "@colyseus/core";
import { setLogger } from "@colyseus/core/Logger";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { limitLog } from "../../../../../sdk/src/colyseus/server/observability/limit-log.ts";

const said: [level: string, ...words: unknown[]][] = [];
const levels = ["debug", "error", "info", "trace", "warn"] as const;
const mine = Object.fromEntries(
  levels.map((level) => [level, (...words: unknown[]) => void said.push([level, ...words])]),
) as Record<(typeof levels)[number], () => void>;

beforeEach(() => {
  said.length = 0;
  setLogger(mine);
});
afterEach(() => setLogger(console));

test("so many lines of a level, then how many more there were; debugging is nobody else's", () => {
  const now = vi.spyOn(performance, "now").mockReturnValue(0);
  const undo = limitLog({ burst: 3, perSecond: 1 });
  for (let i = 0; i < 10; i++) logger.error(`no. ${i}`);
  logger.warn("another level");
  for (let i = 0; i < 10; i++) logger.debug(i);
  expect(said.filter(([level]) => level === "error")).toHaveLength(3);
  expect(said.filter(([level]) => level === "debug")).toHaveLength(10);
  expect(said).toContainEqual(["warn", "another level"]);
  now.mockReturnValue(1000);
  logger.error("later");
  expect(said.slice(-2)).toEqual([
    ["error", "7 more lines like the last ones were left out."],
    ["error", "later"],
  ]);
  undo();
  expect(logger).toBe(mine);
  now.mockRestore();
});

test("a line is cut, and a second limit does not come on top", () => {
  const undo = limitLog({ maxLength: 10 });
  const again = limitLog({ maxLength: 1 });
  logger.info("0123456789abc", { whole: true });
  expect(said).toEqual([["info", "0123456789…", { whole: true }]]);
  again();
  logger.info("0123456789abc");
  expect(said).toHaveLength(2);
  undo();
});
