// `npm run soak`: every row of this folder, or those that are named: `npm run soak -- terminal`. `--times N` of each thing, default 20.
import { readdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { SoakModule } from "./row.ts";

const NO_ROW = new Set(["main.ts", "row.ts"]);

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { times: { type: "string", default: "20" } },
});
const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".ts") && !NO_ROW.has(name));
const names = files.map((name) => name.slice(0, -".ts".length));
const unknown = positionals.filter((name) => !names.includes(name));
const times = Number(values.times);
if (unknown.length > 0 || !(Number.isInteger(times) && times > 0)) {
  console.error(
    unknown.length > 0
      ? `There is no row called ${unknown.join(", ")}; there are ${names.join(", ")}.`
      : `--times must be a whole number above 0, not ${values.times}.`,
  );
  process.exit(64);
}

let passed = 0;
let failed = 0;
for (const name of positionals.length > 0 ? positionals : names) {
  const startedAt = performance.now();
  console.log(`${name}, ${times} times each`);
  const { soak } = (await import(`./${name}.ts`)) as SoakModule;
  for await (const result of soak(times)) {
    passed += result.passed;
    failed += result.failed;
    const mark = result.failed > 0 ? "FAILED" : "passed";
    const detail = result.detail === undefined ? "" : `\n       ${result.detail}`;
    console.log(
      `${mark} ${String(result.passed).padStart(4)} of ${result.passed + result.failed}  ${result.what}${detail}`,
    );
  }
  console.log(`${name} took ${Math.round((performance.now() - startedAt) / 1000)} s`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed > 0 ? 1 : 0);
