/** A machine of the lab: one namespace, in which commands, modules and daemons run. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Link, nextAddress, Plug } from "./link.ts";
import { ETC_DIRECTORY, type LabContext } from "./netns.ts";
import { describeExit, type Exit, LabProcess, type SpawnOptions } from "./process.ts";

export interface ExecOptions extends SpawnOptions {
  /** Default 30 000. */
  readonly timeoutMs?: number;
  /** Written to its standard input. */
  readonly input?: string;
}

export interface ExecResult extends Exit {
  readonly stdout: string;
  /** Standard output and error as they came. */
  readonly output: string;
}

export class Machine {
  /** Name of the namespace: `ip netns exec NAME …` while the lab lives. */
  readonly namespace: string;
  /** For files of this machine alone; removed with the lab. All machines see the same files otherwise. */
  readonly directory: string;
  protected readonly context: LabContext;

  constructor(context: LabContext, namespace: string) {
    this.context = context;
    this.namespace = namespace;
    this.directory = join(context.directory, namespace.slice(context.prefix.length + 1));
    mkdirSync(this.directory);
  }

  /**
   * Starts a program in this machine; whatever still runs when the lab is disposed of is killed. `XDG_STATE_HOME` is the
   * machine's own, as two machines keep no common journal.
   */
  spawn(command: readonly string[], options: SpawnOptions = {}): LabProcess {
    const env = { XDG_STATE_HOME: join(this.directory, "state"), ...options.env };
    const child = new LabProcess(this.namespace, command, { ...options, env });
    const { processes } = this.context;
    processes.add(child);
    void child.exited.then(() => processes.delete(child));
    return child;
  }

  /** Runs a program to its end, whatever its exit code. @throws when it takes longer than `timeoutMs`. */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { timeoutMs = 30_000, input = "", ...rest } = options;
    const child = this.spawn(command, rest);
    child.write(input);
    child.endInput();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeoutMs);
    const exit = await child.exited;
    clearTimeout(timer);
    const output = child.output.map((line) => `${line}\n`).join("");
    if (late) throw new Error(`${command.join(" ")}: still running after ${timeoutMs} ms\n${output}`);
    return { ...exit, stdout: child.stdout, output };
  }

  /** Gives the machine a file of its own in /etc, for programs that start from now on: `hosts`, `resolv.conf`. */
  etc(name: string, content: string): void {
    const directory = join(ETC_DIRECTORY, this.namespace);
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, name), content);
  }

  /** Starts a TypeScript or JavaScript module with this Node; `args` is its `JSON.parse(process.argv[2])`. */
  spawnModule(module: URL | string, args: unknown = null, options: SpawnOptions = {}): LabProcess {
    const path = typeof module === "string" ? module : fileURLToPath(module);
    return this.spawn([process.execPath, path, JSON.stringify(args)], options);
  }

  /**
   * Runs a module to its end; the value is the last line that it prints, which is JSON.
   * @throws when it fails, prints no JSON or takes longer than `timeoutMs`.
   */
  async run<T>(module: URL | string, args: unknown = null, options: ExecOptions = {}): Promise<T> {
    const path = typeof module === "string" ? module : fileURLToPath(module);
    const result = await this.exec([process.execPath, path, JSON.stringify(args)], options);
    const last = result.stdout.trimEnd().split("\n").at(-1) ?? "";
    if (result.code === 0) {
      try {
        return JSON.parse(last) as T;
      } catch {
        // said below
      }
    }
    throw new Error(`${path}: ${describeExit(result)}, last line is "${last}"\n${result.output}`);
  }

  /** Starts Debian's headless Godot 3.2 with a script that extends SceneTree; its user directory is the machine's. */
  godot(script: URL | string, args: readonly string[] = [], options: SpawnOptions = {}): LabProcess {
    const path = typeof script === "string" ? script : fileURLToPath(script);
    const home = { HOME: this.directory, XDG_DATA_HOME: undefined, XDG_CONFIG_HOME: undefined, LC_ALL: "en" };
    return this.spawn(["godot3-server", "-s", path, ...args], { ...options, env: { ...home, ...options.env } });
  }
}

/** A machine with one interface, `eth0`: on a LAN or on the internet. */
export class Host extends Machine {
  readonly #plug: Plug;

  constructor(context: LabContext, namespace: string, link: Link) {
    super(context, namespace);
    this.#plug = new Plug(namespace, "eth0", link);
  }

  get address(): string {
    return this.#plug.address;
  }

  /** Global IPv6 address, in a lab with `ipv6: true` (not behind two gateways). */
  get address6(): string | undefined {
    return this.#plug.link.address6;
  }

  /** The router to which its default route leads. */
  get router(): string {
    return this.#plug.link.router;
  }

  /** Gives it another IPv4 address (default: the next one), as after a new DHCP lease or in another network. */
  async setAddress(address: string = nextAddress(this.address)): Promise<void> {
    await this.#plug.setAddress(address);
  }

  /** Pulls its cable. */
  async unplug(): Promise<void> {
    await this.#plug.unplug();
  }

  async replug(): Promise<void> {
    await this.#plug.replug();
  }
}
