// A page that joins by itself and reports how that went: for browsers that nothing drives. `?how=` is what to join, as JSON.
import { createReadStream } from "node:fs";
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

const { address, port } = JSON.parse(process.argv[2] ?? "{}") as { address: string; port: number };
const FILES = fileURLToPath(new URL("../../../sdk/dist/standalone/", import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>A game</title><script type="module">
const { name, invite, url, webrtc = true } = JSON.parse(new URLSearchParams(location.search).get("how"));
const { SallyportBrowserClient } = await import("./sallyport.js");
const began = performance.now();
const ms = () => Math.round(performance.now() - began);
let said;
try {
  const client = invite ? await SallyportBrowserClient.fromInvite(invite, { webrtc }) : new SallyportBrowserClient(url, { webrtc });
  const room = await client.joinOrCreate("arena", { name: "Firefox" });
  said = { name, kind: room.path.kind, reason: room.path.reason, ms: ms() };
  await room.leave();
} catch (error) {
  said = { name, reason: error.message, ms: ms() };
}
await fetch("./report", { method: "POST", body: JSON.stringify(said) });
</script>`;

createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://page");
  const name = /^\/([\w-]+\.js)$/.exec(pathname)?.[1];
  if (pathname === "/report") {
    let body = "";
    request.setEncoding("utf8").on("data", (text: string) => (body += text));
    request.on("end", () => {
      console.log(JSON.stringify({ event: "report", ...(JSON.parse(body) as object) }));
      response.end();
    });
  } else if (name !== undefined) {
    createReadStream(FILES + name).pipe(response.setHeader("content-type", "text/javascript"));
  } else {
    response.setHeader("content-type", "text/html").end(PAGE);
  }
}).listen(port, address, () => console.log("listening"));
