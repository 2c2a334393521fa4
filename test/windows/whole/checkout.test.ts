// The repository as Git for Windows checks it out, with `core.autocrlf`: its own checks pass there.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { environment } from "../../lab/lab/netns.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

test("npm run check, in a checkout with core.autocrlf=true", async () => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-checkout-"));
  const run = async (cwd: string, program: string, ...argv: string[]): Promise<string> => {
    const { stdout } = await promisify(execFile)(program, argv, { cwd, env: environment(), maxBuffer: 1 << 24 });
    return stdout;
  };
  try {
    await run(folder, "git", "clone", "--quiet", "--config", "core.autocrlf=true", ROOT, "clone");
    const clone = join(folder, "clone");
    const endings = await run(clone, "git", "ls-files", "--eol");
    expect(endings.split("\n").filter((line) => /\bw\/(?:crlf|mixed)/.test(line))).toEqual([]);
    await run(clone, "npm", "ci", "--prefer-offline", "--no-audit", "--no-fund");
    await run(clone, "npm", "run", "check");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
