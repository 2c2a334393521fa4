/** The table of SECURITY.md that a soak writes: one row for each of its results that has figures. */
import { readFile, writeFile } from "node:fs/promises";
import { replaceTable } from "../security-tables.ts";

const PAGE = new URL("../../SECURITY.md", import.meta.url);
const HEAD = ["run", "seen"] as const;

/** Rows of the same name are replaced; others stay. */
export async function writeFigures(figures: ReadonlyMap<string, string>): Promise<void> {
  const page = await readFile(PAGE, "utf8");
  await writeFile(
    PAGE,
    replaceTable(page, "soak", HEAD, (rows) => {
      const kept = new Map(rows.map(([what = "", seen = ""]) => [what, seen]));
      for (const [what, seen] of figures) kept.set(what, seen);
      return [...kept];
    }),
  );
}
