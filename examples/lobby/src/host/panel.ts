/** The host's own page, for whoever runs this program: how friends get in, and why. */
import type { OwnPages } from "sallyport/colyseus";
import { type App, file, HEADERS, LIBRARIES, type Request, type Response, sendFile } from "../lobby/static.ts";
import type { TimedHostEvent } from "./events.ts";

const FILES: Record<string, string> = {
  "/host": file("host.html"),
  "/host/page.css": file("page.css"),
  "/host/host.js": file("host.js"),
  "/host/ladder.js": file("ladder.js"),
  "/host/share.js": file("share.js"),
  "/host/qr.js": LIBRARIES.qr,
};
/** The newest of each kind says it all; of those who come and go, this many are told to a page that opens late. */
const KEPT_PLAYERS = 50;

export class HostPanel {
  readonly #own: OwnPages;
  readonly #latest = new Map<string, TimedHostEvent>();
  readonly #players: TimedHostEvent[] = [];
  readonly #readers = new Set<Response>();
  /** Asked for by the page's button. */
  onNewInvite: () => Promise<void> = async () => {};

  constructor(own: OwnPages) {
    this.#own = own;
  }

  serve(app: App): void {
    for (const [path, name] of Object.entries(FILES)) {
      app.get(path, (request, response) => {
        if (this.#own.admits(request, response)) sendFile(response, name);
      });
    }
    app.get("/host/events", (request, response) => {
      if (this.#own.admits(request, response)) this.#follow(request, response);
    });
    app.post("/host/new-invite", async (request, response) => {
      if (!this.#own.admits(request, response)) return;
      try {
        await this.onNewInvite();
        response.status(204).end();
      } catch (error) {
        response
          .status(502)
          .type("text/plain")
          .send(error instanceof Error ? error.message : String(error));
      }
    });
  }

  tell(event: TimedHostEvent): void {
    // It has the key, which no script is to read.
    if (event.event === "listening") return;
    if (event.event === "joined" || event.event === "left") {
      this.#players.push(event);
      if (this.#players.length > KEPT_PLAYERS) this.#players.shift();
    } else {
      // An invite ends what was said of a lost lobby.
      if (event.event === "invite") this.#latest.delete("lobby");
      this.#latest.set(event.event, event);
    }
    for (const reader of this.#readers) reader.write(lineOf(event));
  }

  #follow(request: Request, response: Response): void {
    response.set({ ...HEADERS, "Content-Type": "text/event-stream" }).status(200);
    for (const event of [...this.#latest.values(), ...this.#players]) response.write(lineOf(event));
    this.#readers.add(response);
    request.on("close", () => this.#readers.delete(response));
  }
}

const lineOf = (event: TimedHostEvent): string => `data: ${JSON.stringify(event)}\n\n`;
