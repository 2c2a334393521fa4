/** `npm run docs`: typedoc finds every link of the docstrings, and no link of the site leads nowhere. */
import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const SITE = fileURLToPath(new URL("../../docs-site/", import.meta.url));
const isInstalled = existsSync(`${SITE}node_modules/typedoc`) || process.env["CI"] !== undefined;
if (!isInstalled) console.log("The site is not built: typedoc is not installed here (npm install).");

test.skipIf(!isInstalled)("the site is built, whole", { timeout: 300_000 }, async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [`${SITE}build.ts`]);
  expect(stdout).toMatch(/^\d{3} pages in /);
  const page = readFileSync(`${SITE}out/classes/sallyport_colyseus.SallyportTransport.html`, "utf8");
  expect(page).toContain("Takes the invite back");
  expect(readFileSync(`${SITE}out/documents/docs_your-first-game.html`, "utf8")).toContain("PlazaRoom");
});
