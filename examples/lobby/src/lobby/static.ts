/** What the pages have in common: their files and the headers that they are sent with. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { fileURLToPath } from "node:url";

/** As much of Express as is used here. */
type Request = IncomingMessage & { path: string };
interface Response extends ServerResponse {
  set(headers: Record<string, string>): this;
  json(body: unknown): void;
  sendFile(path: string, options: { dotfiles: "allow" }, done: (error?: Error) => void): void;
  status(code: number): this;
  type(type: string): this;
  send(body: string): void;
}
type Handler = (request: Request, response: Response) => void | Promise<void>;
export interface App {
  get(path: string, handler: Handler): unknown;
  post(path: string, handler: Handler): unknown;
}
export type { Request, Response };

/** Games are joined wherever their hosts are; everything else comes from here. Invites are opened by libsodium, which is WebAssembly. */
const policy = (styles: string): string =>
  `default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src ${styles}; img-src 'self' data:; connect-src * ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

export const HEADERS: Record<string, string> = {
  "Content-Security-Policy": policy("'self'"),
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
};

/** With room for styles that a script makes. */
export const DEBUG_HEADERS: Record<string, string> = {
  ...HEADERS,
  "Content-Security-Policy": policy("'self' 'unsafe-inline'"),
};

export const file = (name: string): string => fileURLToPath(new URL(`../page/${name}`, import.meta.url));
/** Libraries that pages load, from their own packages. */
export const LIBRARIES = {
  sallyport: fileURLToPath(new URL("../standalone/", import.meta.resolve("sallyport/browser"))),
  qr: fileURLToPath(import.meta.resolve("lean-qr")),
} as const;

export function sendFile(response: Response, path: string): void {
  response.set(HEADERS).sendFile(path, { dotfiles: "allow" }, (error) => {
    // A reader who hangs up in the middle is an error too.
    if (error && !response.headersSent) notFound(response);
  });
}

export function notFound(response: Response): void {
  response.status(404).type("text/plain").send("Not found");
}
