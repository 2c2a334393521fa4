// The unit tests, and those of interop that need no program of another system, on Windows: left-out.ts names the others.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Lab } from "../../lab/lab/index.ts";
import { describeLab } from "../../lab/lab/vitest.ts";
import { installWine, NODE, REPOSITORY, WindowsComputer } from "../wine/computer.ts";
import { windowsModules } from "../wine/modules.ts";
import { LEFT_OUT, SKIPPED } from "./left-out.ts";

interface Report {
  numPassedTests: number;
  numFailedTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string; failureMessages: string[] }[];
  }[];
}

describeLab("on Windows", () => {
  let lab: Lab;
  let computer: WindowsComputer;
  beforeAll(async () => {
    const wine = await installWine();
    if (!("installation" in wine)) throw new Error(wine.reason);
    lab = await Lab.create();
    computer = await WindowsComputer.boot(await lab.host(), { ...wine, modules: await windowsModules() });
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  async function run(project: string): Promise<Report> {
    const vitest = `${REPOSITORY}\\node_modules\\vitest\\vitest.mjs`;
    const argv = ["run", "--project", project, "--reporter=json", `--outputFile=Z:\\computer\\tmp\\${project}.json`];
    // Wine's processes are slow to start and to end.
    argv.push("--maxWorkers=2", "--testTimeout=300000", "--hookTimeout=300000", "--teardownTimeout=60000");
    for (const name of Object.keys(LEFT_OUT)) argv.push("--exclude", `test/interop/${name}.test.ts`);
    const { output } = await computer.exec([NODE, vitest, ...argv], {
      timeoutMs: 2_400_000,
      env: { SALLYPORT_LAN: "none" },
    });
    try {
      const file = join(computer.drive, "../../tmp", `${project}.json`);
      return JSON.parse(readFileSync(file, "utf8")) as Report;
    } catch {
      throw new Error(output.slice(-5000));
    }
  }

  function failures({ testResults }: Report): string[] {
    return testResults.flatMap(({ name, status, message, assertionResults }) => {
      const failed = assertionResults.filter((each) => each.status === "failed");
      const lines = failed.map(
        ({ fullName, failureMessages }) => `${name}: ${fullName}\n${failureMessages.join("\n")}`,
      );
      return status === "failed" && failed.length === 0 ? [`${name}: ${message}`] : lines;
    });
  }

  test.for([
    { project: "unit", atLeast: 2800 },
    { project: "interop", atLeast: 300 },
  ])("the $project tests pass", async ({ project, atLeast }) => {
    const report = await run(project);
    expect(failures(report)).toEqual([]);
    expect(report.numPassedTests).toBeGreaterThan(atLeast);
    if (project !== "unit") return;
    const results = report.testResults.flatMap(({ assertionResults }) => assertionResults);
    const skipped = results.filter(({ status }) => status === "skipped").map(({ fullName }) => fullName);
    expect(skipped.sort()).toEqual(Object.keys(SKIPPED).sort());
  });
});
