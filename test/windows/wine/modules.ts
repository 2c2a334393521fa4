/** The packages of this repository, for Windows: what `npm ci` installs there, once for each lock file. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { environment } from "../../lab/lab/netns.ts";
import { CACHE } from "./setup.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** @returns a folder that takes the place of `node_modules` */
export async function windowsModules(): Promise<string> {
  const lock = readFileSync(join(ROOT, "package-lock.json"));
  const folder = join(CACHE, `modules-${createHash("sha256").update(lock).digest("hex").slice(0, 12)}`);
  if (existsSync(folder)) return join(folder, "node_modules");
  const building = `${folder}.${process.pid}`;
  const manifests = globSync(["package.json", "package-lock.json", "*/package.json", "examples/*/package.json"], {
    cwd: ROOT,
    exclude: (name) => name === "node_modules",
  });
  for (const path of manifests) {
    mkdirSync(dirname(join(building, path)), { recursive: true });
    cpSync(join(ROOT, path), join(building, path));
  }
  const argv = ["ci", "--os=win32", "--cpu=x64", "--ignore-scripts", "--no-audit", "--no-fund"];
  await promisify(execFile)("npm", argv, { cwd: building, env: environment() });
  try {
    renameSync(building, folder);
  } catch (error) {
    // Another run was quicker.
    rmSync(building, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return join(folder, "node_modules");
}
