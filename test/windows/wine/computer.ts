/** Computers with Windows in the lab: machines whose programs run in Wine. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { ExecOptions, ExecResult, Host, LabProcess } from "../../lab/lab/index.ts";
import { shell } from "../../lab/lab/netns.ts";
import { Pty } from "../../lab/terminal/pty.ts";
import { until } from "../../until.ts";
import { WINE } from "./setup.ts";

/** Generous: it bounds a failure on a machine that does much else. */
const PATIENCE_MS = 180_000;

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));
/** Inside of Wine, where Unix' root is Z:. */
export const REPOSITORY = "Z:\\repo";
export const NODE = "C:\\Program Files\\nodejs\\node.exe";
export const SALLYPORT: readonly string[] = [NODE, `${REPOSITORY}\\sdk\\dist\\cli\\main.js`];

export interface WindowsOptions {
  /** What `setup.ts` made. */
  readonly installation: string;
  /** Packages for Windows, in place of the repository's; default those of this machine, as far as they run. */
  readonly modules?: string;
}

export interface RunOptions extends ExecOptions {
  /** Where it starts, as Unix names it inside: default the repository, `/repo`. */
  readonly folder?: string;
  /** In the network of this machine itself, for a registry of packages. Nothing else may run then: sockets are Wine's, not a program's. */
  readonly outside?: boolean;
}

export class WindowsComputer {
  readonly machine: Host;
  /** Its C: drive, as Unix names it. */
  readonly drive: string;
  readonly #folder: string;
  readonly #options: WindowsOptions;

  private constructor(machine: Host, folder: string, options: WindowsOptions) {
    this.machine = machine;
    this.drive = join(folder, "prefix/drive_c");
    this.#folder = folder;
    this.#options = options;
  }

  /** Gives a machine a hard disk with Windows on it. */
  static async boot(machine: Host, options: WindowsOptions): Promise<WindowsComputer> {
    const folder = join(machine.directory, "windows");
    mkdirSync(join(folder, "tmp"), { recursive: true });
    writeFileSync(join(folder, "hosts"), `127.0.0.1 localhost ${hostname()}\n`);
    // Links, where the cache is on the same disk: nothing in there is changed in place.
    const disk = `${options.installation}/prefix`;
    await shell(
      `cp -al '${disk}' '${folder}/prefix' || { rm -rf '${folder}/prefix'; cp -a '${disk}' '${folder}/prefix'; }`,
    );
    const computer = new WindowsComputer(machine, folder, options);
    computer.setRoutes("");
    return computer;
  }

  /** What `route print` says. */
  setRoutes(text: string): void {
    writeFileSync(join(this.drive, "route.txt"), text.replaceAll("\n", "\r\n"));
  }

  /** Where Sallyport keeps what a crash would leave behind. */
  get state(): string {
    return join(this.drive, "users/wine/AppData/Local/sallyport");
  }

  stateFiles(): string[] {
    try {
      return readdirSync(this.state);
    } catch {
      return [];
    }
  }

  /** Starts a program of Windows. Its pid is that of a shell; {@link kill} ends the program. */
  spawn(command: readonly string[], { folder = "/repo", env = {}, ...options }: RunOptions = {}): LabProcess {
    return this.machine.spawn(["sh", join(HERE, "run.sh"), ...this.#inside(folder, env, command)], options);
  }

  async exec(command: readonly string[], options: RunOptions = {}): Promise<ExecResult> {
    const { folder = "/repo", env = {}, outside = false, ...rest } = options;
    const line = ["sh", join(HERE, "run.sh"), ...this.#inside(folder, env, command)];
    const network = outside ? ["env", "OUTSIDE=1", "nsenter", `--net=/proc/${process.pid}/ns/net`] : [];
    return await this.machine.exec([...network, ...line], { timeoutMs: PATIENCE_MS, ...rest });
  }

  /** Types a command in a window; its output goes to a file, since Wine paints a window's. */
  async terminal(command: readonly string[], { folder = "/repo", env = {} }: RunOptions = {}): Promise<Terminal> {
    const pty = new Pty(this.machine, { cwd: ROOT });
    const file = join(this.#folder, "tmp", `window-${process.hrtime.bigint()}`);
    writeFileSync(file, "");
    const line = ["sh", join(HERE, "enter.sh"), ...this.#inside(folder, env, command)];
    await pty.type(`${line.map(quote).join(" ")} >'${file}' 2>&1`);
    return new Terminal(pty, file);
  }

  /** Ends programs of Windows as the task manager does: those whose command line has this in it. */
  async kill(part: string): Promise<number> {
    const pids = await this.programs(part);
    for (const pid of pids) process.kill(pid, "SIGKILL");
    await until(async () => (await this.programs(part)).length === 0);
    return pids.length;
  }

  /** Ends all that runs, Wine itself too. */
  async shutDown(): Promise<void> {
    const server = ["sh", join(HERE, "enter.sh"), ...this.#inside("/", {}, []).slice(0, -1), WINE.SERVER];
    await this.machine.exec([...server, "--kill"]);
    await this.machine.exec([...server, "--wait"]);
  }

  /** Resolves when no program that was started runs any more. */
  async quiet(): Promise<void> {
    await until(async () => (await this.programs("node")).length === 0, { timeoutMs: PATIENCE_MS, everyMs: 20 });
  }

  /** Ids of running programs of this computer, as Unix counts. */
  async programs(part: string): Promise<number[]> {
    const pids = (await shell(`ip netns pids ${this.machine.namespace}`)).split("\n").filter((line) => line !== "");
    return pids.map(Number).filter((pid) => {
      try {
        const command = readFileSync(join("/proc", String(pid), "cmdline"), "utf8").replaceAll("\0", " ");
        // A program of Windows is one of Wine's loader, whatever it calls itself.
        return readlinkSync(join("/proc", String(pid), "exe")).includes("/wine") && command.includes(part);
      } catch {
        return false; // it has ended
      }
    });
  }

  #inside(folder: string, env: RunOptions["env"] = {}, command: readonly string[]): string[] {
    const variables = Object.entries({
      PATH: "/usr/bin:/bin",
      HOME: "/computer",
      WINEPREFIX: "/computer/prefix",
      WINESERVER: WINE.SERVER,
      WINEDEBUG: "-all",
      WINEPATH: "C:\\Program Files\\nodejs",
      LC_ALL: "C.UTF-8",
      NO_COLOR: "1",
      XDG_RUNTIME_DIR: "/tmp",
      ...env,
    }).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
    const { installation, modules = "" } = this.#options;
    return [installation, this.#folder, ROOT, modules, folder, ...variables, WINE.LOADER, ...command];
  }
}

/** A window of Windows, with a program in it. */
export class Terminal {
  readonly #pty: Pty;
  readonly #file: string;

  constructor(pty: Pty, file: string) {
    this.#pty = pty;
    this.#file = file;
  }

  get output(): string {
    return readFileSync(this.#file, "utf8");
  }

  async line(pattern: RegExp, timeoutMs = PATIENCE_MS): Promise<string> {
    return await until(() => this.output.split(/\r?\n/).find((line) => pattern.test(line)), {
      timeoutMs,
      everyMs: 20,
      what: String(pattern),
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.output}\n${this.#pty.output}`);
    });
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#pty.interrupt();
  }

  press(keys: string): void {
    this.#pty.press(keys);
  }

  /** The program has ended, and the window has its prompt again. */
  async ended(): Promise<void> {
    await this.#pty.prompt();
  }

  close(): void {
    this.#pty.hangUp();
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** Installs Wine, or waits until that is done. @returns where it is, or why it is not */
export async function installWine(): Promise<{ installation: string } | { reason: string }> {
  const child = spawn(process.execPath, [join(HERE, "setup.ts")], { stdio: ["ignore", "pipe", "pipe"] });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  if (code === 0) return { installation: stdout.trim() };
  const said =
    stderr
      .trim()
      .split("\n")
      .find((line) => /^(?:\w*Error|flock)/.test(line)) ?? stderr.trim().slice(-300);
  return { reason: `Wine cannot be had: ${said}` };
}
