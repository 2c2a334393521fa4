import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { introducedPlayer } from "./introduced.ts";

/** Options of {@link OwnPages}. */
export interface OwnPagesOptions {
  /** 16 to 256 letters, digits and `-._~`, for programs that are told it beforehand. Default: a new one with each start. */
  key?: string | undefined;
}

/** As a cookie's value, a part of a URL and a header take it. */
const KEY: RegExp = /^[\w.~-]{16,256}$/;
/** Without its last slash, and without what would end a cookie's attribute. */
const PLAIN_PATH: RegExp = /^(\/[\w./~%-]*?)\/*$/;
const OWN_ADDRESS: RegExp = /^(127\.|::1$|::ffff:127\.)/;
/** A page of somebody else's may point its own name at this machine (DNS rebinding), but not these. */
const OWN_NAME: RegExp = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i;
/** What browsers say of a request that no other page has made (Fetch Metadata). Another port of this machine is `same-site`. */
const OWN_SITES: ReadonlySet<string> = new Set(["none", "same-origin"]);
const HEADERS = {
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
} as const;

/**
 * Keeps pages for whoever runs this program: a host's own page, Colyseus' monitor and playground, metrics. They are for a browser on
 * this machine that has been given the link with the key; after that a cookie, which no script reads, carries the key. Pages of other
 * origins get nothing, those of other ports on this machine among them, nor do this machine's other users, who have no key.
 *
 *     const own = new OwnPages();
 *     app.use("/monitor", own.middleware, monitor());     // Express
 *     if (!own.admits(request, response)) return;         // node:http
 *     console.log(own.link(2567, "/monitor"));
 *
 * Programs send the key as `Authorization: Bearer KEY`. Cookies know no ports: a server of somebody else's on this machine gets the
 * cookie if your browser asks it for the same path.
 */
export class OwnPages {
  /** Whoever has it is let in. */
  readonly key: string;
  readonly #digest: Buffer;

  /** @throws RangeError for a key of other characters, or too short a one */
  constructor({ key = randomBytes(24).toString("base64url") }: OwnPagesOptions = {}) {
    if (!KEY.test(key)) throw new RangeError("A key has 16 to 256 characters: letters, digits, and -._~");
    this.key = key;
    this.#digest = digestOf(key);
  }

  /** The link to print: opened once, it leaves its key in the browser and not in the address bar. */
  link(port: number, path: string): string {
    const url = new URL(path, `http://localhost:${port}`);
    url.searchParams.set("key", this.key);
    return url.href;
  }

  /** For Express: `app.use("/monitor", own.middleware, monitor())`. */
  readonly middleware = (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void): void => {
    if (this.admits(request, response)) next();
  };

  /** Whether to go on with a request. When it is false, it has been answered. */
  admits(request: IncomingMessage, response: ServerResponse): boolean {
    shareWithNobody(response);
    if (!isHere(request)) return refuse(response, 404, "Not found");
    if (isForeign(request)) return refuse(response, 403, "Other pages get nothing here.");
    const url = URL.parse(`http://localhost${urlOf(request)}`);
    if (url === null) return refuse(response, 404, "Not found");
    const linked = url.searchParams.get("key") ?? undefined;
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (isRead && this.#isKey(linked)) {
      url.searchParams.delete("key");
      response.setHeader("Set-Cookie", cookieOf(request, this.key, url.pathname));
      // Not by the URL's own host: the browser is to stay where it is.
      response.writeHead(303, { Location: pathOf(url) }).end();
      return false;
    }
    if ([bearerIn(request), ...cookiesIn(request)].some((text) => this.#isKey(text))) return true;
    return refuse(response, 403, "This page is for whoever runs this program: open the link that it has printed.");
  }

  /** In constant time. */
  #isKey(text: string | undefined): boolean {
    return text !== undefined && timingSafeEqual(digestOf(text), this.#digest);
  }
}

const digestOf = (text: string): Buffer => createHash("sha256").update(text).digest();

/** Colyseus lets every origin read every answer; so that it cannot say so later either, the headers are not settable. */
function shareWithNobody(response: ServerResponse): void {
  const setHeader = response.setHeader.bind(response);
  response.setHeader = (name, value) => (isCORS(name) ? response : setHeader(name, value));
  for (const name of response.getHeaderNames()) if (isCORS(name)) response.removeHeader(name);
  for (const [name, value] of Object.entries(HEADERS)) setHeader(name, value);
}

const isCORS = (name: string): boolean => /^access-control-/i.test(name);

/** An introduced player's request comes from this machine too: we make it ourselves. */
function isHere(request: IncomingMessage): boolean {
  const { socket, headers } = request;
  const isOwn = OWN_ADDRESS.test(socket.remoteAddress ?? "") && OWN_NAME.test(headers.host ?? "");
  return isOwn && introducedPlayer(request) === undefined;
}

function isForeign({ headers, socket }: IncomingMessage): boolean {
  const { origin, "sec-fetch-site": site } = headers;
  if (site !== undefined && !OWN_SITES.has(site)) return true;
  return origin !== undefined && origin !== `${"encrypted" in socket ? "https" : "http"}://${headers.host}`;
}

/** Express shortens `url` by what a middleware is mounted on. */
function urlOf(request: IncomingMessage & { originalUrl?: string }): string {
  return request.originalUrl ?? request.url ?? "/";
}

/** Two slashes at its beginning would make a host of what follows. */
function pathOf({ pathname, search }: URL): string {
  return pathname.replace(/^\/+/, "/") + search;
}

/** Cookies know no ports, of which each has a game of its own: the name carries it. */
const cookieName = ({ socket }: IncomingMessage): string => `sallyport-own-${socket.localPort}`;

function cookieOf(request: IncomingMessage, key: string, pathname: string): string {
  const path = PLAIN_PATH.exec(pathname)?.[1] ?? "/";
  return `${cookieName(request)}=${key}; Path=${path}; HttpOnly; SameSite=Strict`;
}

/** Of several paths there are several. */
function cookiesIn(request: IncomingMessage): string[] {
  const prefix = `${cookieName(request)}=`;
  const cookies = (request.headers.cookie ?? "").split(";").map((cookie) => cookie.trim());
  return cookies.filter((cookie) => cookie.startsWith(prefix)).map((cookie) => cookie.slice(prefix.length));
}

function bearerIn({ headers }: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(headers.authorization ?? "")?.[1];
}

function refuse(response: ServerResponse, status: number, text: string): false {
  response.writeHead(status, { "Content-Type": "text/plain; charset=utf-8" }).end(text);
  return false;
}
