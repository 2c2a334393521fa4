// `npm run soak`: every row of this folder, or those that are named: `npm run soak -- terminal`. Options make it shorter: see
// SoakSizes. `--write` puts the figures of a whole run into SECURITY.md.
import { readdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import { writeFigures } from "./figures.ts";
import { type SoakModule, type SoakSizes, WHOLE } from "./row.ts";

const NO_ROW = new Set(["main.ts", "row.ts", "figures.ts"]);

const text = (name: keyof SoakSizes) => ({ type: "string", default: String(WHOLE[name]) }) as const;
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    times: text("times"),
    datagrams: text("datagrams"),
    requests: text("requests"),
    minutes: text("minutes"),
    write: { type: "boolean", default: false },
  },
});
const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".ts") && !NO_ROW.has(name));
const names = files.map((name) => name.slice(0, -".ts".length));
const unknown = positionals.filter((name) => !names.includes(name));
const { write, ...given } = values;
const sizes = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, Number(value)])) as unknown;
const wrong = Object.entries(sizes as SoakSizes).filter(([, value]) => !(Number.isInteger(value) && value > 0));
if (unknown.length > 0 || wrong.length > 0) {
  for (const name of unknown) console.error(`There is no row called ${name}; there are ${names.join(", ")}.`);
  for (const [name] of wrong) console.error(`--${name} must be a whole number above 0.`);
  process.exit(64);
}

const isWhole = Object.entries(sizes as SoakSizes).every(([name, value]) => value >= WHOLE[name as keyof SoakSizes]);
const figures = new Map<string, string>();
let passed = 0;
let failed = 0;
for (const name of positionals.length > 0 ? positionals : names) {
  const startedAt = performance.now();
  console.log(name);
  const { soak } = (await import(`./${name}.ts`)) as SoakModule;
  for await (const result of soak(sizes as SoakSizes)) {
    passed += result.passed;
    failed += result.failed;
    const mark = result.failed > 0 ? "FAILED" : "passed";
    const lines = [result.figures, result.detail].flatMap((line) => (line === undefined ? [] : `\n       ${line}`));
    const count = String(result.passed).padStart(4);
    console.log(`${mark} ${count} of ${result.passed + result.failed}  ${result.what}${lines.join("")}`);
    if (result.figures !== undefined && result.failed === 0) figures.set(result.what, result.figures);
  }
  console.log(`${name} took ${Math.round((performance.now() - startedAt) / 1000)} s`);
}
console.log(`${passed} passed, ${failed} failed`);
if (write && isWhole) await writeFigures(figures);
else if (write) console.log("SECURITY.md stays as it is: this was no whole run.");
process.exit(failed > 0 ? 1 : 0);
