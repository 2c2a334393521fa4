// `npm test`: every vitest project, then one line that counts them all. The lab runs where it can (root on Debian); what it
// could not run is counted as skipped, and with CI=true a skipped lab fails.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { startVitest } from "vitest/node";
import { prepare } from "./lab/lab/prepare.ts";

const named = process.argv.slice(2);
const projects = named.length > 0 ? named : ["unit", "interop", "attacks", "lab", "windows"];
// Before any test: interop's need other people's programs too.
const missing = prepare();
if (missing !== undefined)
  console.log(`Tests that need routers' software, or a root's rights, are skipped: ${missing}.`);
// The first time it takes a minute or two, beside tests that need it not.
else if (projects.includes("windows"))
  spawn(process.execPath, [fileURLToPath(new URL("windows/wine/setup.ts", import.meta.url))], { stdio: "ignore" });
const vitest = await startVitest("test", [], { run: true, watch: false, project: projects });

const counts = { passed: 0, failed: 0, skipped: 0 };
const secondTry: string[] = [];
const perProject = new Map<string, typeof counts>();
for (const module of vitest.state.getTestModules()) {
  const name = module.project.name;
  const project = perProject.get(name) ?? { passed: 0, failed: 0, skipped: 0 };
  perProject.set(name, project);
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    const key = state === "passed" ? "passed" : state === "failed" ? "failed" : "skipped";
    counts[key]++;
    if (test.diagnostic()?.flaky) secondTry.push(`${name}: ${test.fullName}`);
    project[key]++;
  }
  // A file that does not load has no tests and must not count as nothing.
  if (module.state() === "failed" && [...module.children.allTests("failed")].length === 0) {
    counts.failed++;
    project.failed++;
  }
}
const unhandled = vitest.state.getUnhandledErrors().length;
counts.failed += unhandled;
await vitest.close();

const line = ({ passed, failed, skipped }: typeof counts): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
for (const name of secondTry) console.log(`Passed, but not at the first try: ${name}`);
for (const [name, project] of perProject) console.log(`${name}: ${line(project)}`);
const inLab = ["lab", "attacks"].map((name) => perProject.get(name));
const labSkipped = inLab.reduce((sum, project) => sum + (project?.skipped ?? 0), 0);
const labRan = inLab.every((project) => project !== undefined && project.passed > 0);
if (process.env["CI"] && named.length === 0 && (labSkipped > 0 || !labRan)) {
  console.log("The lab must run in CI: it needs root on Debian.");
  counts.failed += Math.max(1, labSkipped);
  counts.skipped -= labSkipped;
}
console.log(line(counts));
process.exit(counts.failed > 0 || counts.passed === 0 ? 1 : 0);
