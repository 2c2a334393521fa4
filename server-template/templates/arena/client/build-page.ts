/**
 * `npm run build:page`: makes dist-page/, for any static host (GitHub Pages, itch.io). Friends join there with an invite of public; PAGE_URL
 * in .env then names it in the link. With a lobby's URL as LOBBY_URL it is for that lobby's invites: copy it to the lobby's public/play.
 */
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { invitesFromEnvironment } from "sallyport/rendezvous";

const from = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const out = from("../dist-page");

await rm(out, { recursive: true, force: true });
await cp(from("../public"), out, { recursive: true });
await cp(fileURLToPath(new URL("../standalone/", import.meta.resolve("sallyport/browser"))), `${out}/sallyport`, {
  recursive: true,
});
// There is no server beside the page: only an invite leads to one.
const { lobby, relays, stunServers } = invitesFromEnvironment();
const own = lobby === "public" ? undefined : lobby;
const settings = JSON.stringify({ lobby: own, relays, stunServers }).replaceAll("<", "\\u003c");
const page = await readFile(`${out}/index.html`, "utf8");
const script = '<script type="module" src="game.js">';
if (!page.includes(script))
  throw new Error(`public/index.html has no ${script}, before which the settings are to stand`);
await writeFile(
  `${out}/index.html`,
  page.replace(script, () => `<script>globalThis.settings = ${settings};</script>\n${script}`),
);
console.log(`The page stands in ${out}`);
