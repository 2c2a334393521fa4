/**
 * Every way in which a person ends a game that has opened a port, and every program that they may have started it by. Of each cell
 * the router is asked afterwards: nothing may be left there.
 */
import { chmod, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Gateway, type Host, Lab, type LabProcess, type Mapping } from "../lab/index.ts";
import { Pty, quiet } from "./pty.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAMS = fileURLToPath(new URL("programs/", import.meta.url));
/** What each of these programs prints when the port is open. */
const OPEN = /Anyone can join at|held and renewed until Ctrl-C/;
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

/** Homes in which cells run, each with a router and a computer of its own, and the scaffolded game that they share. */
export class Street implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #scratch: string;
  readonly #free: { router: Gateway; computer: Host }[] = [];
  readonly #waiting: ((home: { router: Gateway; computer: Host }) => void)[] = [];

  private constructor(lab: Lab, scratch: string) {
    this.#lab = lab;
    this.#scratch = scratch;
  }

  /** @param homes how many cells run at once */
  static async build(homes: number): Promise<Street> {
    const lab = await Lab.create();
    // Within the workspace, so that the game's packages are found without a registry.
    const street = new Street(lab, await mkdtemp(join(ROOT, "test/lab/.terminal-")));
    try {
      const site = await lab.host();
      const create = join(ROOT, "server-template/bin/create-sallyport.js");
      const argv = [process.execPath, create, "game", "--yes", "--no-install", "--no-git"];
      const created = await site.exec(argv, { cwd: street.#scratch });
      if (created.code !== 0) throw new Error(created.output);
      await street.#linkCommand();
      for (let n = 0; n < homes; n++) {
        const router = await lab.gateway({ upnp: { igd: 2 } });
        street.#free.push({ router, computer: await router.host() });
      }
      return street;
    } catch (error) {
      await street[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs a cell in the next free home. What is left on the router, which is then removed; nothing if all is well. */
  async run(cell: Cell): Promise<readonly Mapping[]> {
    const home =
      this.#free.pop() ??
      (await new Promise<{ router: Gateway; computer: Host }>((resolve) => this.#waiting.push(resolve)));
    try {
      return await live(cell, home.router, home.computer, this.#folder(cell));
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(home);
      else next(home);
    }
  }

  /** As npm does when it installs the package: `npx sallyport` is found. */
  async #linkCommand(): Promise<void> {
    const program = join(ROOT, "sdk/dist/cli/main.js");
    const bin = join(this.#scratch, "game/node_modules/.bin");
    await chmod(program, 0o755);
    await mkdir(bin, { recursive: true });
    await symlink(program, join(bin, "sallyport"));
  }

  #folder({ folder }: Cell): string {
    return { game: join(this.#scratch, "game"), root: ROOT, programs: PROGRAMS }[folder];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
    await rm(this.#scratch, { recursive: true, force: true });
  }
}

async function live(cell: Cell, router: Gateway, computer: Host, cwd: string): Promise<readonly Mapping[]> {
  const { command, end } = cell;
  const output = typeof end === "string" ? await inTerminal(cell, router, computer, cwd) : await bySignal();
  await quiet(computer);
  const left = await router.mappings();
  for (const { protocol, externalPort } of left) await router.removeMapping(protocol, externalPort);
  if (left.length > 0) console.error(`${cell.name}\n${output}`);
  return left;

  async function bySignal(): Promise<string> {
    const signals = end as readonly NodeJS.Signals[];
    const running: LabProcess = computer.spawn(command.split(" "), { cwd, env: { NO_COLOR: "1" } });
    await running.waitForLine(OPEN, PATIENCE_MS);
    await expectOpen(router);
    for (const [index, signal] of signals.entries()) {
      if (index > 0) await sleep(ECHO_AFTER_MS);
      running.kill(signal);
    }
    await running.exited;
    return running.output.join("\n");
  }
}

async function inTerminal(
  { command, shell, end }: Cell,
  router: Gateway,
  computer: Host,
  cwd: string,
): Promise<string> {
  const env = shell === undefined ? {} : { npm_config_script_shell: `/bin/${shell}` };
  const terminal = new Pty(computer, { cwd, env });
  await terminal.type(command);
  await terminal.line(OPEN);
  await expectOpen(router);
  if (end === "Ctrl-C") {
    terminal.interrupt();
    await terminal.prompt();
    await terminal.quiet();
  }
  terminal.hangUp();
  return terminal.output;
}

/** Without this the cell would show nothing. */
async function expectOpen(router: Gateway): Promise<void> {
  if ((await router.mappings()).length === 0) throw new Error("nothing was mapped");
}
