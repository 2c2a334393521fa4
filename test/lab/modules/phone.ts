// A phone's browser, which plays and tells what becomes of it. "sleep" on its input stops the page's scripts, as a phone does that is put
// away; "wake" goes on with them.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { openChromium } from "../../interop/page-chromium.ts";

const { url } = JSON.parse(process.argv[2] ?? "{}") as { url: string };
const say = (event: string, more: object = {}): void => console.log(JSON.stringify({ event, ...more }));

const FILES = fileURLToPath(new URL("../../../sdk/dist/standalone/", import.meta.url));
const server = createServer((request, response) => {
  const name = /^\/([\w-]+\.js)$/.exec(request.url ?? "")?.[1];
  if (name === undefined) response.setHeader("content-type", "text/html").end("<!doctype html><title>A game</title>");
  else createReadStream(FILES + name).pipe(response.setHeader("content-type", "text/javascript"));
});
await new Promise<void>((resolve) => server.listen(8080, "127.0.0.1", resolve));
const browser = await openChromium();
const page = await browser.newPage();
await page.exposeFunction("say", say);
await page.goto("http://127.0.0.1:8080/");
const devtools = await page.context().newCDPSession(page);
await devtools.send("Debugger.enable");

createInterface({ input: process.stdin })
  .on("line", (line) => {
    void devtools.send(line === "sleep" ? "Debugger.pause" : "Debugger.resume").then(() => say(line));
  })
  .on("close", () => void browser.close().then(() => process.exit()));

await page.evaluate(`(async (url) => {
  const { SallyportBrowserClient } = await import("/sallyport.js");
  const room = await new SallyportBrowserClient(url).joinOrCreate("arena", { name: "phone" });
  // A phone is put away in the first seconds of a game too.
  room.reconnection.minUptime = 0;
  let echoes = 0;
  room.onMessage("*", () => undefined);
  room.onMessage("echo", () => echoes++);
  room.onDrop((code) => say("dropped", { code }));
  room.onReconnect(() => say("back", { kind: room.path.kind, sessionId: room.sessionId }));
  room.onLeave((code) => say("left", { code }));
  setInterval(() => {
    if (room.connection.isOpen) room.send("echo", 1);
    const heard = echoes;
    echoes = 0;
    say("playing", { heard, kind: room.path.kind, sessionId: room.sessionId });
  }, 200);
  say("joined", { kind: room.path.kind, sessionId: room.sessionId });
})(${JSON.stringify(url)})`);
