/** `--trace FILE` of the programs, as far as it goes without a network. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PROGRAMS = {
  doctor: ["sdk/dist/cli/main.js", "doctor"],
  map: ["sdk/dist/cli/main.js", "map", "7777"],
  host: ["examples/lobby/src/host.ts"],
  join: ["examples/lobby/src/join.ts", "http://127.0.0.1:1"],
};

function run(program: keyof typeof PROGRAMS, ...more: string[]) {
  return spawnSync(process.execPath, [...PROGRAMS[program], ...more], { cwd: ROOT, encoding: "utf8" });
}

test.each(["doctor", "map", "host", "join"] as const)(
  "%s says in one sentence that the file cannot be made",
  (program) => {
    const { status, stdout, stderr } = run(program, "--trace", "/nowhere/at/all/trace.jsonl");
    expect(stderr.trim()).toMatch(
      /^(sallyport \w+: )?The trace cannot be written to \/nowhere\/at\/all\/trace\.jsonl \(ENOENT\)\.$/,
    );
    expect([status, stdout]).toEqual([73, ""]);
  },
);

test.each(["doctor", "map", "host", "join"] as const)("%s wants a name", (program) => {
  const { status, stderr } = run(program, "--trace=");
  expect([status, stderr.split("\n", 1)[0]]).toEqual([64, expect.stringMatching(/--trace needs /)]);
});

test("a join that fails leaves its trace, and says where", () => {
  const directory = mkdtempSync(join(tmpdir(), "trace-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, "trace.jsonl");
  const { status, stderr } = run("join", "--trace", file, "--json");
  expect(status).toBe(1);
  expect(stderr).toContain(`Trace written to ${file}; it names addresses of your network.\n`);
  const lines = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines[0]).toMatchObject({ event: "trace", program: "npm run join", node: process.version });
  expect(lines.at(-1)).toMatchObject({ room: "colyseus", event: "join-failed" });
  if (process.platform !== "win32") expect(statSync(file).mode & 0o777).toBe(0o600);
});
