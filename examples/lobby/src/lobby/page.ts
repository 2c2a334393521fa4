/** The lobby's page: its files, the client for browsers beside them, and the list of games. */
import { readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { RendezvousRoom } from "sallyport/colyseus";
import type { GameListing } from "sallyport/rendezvous";
import { renderPage } from "./game-list.ts";
import { type App, DEBUG_HEADERS, file, HEADERS, LIBRARIES, sendFile } from "./static.ts";

/** What the lobby's page and the static one (build-page.ts) have in common. */
export const PAGE_FILES: Record<string, string> = {
  "/page.css": file("page.css"),
  "/joining.js": file("joining.js"),
  "/settings.js": file("settings.js"),
  "/arena.js": file("arena.js"),
  "/drawing.js": file("drawing.js"),
  "/controls.js": file("controls.js"),
  "/netgraph.js": file("netgraph.js"),
  "/prediction.js": file("prediction.js"),
  "/rules.js": file("../arena/rules.js"),
  "/share.js": file("share.js"),
  "/qr.js": LIBRARIES.qr,
};
// `sallyport.js`, `predict.js`, `debug.js`, and what they load.
for (const name of readdirSync(LIBRARIES.sallyport)) {
  if (name.endsWith(".js")) PAGE_FILES[`/${name}`] = LIBRARIES.sallyport + name;
}
const FILES: Record<string, string> = { ...PAGE_FILES, "/page.js": file("page.js") };

/** What `GET /connectivity` answers. */
interface LobbyConnectivity {
  /** `stun:host:port` */
  stun: readonly string[];
  /** The lobby's URL on this network, where it was given no other name. */
  network?: string;
}

/** Pages ask every few seconds, and a lobby may have thousands. */
const MOST_LISTED = 200;
const listed = async (): Promise<GameListing[]> => (await RendezvousRoom.list()).slice(0, MOST_LISTED);

export function servePage(app: App, connectivity: LobbyConnectivity): void {
  for (const [path, name] of Object.entries(FILES)) app.get(path, (_request, response) => sendFile(response, name));
  app.get("/", async (request, response) => {
    const [template, games] = await Promise.all([readFile(file("index.html"), "utf8"), listed()]);
    // Colyseus' debug panel brings its styles along.
    const isDebugged = new URL(request.url ?? "/", "http://lobby").searchParams.has("debug");
    const headers = isDebugged ? DEBUG_HEADERS : HEADERS;
    response.set(headers).type("html").send(renderPage(template, games));
  });
  app.get("/connectivity", (_request, response) => {
    response.set(HEADERS).json(connectivity);
  });
  app.get("/games", async (_request, response) => {
    response.set(HEADERS).json(await listed());
  });
}
