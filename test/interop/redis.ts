/** Debian's redis-server, on a Unix socket in a folder of its own. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What is not there, or nothing. */
async function missing(): Promise<string> {
  if (spawnSync("redis-server", ["--version"]).status !== 0) return "redis-server";
  for (const name of ["@colyseus/redis-driver", "@colyseus/redis-presence"]) {
    const found = await import(name).then(
      () => true,
      () => false,
    );
    if (!found) return name;
  }
  return "";
}

const absent = await missing();
/** Whether the lobby of several processes can be tested. With CI=true it must. */
export const hasRedis: boolean = absent === "";
if (absent !== "") {
  const line = `the lobby of several processes is not tested: ${absent} is missing`;
  // Where all is said to be tested, a test that did not run is a failure.
  if (process.env["CI"] === "true") throw new Error(line);
  console.warn(line);
}

export class Redis implements AsyncDisposable {
  /** Its path is what clients connect to. */
  readonly socket: string;
  readonly #folder: string;
  readonly #process: ChildProcess;

  private constructor(folder: string, socket: string, child: ChildProcess) {
    this.#folder = folder;
    this.socket = socket;
    this.#process = child;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  static async start(): Promise<Redis> {
    const folder = await mkdtemp(join(tmpdir(), "sallyport-redis-"));
    const socket = join(folder, "redis.sock");
    const child = spawn("redis-server", ["--port", "0", "--unixsocket", socket, "--dir", folder, "--save", ""], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout?.on("data", (text) => {
        if (/ready to accept connections/i.test(String(text))) resolve();
      });
      child.once("exit", () => reject(new Error("redis-server ended")));
    });
    return new Redis(folder, socket, child);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.removeAllListeners("exit");
    const exited = once(this.#process, "exit");
    this.#process.kill("SIGKILL");
    await exited;
    await rm(this.#folder, { recursive: true });
  }
}
