// Joins from pages in Chromium, one after another: each case is a page, and what is joined from there. Prints how each went.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { openChromium } from "../../interop/page-chromium.ts";

export interface PageCase {
  name: string;
  /** The page's URL; `own`: one that this machine serves to itself. */
  page: string;
  invite?: string;
  url?: string;
  /** Default true. */
  webrtc?: boolean;
  /** The player has allowed the page the local network. */
  granted?: boolean;
}

export interface PageReport {
  name: string;
  /** Undefined where there was no way in. */
  kind: string | undefined;
  reason: string;
  ms: number;
}

const { address, cases } = JSON.parse(process.argv[2] ?? "{}") as { address: string; cases: PageCase[] };
const FILES = fileURLToPath(new URL("../../../sdk/dist/standalone/", import.meta.url));
const server = createServer((request, response) => {
  const name = /^\/([\w-]+\.js)$/.exec(request.url ?? "")?.[1];
  if (name === undefined) response.setHeader("content-type", "text/html").end("<!doctype html><title>A game</title>");
  else createReadStream(FILES + name).pipe(response.setHeader("content-type", "text/javascript"));
});
await new Promise<void>((resolve) => server.listen(8080, address, resolve));
const browser = await openChromium(["--ignore-certificate-errors"]);
const reports: PageReport[] = [];
for (const { name, page: where, granted = false, ...how } of cases) {
  const url = where === "own" ? `http://${address}:8080/` : where;
  const context = await browser.newContext({ ignoreHTTPSErrors: true });
  if (granted) await context.grantPermissions(["local-network-access"], { origin: new URL(url).origin });
  const page = await context.newPage();
  await page.goto(url);
  const said = await page.evaluate<Omit<PageReport, "name">>(`(async ({ invite, url, webrtc = true }) => {
    const { SallyportBrowserClient } = await import("/sallyport.js");
    const began = performance.now();
    const ms = () => Math.round(performance.now() - began);
    try {
      const options = { webrtc };
      const client = invite
        ? await SallyportBrowserClient.fromInvite(invite, options)
        : new SallyportBrowserClient(url, options);
      const room = await client.joinOrCreate("arena", { name: "Chromium" });
      const took = ms();
      const { kind, reason } = room.path;
      await room.leave();
      return { kind, reason, ms: took };
    } catch (error) {
      return { kind: undefined, reason: error.message, ms: ms() };
    }
  })(${JSON.stringify(how)})`);
  reports.push({ name, ...said });
  await context.close();
}
await browser.close();
server.close().closeAllConnections();
console.log(JSON.stringify(reports));
