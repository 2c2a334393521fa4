/** Starts programs until one of them has the number that is given, and then stays. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

const wanted = Number(process.argv[2]);
const AT_ONCE = 8;
const MOST = 5000;

/** A program that waits for a line from us, if it has the number. */
async function tryOne(): Promise<ChildProcess | undefined> {
  const child = spawn("cmd.exe", ["/c", "set", "/p", "x="], { stdio: ["pipe", "ignore", "ignore"] });
  await once(child, "spawn");
  if (child.pid === wanted) return child;
  child.stdin.end();
  await once(child, "exit");
  return undefined;
}

for (let tried = 0; tried < MOST; tried += AT_ONCE) {
  const children = await Promise.all(Array.from({ length: AT_ONCE }, tryOne));
  if (children.some((child) => child !== undefined)) {
    console.log(`sitting at ${wanted}`);
    break;
  }
}
