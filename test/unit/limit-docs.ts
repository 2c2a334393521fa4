/** What the docstrings of an interface of options say, so that a page need not say it again. */
import { readFileSync } from "node:fs";

const SOURCE = new URL("../../sdk/src/", import.meta.url);
const PROPERTY = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(?:readonly )?(\w+)\??:|^ {2}(?:readonly )?(\w+)\??:/gm;

/** The first sentences of each property's docstring, without its default; empty where there is none. */
export function limitDocs(file: string, name: string): Map<string, string> {
  const text = readFileSync(new URL(file, SOURCE), "utf8");
  const begin = text.indexOf(`interface ${name} `);
  if (begin < 0) throw new Error(`${file} has no interface ${name}`);
  const body = text.slice(begin, text.indexOf("\n}", begin));
  return new Map(
    [...body.matchAll(PROPERTY)].map(([, doc = "", documented, bare]) => [documented ?? bare ?? "", sentence(doc)]),
  );
}

/** In one line, up to what the page has in a column of its own. */
function sentence(doc: string): string {
  const line = doc.replaceAll(/\s*\n\s*\*\s?/g, " ").trim();
  const before = line.split(/ Default[ :]/, 1)[0] ?? "";
  return before
    .replaceAll(/\{@link (?:\w+\.)?(\w+)\}/g, "`$1`")
    .replaceAll("|", "\\|")
    .trim();
}
