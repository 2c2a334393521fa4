/**
 * Every way in which a person ends a game that has opened a port, and every program that they may have started it by. Of each cell
 * the router is asked afterwards: nothing may be left there.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../until.ts";
import type { Mapping } from "../lab/index.ts";
import { Pty, quiet } from "./pty.ts";
import type { Home, Street } from "./street.ts";

/** What each of these programs prints when the port is open. */
export const OPEN: RegExp =
  /Anyone can join at|Your router (says that it )?forwards port|held and renewed until Ctrl-C|^Reached at/;
const PATIENCE_MS = 60_000;
/** Between the two signals of a pair, ms: what it takes npm to pass one on. */
const ECHO_AFTER_MS = 10;

interface Program {
  /** Where it is started: the scaffolded game, this repository, or the programs beside this file. */
  readonly folder: "game" | "root" | "programs";
  readonly command: string;
  /** It prints no line when the port is open: the router is asked. */
  readonly isQuiet?: boolean;
}

export interface Cell extends Program {
  readonly name: string;
  /** npm's `script-shell`. */
  readonly shell?: "dash" | "bash";
  /** A key, a window that is closed, or signals to the program itself. */
  readonly end: "Ctrl-C" | "closed terminal" | readonly NodeJS.Signals[];
}

const SHELLS = ["dash", "bash"] as const;
const BY_NPM: readonly Program[] = [
  { folder: "game", command: "npm run dev" },
  { folder: "game", command: "npm start" },
  { folder: "root", command: "npm run host" },
  { folder: "root", command: "npm start" },
  { folder: "root", command: "npm run sallyport -- map 9001" },
  { folder: "root", command: "npm run start -w examples/port-forward -- 9003 -- sleep 100" },
  { folder: "game", command: "npx sallyport map 9001" },
];
const BY_HAND: readonly Program[] = [
  { folder: "game", command: "node src/index.ts" },
  { folder: "game", command: "node --watch src/index.ts" },
  { folder: "game", command: "tsx watch src/index.ts" },
  { folder: "root", command: "node examples/listen-server/src/game.ts host Ada", isQuiet: true },
  { folder: "programs", command: "node manager.ts" },
  { folder: "programs", command: "node transport.ts" },
  { folder: "programs", command: "node mapper.ts" },
];
const PAIRS: readonly (readonly NodeJS.Signals[])[] = [
  ["SIGINT", "SIGINT"],
  ["SIGTERM", "SIGTERM"],
  ["SIGINT", "SIGTERM"],
];
const BY_SIGNAL: readonly Program[] = [
  { folder: "game", command: "node src/index.ts" },
  { folder: "root", command: "node examples/lobby/src/host.ts" },
  { folder: "root", command: "node sdk/dist/cli/main.js map 9001" },
  { folder: "programs", command: "node manager.ts" },
  { folder: "programs", command: "node transport.ts" },
];

export const CELLS: readonly Cell[] = [
  ...(["Ctrl-C", "closed terminal"] as const).flatMap((end) => [
    ...BY_NPM.flatMap((program) => SHELLS.map((shell) => cell(program, end, shell))),
    ...BY_HAND.map((program) => cell(program, end)),
  ]),
  ...BY_SIGNAL.flatMap((program) => PAIRS.map((end) => cell(program, end))),
];

function cell(program: Program, end: Cell["end"], shell?: "dash" | "bash"): Cell {
  const how = typeof end === "string" ? end : end.join(" ");
  const name = `${how}: ${program.command} in ${program.folder}`;
  return shell === undefined ? { ...program, name, end } : { ...program, name: `${name} (${shell})`, end, shell };
}

/** Lives through a cell in the next free home. What it leaves on the router, which is then removed; nothing if all is well. */
export function run(cell: Cell, street: Street): Promise<readonly Mapping[]> {
  const cwd = street.folder(cell.folder);
  return street.atHome(async (home) => {
    const output = await (typeof cell.end === "string" ? inTerminal(cell, home, cwd) : bySignal(cell, home, cwd));
    await quiet(home.computer);
    const left = await home.router.mappings();
    for (const { protocol, externalPort } of left) await home.router.removeMapping(protocol, externalPort);
    if (left.length > 0) console.error(`${cell.name}\n${output}`);
    return left;
  });
}

async function inTerminal(cell: Cell, { router, computer }: Home, cwd: string): Promise<string> {
  const { command, shell, end, isQuiet } = cell;
  const env = shell === undefined ? {} : { npm_config_script_shell: `/bin/${shell}` };
  const terminal = new Pty(computer, { cwd, env });
  await terminal.type(command);
  if (isQuiet !== true) await terminal.line(OPEN);
  await opened(router, cell);
  if (end === "Ctrl-C") {
    terminal.interrupt();
    await terminal.prompt();
    await quiet(computer);
  }
  terminal.hangUp();
  return terminal.output;
}

async function bySignal(cell: Cell, { router, computer }: Home, cwd: string): Promise<string> {
  const running = computer.spawn(cell.command.split(" "), { cwd, env: { NO_COLOR: "1" } });
  await running.waitForLine(OPEN, PATIENCE_MS);
  await opened(router, cell);
  for (const [index, signal] of (cell.end as readonly NodeJS.Signals[]).entries()) {
    if (index > 0) await sleep(ECHO_AFTER_MS);
    running.kill(signal);
  }
  await running.exited;
  return running.output.join("\n");
}

/** Without this the cell would show nothing. */
async function opened(router: Home["router"], { isQuiet }: Cell): Promise<void> {
  const isOpen = async (): Promise<boolean> => (await router.mappings()).length > 0;
  if (isQuiet === true) await until(isOpen, { timeoutMs: PATIENCE_MS, everyMs: 50 });
  else if (!(await isOpen())) throw new Error("nothing was mapped");
}
