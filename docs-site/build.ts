/**
 * `npm run docs`: the API reference and the guides as one searchable site in docs-site/out, for any static host. It fails on a
 * link that leads nowhere. typedoc reads the built declarations, with a TypeScript of its own.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brokenLinks, htmlFiles, withAnchors, withoutFolders } from "./links.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const began = performance.now();
const out = here("out");
const typedoc = here("node_modules/typedoc/bin/typedoc");
if (!existsSync(typedoc)) throw new Error("typedoc is not installed: npm install");
rmSync(out, { recursive: true, force: true });
execFileSync(process.execPath, [typedoc, "--options", here("typedoc.json")], { cwd: here("."), stdio: "inherit" });

const files = htmlFiles(out);
for (const file of files) {
  const path = join(out, file);
  const page = readFileSync(path, "utf8");
  const changed = withAnchors(withoutFolders(page, file, out));
  if (changed !== page) writeFileSync(path, changed);
}
const broken = brokenLinks(out, files);
for (const { page, link } of broken) console.error(`${page}: ${link} leads nowhere`);
if (broken.length > 0) {
  console.error(`${broken.length} links lead nowhere.`);
  process.exit(1);
}
console.log(
  `${files.length} pages in ${out}, ${Math.round((performance.now() - began) / 1000)} s. Open ${join(out, "index.html")}`,
);
