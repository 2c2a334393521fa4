/** The tables of SECURITY.md, each between two comments that name it: tests and soaks write them. */

type Row = readonly string[];

/**
 * The page with another table.
 * @param rows the new rows, of those that are there
 * @throws when the page has no place for it
 */
export function replaceTable(page: string, name: string, head: Row, rows: (old: Row[]) => readonly Row[]): string {
  const { before, table, after } = findTable(page, name);
  const old = table
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  const line = (cells: Row): string => `| ${cells.join(" | ")} |`;
  const lines = [line(head), `|${head.map(() => "---|").join("")}`, ...rows(old).map(line)];
  return `${before}${lines.join("\n")}\n${after}`;
}

function findTable(page: string, name: string): { before: string; table: string; after: string } {
  const [begin, end] = [`<!-- table ${name} -->\n`, "<!-- end -->"];
  const from = page.indexOf(begin) + begin.length;
  const to = page.indexOf(end, from);
  if (from < begin.length || to < 0) throw new Error(`SECURITY.md has no place for the table ${name}.`);
  return { before: page.slice(0, from), table: page.slice(from, to), after: page.slice(to) };
}
