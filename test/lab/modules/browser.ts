// A player in Chromium, on a page without a bundler that this machine serves to itself: joins the arena by URL or invite, asks, and
// says how it came in.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { fileURLToPath } from "node:url";
import { certificate } from "../../certificate.ts";
import { openChromium } from "../../interop/page-chromium.ts";

const {
  address,
  invite,
  url,
  invites,
  settings,
  joins,
  tls,
  seconds = 2.5,
} = JSON.parse(process.argv[2] ?? "{}") as {
  /** Of this machine: a page from there is no secure one, as most players' of a home host. */
  address: string;
  invite?: string;
  url?: string;
  /** For the invite: relays and STUN servers. */
  settings?: object;
  /** To see how long it takes: each is joined and left so many times, by turns, and nothing else is done. See join-times.ts. */
  invites?: string[];
  joins?: number;
  /** The page is one of https:. */
  tls?: boolean;
  /** How long to walk. Default 2.5. */
  seconds?: number;
};

const FILES = fileURLToPath(new URL("../../../sdk/dist/standalone/", import.meta.url));
const listener: Parameters<typeof createServer>[1] = (request, response) => {
  const name = /^\/([\w-]+\.js)$/.exec(request.url ?? "")?.[1];
  if (name === undefined) response.setHeader("content-type", "text/html").end("<!doctype html><title>A game</title>");
  else createReadStream(FILES + name).pipe(response.setHeader("content-type", "text/javascript"));
};
const server = tls ? createSecureServer(certificate(), listener) : createServer(listener);
await new Promise<void>((resolve) => server.listen(8080, address, resolve));
const browser = await openChromium();
try {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(`${tls ? "https" : "http"}://${address}:8080/`);
  const report: unknown = await page.evaluate(`(async ({ invite, url, invites, settings, joins, seconds }) => {
    const { SallyportBrowserClient } = await import("/sallyport.js");
    const times = [];
    for (let i = 0; i < joins * invites.length; i++) {
      const began = performance.now();
      const since = () => Math.round(performance.now() - began);
      const stages = {};
      const onProgress = ({ stage }) => (stages[stage] ??= since());
      const client = await SallyportBrowserClient.fromInvite(invites[i % invites.length], { ...settings, onProgress });
      const introduced = since();
      const room = await client.joinOrCreate("arena", { name: "Chromium" });
      const { token: seat = 0, webrtc: dialed = 0 } = stages;
      times.push({ invite: i % invites.length, introduced, seat, dialed, ms: since(), kind: room.path.kind });
      await room.leave();
    }
    if (times.length > 0) return times;
    const began = performance.now();
    const client = invite ? await SallyportBrowserClient.fromInvite(invite, settings) : new SallyportBrowserClient(url);
    const room = await client.joinOrCreate("arena", { name: "Chromium" });
    const connectMs = Math.round(performance.now() - began);
    let n = 0;
    let echoes = 0;
    room.onMessage("*", (type) => type === "probed" && echoes++);
    const timer = setInterval(() => room.sendUnreliable("probe", { n: ++n }), 50);
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    clearInterval(timer);
    const { path } = room;
    const players = room.state.players.size;
    await room.leave();
    return { ...path, connectMs, sent: n, echoes, players };
  })(${JSON.stringify({ invite, url, invites: invites ?? [], settings, joins: joins ?? 0, seconds })})`);
  console.log(JSON.stringify(report));
} finally {
  await browser.close();
  server.close().closeAllConnections();
}
