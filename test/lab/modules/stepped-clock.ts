/**
 * `node --import …/stepped-clock.ts PROGRAM`: the program's wall clock is ahead of the machine's by the ms that stand in the file CLOCK_FILE,
 * from the moment at which they do: namespaces have no clock of their own.
 */
import { readFileSync } from "node:fs";

const LOOK_MS = 20;
const file = process.env["CLOCK_FILE"] ?? "";
const { now } = Date;
let aheadMs = 0;
const look = (): void => {
  try {
    aheadMs = Number(readFileSync(file, "utf8"));
  } catch {
    aheadMs = 0;
  }
};
look();
setInterval(look, LOOK_MS).unref();
Date.now = () => now() + aheadMs;
