/**
 * Every way in which a person ends a game that has opened a port, and every program that they may have started it by. Of each cell
 * the router is asked afterwards: nothing may be left there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Mapping } from "../lab/index.ts";
import { Pty, quiet } from "./pty.ts";
import type { Home, Street } from "./street.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAMS = fileURLToPath(new URL("programs/", import.meta.url));
/** What each of these programs prints when the port is open. */
export const OPEN: RegExp = /Anyone can join at|held and renewed until Ctrl-C/;
const PATIENCE_MS = 60_000;
/** Between the two signals of a pair, ms: what it takes npm to pass one on. */
const ECHO_AFTER_MS = 10;

export interface Cell {
  readonly name: string;
  /** Where it is started: the scaffolded game, this repository, or the programs beside this file. */
  readonly folder: "game" | "root" | "programs";
  readonly command: string;
  /** npm's `script-shell`. */
  readonly shell?: "dash" | "bash";
  /** A key, a window that is closed, or signals to the program itself. */
  readonly end: "Ctrl-C" | "closed terminal" | readonly NodeJS.Signals[];
}

const BY_NPM: readonly (readonly [Cell["folder"], string])[] = [
  ["game", "npm run dev"],
  ["game", "npm start"],
  ["root", "npm run host"],
  ["root", "npm start"],
  ["root", "npm run sallyport -- map 9001"],
  ["game", "npx sallyport map 9001"],
];
const BY_HAND: readonly (readonly [Cell["folder"], string])[] = [
  ["game", "node src/index.ts"],
  ["game", "node --watch src/index.ts"],
  ["game", "tsx watch src/index.ts"],
  ["programs", "node manager.ts"],
  ["programs", "node transport.ts"],
  ["programs", "node mapper.ts"],
];
const PAIRS: readonly (readonly NodeJS.Signals[])[] = [
  ["SIGINT", "SIGINT"],
  ["SIGTERM", "SIGTERM"],
  ["SIGINT", "SIGTERM"],
];
const BY_SIGNAL: readonly (readonly [Cell["folder"], string])[] = [
  ["game", "src/index.ts"],
  ["root", "examples/lobby/src/host.ts"],
  ["root", "sdk/dist/cli/main.js map 9001"],
  ["programs", "manager.ts"],
  ["programs", "transport.ts"],
];

export const CELLS: readonly Cell[] = [
  ...(["Ctrl-C", "closed terminal"] as const).flatMap((end) => [
    ...BY_NPM.flatMap(([folder, command]) =>
      (["dash", "bash"] as const).map(
        (shell): Cell => ({ name: `${end}: ${command} in ${folder} (${shell})`, folder, command, shell, end }),
      ),
    ),
    ...BY_HAND.map(([folder, command]): Cell => ({ name: `${end}: ${command} in ${folder}`, folder, command, end })),
  ]),
  ...BY_SIGNAL.flatMap(([folder, command]) =>
    PAIRS.map(
      (end): Cell => ({ name: `${end.join(" ")}: ${command} in ${folder}`, folder, command: `node ${command}`, end }),
    ),
  ),
];

/** Lives through a cell in the next free home. What it leaves on the router, which is then removed; nothing if all is well. */
export function run(cell: Cell, street: Street): Promise<readonly Mapping[]> {
  const cwd = { game: street.game, root: ROOT, programs: PROGRAMS }[cell.folder];
  return street.atHome(async (home) => {
    const output = await (typeof cell.end === "string" ? inTerminal(cell, home, cwd) : bySignal(cell, home, cwd));
    await quiet(home.computer);
    const left = await home.router.mappings();
    for (const { protocol, externalPort } of left) await home.router.removeMapping(protocol, externalPort);
    if (left.length > 0) console.error(`${cell.name}\n${output}`);
    return left;
  });
}

async function inTerminal({ command, shell, end }: Cell, { router, computer }: Home, cwd: string): Promise<string> {
  const env = shell === undefined ? {} : { npm_config_script_shell: `/bin/${shell}` };
  const terminal = new Pty(computer, { cwd, env });
  await terminal.type(command);
  await terminal.line(OPEN);
  await expectOpen(router);
  if (end === "Ctrl-C") {
    terminal.interrupt();
    await terminal.prompt();
    await quiet(computer);
  }
  terminal.hangUp();
  return terminal.output;
}

async function bySignal({ command, end }: Cell, { router, computer }: Home, cwd: string): Promise<string> {
  const running = computer.spawn(command.split(" "), { cwd, env: { NO_COLOR: "1" } });
  await running.waitForLine(OPEN, PATIENCE_MS);
  await expectOpen(router);
  for (const [index, signal] of (end as readonly NodeJS.Signals[]).entries()) {
    if (index > 0) await sleep(ECHO_AFTER_MS);
    running.kill(signal);
  }
  await running.exited;
  return running.output.join("\n");
}

/** Without this the cell would show nothing. */
async function expectOpen(router: Home["router"]): Promise<void> {
  if ((await router.mappings()).length === 0) throw new Error("nothing was mapped");
}
