/** Writes the tables of rows.ts into docs/from-godot.md: `node test/lab/godot/write-table.ts`. */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { table } from "./rows.ts";
import { SECTIONS } from "./sections.ts";

const path = fileURLToPath(new URL("../../../docs/from-godot.md", import.meta.url));
let page = readFileSync(path, "utf8");
for (const section of SECTIONS) {
  const [begin, end] = [`<!-- table: ${section.type} -->\n`, "<!-- end -->"];
  const at = page.indexOf(begin) + begin.length;
  page = page.slice(0, at) + `\n${table(section)}\n\n` + page.slice(page.indexOf(end, at));
}
writeFileSync(path, page);
