/** Homes with a router and a computer each, and a scaffolded game that all of them have. */
import { cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Gateway, type Host, Lab } from "../lab/index.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const PROGRAMS = fileURLToPath(new URL("programs/", import.meta.url));

export interface Home {
  readonly router: Gateway;
  readonly computer: Host;
}

export class Street implements AsyncDisposable {
  readonly #lab: Lab;
  readonly #scratch: string;
  readonly #free: Home[] = [];
  readonly #waiting: ((home: Home) => void)[] = [];

  private constructor(lab: Lab, scratch: string) {
    this.#lab = lab;
    this.#scratch = scratch;
  }

  static async build(homes: number): Promise<Street> {
    const lab = await Lab.create();
    // Within the workspace, so that the game's packages are found without a registry.
    const street = new Street(lab, await mkdtemp(join(ROOT, "test/lab/.terminal-")));
    try {
      for (let n = 0; n < homes; n++) {
        const router = await lab.gateway({ upnp: { igd: 2 } });
        street.#free.push({ router, computer: await router.host() });
      }
      await street.#pack();
      await street.scaffold("game");
      return street;
    } catch (error) {
      await street[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Of the game that nobody changes, of this repository, or of the programs beside this file. */
  folder(which: "game" | "root" | "programs"): string {
    return { game: join(this.#scratch, "game"), root: ROOT, programs: PROGRAMS }[which];
  }

  /** `npm create sallyport NAME`, with the packed SDK installed; gives its folder. */
  async scaffold(name: string): Promise<string> {
    const create = join(ROOT, "server-template/bin/create-sallyport.js");
    await this.#run([process.execPath, create, name, "--yes", "--no-install", "--no-git", "--no-public"]);
    const modules = join(this.#scratch, name, "node_modules");
    await mkdir(join(modules, ".bin"), { recursive: true });
    await cp(join(this.#scratch, "package"), join(modules, "sallyport"), { recursive: true });
    await symlink("../sallyport/dist/cli/main.js", join(modules, ".bin/sallyport"));
    return join(this.#scratch, name);
  }

  /** The SDK as it would be published. All else that a game needs is in the workspace that it stands in. */
  async #pack(): Promise<void> {
    await this.#run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", ".", join(ROOT, "sdk")]);
    await this.#run(["sh", "-c", "tar -xzf sallyport-*.tgz"]);
  }

  async #run(command: readonly string[]): Promise<void> {
    const { code, output } = await this.#lab.internet.exec(command, { cwd: this.#scratch, timeoutMs: 120_000 });
    if (code !== 0) throw new Error(`${command.join(" ")}: ${output}`);
  }

  /** What happens in the next home that is free. */
  async atHome<T>(live: (home: Home) => Promise<T>): Promise<T> {
    const home = this.#free.pop() ?? (await new Promise<Home>((resolve) => this.#waiting.push(resolve)));
    try {
      return await live(home);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(home);
      else next(home);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lab[Symbol.asyncDispose]();
    await rm(this.#scratch, { recursive: true, force: true });
  }
}
