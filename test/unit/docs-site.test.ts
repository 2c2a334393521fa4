/** What `npm run docs` does to typedoc's pages, and which links it finds broken. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { brokenLinks, htmlFiles, withAnchors, withoutFolders } from "../../docs-site/links.ts";

const site = mkdtempSync(join(tmpdir(), "sallyport-site-"));
afterAll(() => {
  rmSync(site, { recursive: true, force: true });
});

test("links to files and to places in them are looked at, others are not", () => {
  mkdirSync(join(site, "media"));
  writeFileSync(join(site, "media/a.png"), "");
  writeFileSync(
    join(site, "index.html"),
    '<h1 id="top">A</h1><a href="#top">1</a><a href="b.html#there">2</a><img src="media/a.png">' +
      '<a href="https://example.org/x">3</a><a href="b.html#gone">4</a><a href="c.html">5</a><a href="#nowhere">6</a>',
  );
  writeFileSync(join(site, "b.html"), '<p id="there"></p>');
  expect(brokenLinks(site, htmlFiles(site))).toEqual([
    { page: "index.html", link: "b.html#gone" },
    { page: "index.html", link: "c.html" },
    { page: "index.html", link: "#nowhere" },
  ]);
});

test("a link to a folder of the repository leaves its words, one to a copied file stays", () => {
  const page = '<a href="media/lobby">the lobby</a> <a href="media/a.png">a picture</a>';
  expect(withoutFolders(page, "index.html", site)).toBe(
    '<em title="in the repository">the lobby</em> <a href="media/a.png">a picture</a>',
  );
});

test("headings have the anchors by which the guides link", () => {
  expect(withAnchors('<h2 id="invites-of">Invites of <code>public</code></h2>')).toBe(
    '<h2 id="invites-of"><a id="invites-of-public"></a>Invites of <code>public</code></h2>',
  );
  expect(withAnchors('<h2 id="a-lobby">A lobby</h2>')).toBe('<h2 id="a-lobby">A lobby</h2>');
});
