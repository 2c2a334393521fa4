/** What comes after the files: packages and git, by the programs that do it. */
import { type SpawnOptionsWithStdioTuple, spawn } from "node:child_process";
import { EXIT, Failure } from "./failure.ts";

export type PackageManager = "npm" | "pnpm" | "yarn" | "bun";

/** The one that was used to call us: `npm_config_user_agent` begins with its name. */
export function packageManager(agent: string | undefined = process.env["npm_config_user_agent"]): PackageManager {
  const name = agent?.split("/", 1)[0];
  return name === "pnpm" || name === "yarn" || name === "bun" ? name : "npm";
}

const OFFLINE: RegExp = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ECONNRESET|ENOTCACHED/;

/** @throws Failure; the project stands all the same */
export async function install(folder: string, manager: PackageManager): Promise<void> {
  const quiet = manager === "npm" ? ["--no-audit", "--no-fund", "--loglevel=error"] : [];
  const { code, output } = await run(manager, ["install", ...quiet], folder);
  if (code === 0) return;
  if (code === "ENOENT") {
    throw new Failure(
      `${manager} is not to be found. The project is there; install its packages with npm.`,
      EXIT.unavailable,
    );
  }
  const reason = OFFLINE.test(output)
    ? "the package registry cannot be reached. Is this machine online?"
    : `${manager} says:\n${output.trim().split("\n").slice(-8).join("\n")}`;
  throw new Failure(
    `The packages are not installed: ${reason}\nThe project itself is complete. Try again in its folder with: ${manager} install`,
    EXIT.unavailable,
  );
}

/** Answers why there is no repository; undefined when there is one now. */
export async function initialiseGit(folder: string, noun: string): Promise<string | undefined> {
  const inside = await run("git", ["rev-parse", "--is-inside-work-tree"], folder);
  if (inside.code === "ENOENT") return "git is not installed";
  if (inside.code === 0) return "it lies in a git repository already";
  for (const command of [
    ["init", "--quiet"],
    ["add", "--all"],
    ["commit", "--quiet", "--message", `A new ${noun}`],
  ]) {
    const { code, output } = await run("git", command, folder);
    if (code === 0) continue;
    if (command[0] === "commit") return "there is no first commit yet, since git does not know your name and e-mail";
    return `git ${command[0]} failed: ${output.trim()}`;
  }
  return undefined;
}

function run(
  program: string,
  argv: readonly string[],
  cwd: string,
): Promise<{ code: number | string | null; output: string }> {
  return new Promise((resolve) => {
    // npm is a script on Windows, which only a shell can run; nothing of the user's is among the arguments.
    const shell = process.platform === "win32" && program !== "git";
    const options: SpawnOptionsWithStdioTuple<"ignore", "pipe", "pipe"> = {
      cwd,
      shell,
      stdio: ["ignore", "pipe", "pipe"],
    };
    // Node warns of arguments beside a shell, which would not be quoted (DEP0190).
    const child = shell ? spawn([program, ...argv].join(" "), options) : spawn(program, argv, options);
    let output = "";
    child.stdout.on("data", (chunk) => (output += String(chunk)));
    child.stderr.on("data", (chunk) => (output += String(chunk)));
    child.once("error", (error: NodeJS.ErrnoException) => resolve({ code: error.code ?? "failed", output }));
    child.once("close", (code) => resolve({ code, output }));
  });
}
