// The same players in Chromium, over WebRTC: a page that this machine serves to itself.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openChromium } from "../../interop/page-chromium.ts";
import type { PlayersArguments, PlayersReport } from "./players.ts";

const STANDALONE = fileURLToPath(new URL("../../../sdk/dist/standalone/", import.meta.url));
const OWN: Record<string, string> = {
  "/page.js": fileURLToPath(new URL("./page.js", import.meta.url)),
  "/rules.js": fileURLToPath(new URL("../../../examples/lobby/src/arena/rules.js", import.meta.url)),
};

const { url, players, mode } = JSON.parse(process.argv[2] ?? "{}") as PlayersArguments;
const server = createServer((request, response) => {
  const path = request.url ?? "";
  const name = /^\/([\w-]+\.js)$/.exec(path)?.[1];
  if (name === undefined) response.setHeader("content-type", "text/html").end("<!doctype html><title>Players</title>");
  else createReadStream(OWN[path] ?? STANDALONE + name).pipe(response.setHeader("content-type", "text/javascript"));
});
await new Promise<void>((resolve) => server.listen(8080, "127.0.0.1", resolve));
const browser = await openChromium();
const page = await browser.newPage();
await page.goto("http://127.0.0.1:8080/");
await page.evaluate(`import("/page.js").then(({ walk }) => walk(${JSON.stringify({ url, players, mode })}))`);
process.stdout.write("walking\n");
createInterface(process.stdin).on("line", () => {
  void page
    .evaluate<PlayersReport>(`import("/page.js").then(({ report }) => report())`)
    .then((report) => process.stdout.write(`${JSON.stringify(report)}\n`));
});
