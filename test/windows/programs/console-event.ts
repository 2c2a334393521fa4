/** Starts a program, and when it says that a port is open, tells it of a console's event. Prints how it ended, as JSON. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type CONSOLE_EVENTS, consoleEventExe } from "../wine/console-event-exe.ts";

const [event = "break", ...argv] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "console-event-"));
const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "inherit"] });
const said: string[] = [];
let toldAt = 0;
createInterface({ input: child.stdout }).on("line", (line) => {
  said.push(line);
  if (toldAt > 0 || !/"mapped"|mapped: (?:Anyone can join|Your router)/.test(line)) return;
  const program = join(folder, "tell.exe");
  writeFileSync(program, consoleEventExe(child.pid ?? 0, event as keyof typeof CONSOLE_EVENTS));
  toldAt = performance.now();
  execFileSync(program);
});
const [code] = await once(child, "exit");
console.log(JSON.stringify({ ended: code, ms: Math.round(performance.now() - toldAt), said }));
rmSync(folder, { recursive: true, force: true });
