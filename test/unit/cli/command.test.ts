/** The command line's own words: mistyped commands and options, and a Node that is too old. */
import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parseOptions, UsageError } from "../../../sdk/src/cli/command.ts";

const BIN = fileURLToPath(new URL("../../../sdk/bin/sallyport.js", import.meta.url));

function run(args: readonly string[], node: readonly string[] = []): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync(process.execPath, [...node, BIN, ...args], { encoding: "utf8" });
  return { status, stderr };
}

describe("a mistyped word", () => {
  test.each([
    ["--pot", "--pot is no option. Did you mean --port?"],
    ["--xyzzy", "--xyzzy is no option."],
  ])("%s", (typed, said) => {
    const parse = (): unknown => parseOptions({ args: [typed], options: { port: { type: "string" } } });
    expect(parse).toThrow(new UsageError(said));
  });

  test("of a command", () => {
    const { status, stderr } = run(["doctr"]);
    expect(status).toBe(64);
    expect(stderr).toMatch(/^sallyport: there is no command doctr\. Did you mean doctor\?\n/);
  });
});

describe("the command", () => {
  test("runs", () => {
    expect(execFileSync(process.execPath, [BIN, "--help"], { encoding: "utf8" })).toMatch(/^sallyport COMMAND/);
  });

  test("is one sentence on a Node that is too old", () => {
    const pretend = 'data:text/javascript,Object.defineProperty(process.versions, "node", { value: "20.20.2" })';
    const { status, stderr } = run(["doctor"], ["--import", pretend]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^Node 20\.20\.2 is too old: sallyport needs Node 22\.19 or later\.\n/);
    expect(stderr).not.toContain("at ");
  });
});
