/** The lobby's page: three files, Colyseus' client beside them, and the list of games. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { RendezvousRoom } from "sallyport/rendezvous";
import { renderPage } from "./game-list.ts";
import type { LobbyConnectivity } from "./stun.ts";

interface Request {
  path: string;
}
interface Response {
  set(headers: Record<string, string>): Response;
  json(body: unknown): void;
  sendFile(path: string, options: { dotfiles: "allow" }, done: (error?: Error) => void): void;
  readonly headersSent: boolean;
  status(code: number): Response;
  type(type: string): Response;
  send(body: string): void;
}
/** As much of an Express application as is used here. */
interface App {
  get(path: string, handler: (request: Request, response: Response) => void | Promise<void>): unknown;
}

const file = (name: string): string => fileURLToPath(new URL(`../page/${name}`, import.meta.url));
const FILES: Record<string, string> = {
  "/page.css": file("page.css"),
  "/page.js": file("page.js"),
  "/arena.js": file("arena.js"),
  "/colyseus.js": fileURLToPath(new URL("../dist/colyseus.js", import.meta.resolve("@colyseus/sdk"))),
};

const HEADERS = {
  // Games are joined wherever their hosts are; everything else comes from here.
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src * ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
};

export function servePage(app: App, connectivity: LobbyConnectivity): void {
  for (const [path, name] of Object.entries(FILES)) {
    app.get(path, (_request, response) => {
      response.set(HEADERS).sendFile(name, { dotfiles: "allow" }, (error) => {
        // A reader who hangs up in the middle is an error too.
        if (error && !response.headersSent) response.status(404).type("text/plain").send("Not found");
      });
    });
  }
  app.get("/", async (_request, response) => {
    const [template, games] = await Promise.all([readFile(file("index.html"), "utf8"), RendezvousRoom.list()]);
    response.set(HEADERS).type("html").send(renderPage(template, games));
  });
  app.get("/connectivity", (_request, response) => {
    response.set(HEADERS).json(connectivity);
  });
  app.get("/games", async (_request, response) => {
    response.set(HEADERS).json(await RendezvousRoom.list());
  });
}
