/** The links of a site's pages. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, normalize, sep } from "node:path";

export interface BrokenLink {
  readonly page: string;
  readonly link: string;
}

const LINK = /\s(?:href|src)="([^"]+)"/g;

/** The pages of a site, relative to its folder, with slashes. */
export function htmlFiles(site: string): string[] {
  return globSync("**/*.html", { cwd: site })
    .map((file) => file.replaceAll(sep, "/"))
    .sort();
}

/** Links that leave the site for a folder of the repository, such as an example, which typedoc does not copy: their words stay. */
export function withoutFolders(page: string, file: string, site: string): string {
  return page.replace(
    /<a href="([^":#?]*\bmedia\/[^".]+)"[^>]*>([^]*?)<\/a>/g,
    (whole, target: string, words: string) =>
      existsSync(join(site, dirname(file), target)) ? whole : `<em title="in the repository">${words}</em>`,
  );
}

/** Headings get the anchors that GitHub gives them, by which the guides link: typedoc's leave out what is code. */
export function withAnchors(page: string): string {
  return page.replace(
    /(<h[1-6] id="([^"]+)"[^>]*>)([^]*?)(?=<\/h[1-6]>)/g,
    (whole, open: string, id: string, inner: string) => {
      const text = inner.replace(/<svg[^]*?<\/svg>|<[^>]+>/g, "");
      const slug = text
        .trim()
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, "")
        .replaceAll(" ", "-");
      return slug === id || slug === "" ? whole : `${open}<a id="${slug}"></a>${inner}`;
    },
  );
}

/** Links to files, and to places in them, that are not there. Links to other hosts are not asked. */
export function brokenLinks(site: string, files: readonly string[]): BrokenLink[] {
  const ids = new Map<string, ReadonlySet<string>>();
  const pages = new Map(files.map((file) => [file, readFileSync(join(site, file), "utf8")]));
  for (const [file, page] of pages)
    ids.set(file, new Set([...page.matchAll(/\s(?:id|name)="([^"]+)"/g)].map(([, id = ""]) => id)));
  const broken: BrokenLink[] = [];
  for (const [file, page] of pages) {
    for (const [, link = ""] of page.matchAll(LINK)) {
      if (/^[a-z][a-z+.-]*:|^\/\//i.test(link)) continue;
      const [path = "", anchor = ""] = link.split("#");
      const target = path === "" ? file : normalize(join(dirname(file), decodeURI(path))).replaceAll(sep, "/");
      const known = ids.get(target);
      const isThere =
        known === undefined ? existsSync(join(site, target)) : anchor === "" || known.has(decodeURI(anchor));
      if (!isThere) broken.push({ page: file, link });
    }
  }
  return broken;
}
