// `npm run bench`: every module of this folder that measures, or those that are named: `npm run bench -- channel netcode`.
import { readdir } from "node:fs/promises";
import { parseArgs } from "node:util";
import type { BenchModule, BenchRow } from "./row.ts";

const NO_MEASUREMENT = new Set(["main.ts", "row.ts", "urgent.ts"]);

const { positionals, values } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" } } });
const files = (await readdir(import.meta.dirname)).filter((name) => name.endsWith(".ts") && !NO_MEASUREMENT.has(name));
const names = files.map((name) => name.slice(0, -".ts".length)).filter((name) => !name.includes("."));
const unknown = positionals.filter((name) => !names.includes(name));
if (unknown.length > 0) {
  console.error(`There is no measurement called ${unknown.join(", ")}; there are ${names.join(", ")}.`);
  process.exit(64);
}

const results: (BenchRow & { from: string })[] = [];
for (const name of positionals.length > 0 ? positionals : names) {
  process.stderr.write(`${name} …\n`);
  const { rows } = (await import(`./${name}.ts`)) as BenchModule;
  for (const row of await rows()) {
    results.push({ from: name, ...row });
    if (values.json) console.log(JSON.stringify({ from: name, ...row }));
    else
      console.log(
        `${row.met ? "met   " : "MISSED"} ${row.what}: ${row.value} (target ${row.target})${row.detail ? `\n       ${row.detail}` : ""}`,
      );
  }
}
const missed = results.filter(({ met }) => !met).length;
if (!values.json) console.log(`${results.length - missed} met, ${missed} missed`);
process.exit(0);
