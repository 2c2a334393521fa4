/** The host's own page, for this machine's browser alone: how friends get in, and why. */
import {
  type App,
  file,
  HEADERS,
  LIBRARIES,
  notFound,
  type Request,
  type Response,
  sendFile,
} from "../lobby/static.ts";
import type { TimedHostEvent } from "./events.ts";

const FILES: Record<string, string> = {
  "/host": file("host.html"),
  "/host/page.css": file("page.css"),
  "/host/host.js": file("host.js"),
  "/host/ladder.js": file("ladder.js"),
  "/host/share.js": file("share.js"),
  "/host/qr.js": LIBRARIES.qr,
};
const OWN_ADDRESS: RegExp = /^(127\.|::1$|::ffff:127\.)/;
/** A page of somebody else's may point its own name at this machine (DNS rebinding), but not these. */
const OWN_NAME: RegExp = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
/** The newest of each kind says it all; of those who come and go, this many are told to a page that opens late. */
const KEPT_PLAYERS = 50;

export class HostPanel {
  readonly #latest = new Map<string, TimedHostEvent>();
  readonly #players: TimedHostEvent[] = [];
  readonly #readers = new Set<Response>();

  serve(app: App): void {
    for (const [path, name] of Object.entries(FILES)) {
      app.get(path, (request, response) => (isOwn(request) ? sendFile(response, name) : notFound(response)));
    }
    app.get("/host/events", (request, response) => {
      if (!isOwn(request)) return notFound(response);
      response.set({ ...HEADERS, "Content-Type": "text/event-stream" }).status(200);
      for (const event of [...this.#latest.values(), ...this.#players]) response.write(lineOf(event));
      this.#readers.add(response);
      request.on("close", () => this.#readers.delete(response));
    });
  }

  tell(event: TimedHostEvent): void {
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
}

const lineOf = (event: TimedHostEvent): string => `data: ${JSON.stringify(event)}\n\n`;

function isOwn({ socket, headers }: Request): boolean {
  return OWN_ADDRESS.test(socket.remoteAddress ?? "") && OWN_NAME.test(String(headers["host"] ?? ""));
}
