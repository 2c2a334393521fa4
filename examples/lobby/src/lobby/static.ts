/** What the pages have in common: their files and the headers that they are sent with. */
import { fileURLToPath } from "node:url";

interface Request {
  path: string;
  headers: Record<string, string | string[] | undefined>;
  socket: { remoteAddress?: string | undefined };
  on(event: "close", listener: () => void): unknown;
}
interface Response {
  set(headers: Record<string, string>): Response;
  json(body: unknown): void;
  sendFile(path: string, options: { dotfiles: "allow" }, done: (error?: Error) => void): void;
  readonly headersSent: boolean;
  status(code: number): Response;
  type(type: string): Response;
  send(body: string): void;
  write(chunk: string): unknown;
}
/** As much of an Express application as is used here. */
export interface App {
  get(path: string, handler: (request: Request, response: Response) => void | Promise<void>): unknown;
}
export type { Request, Response };

export const HEADERS: Record<string, string> = {
  // Games are joined wherever their hosts are; everything else comes from here. Invites are opened by libsodium, which is WebAssembly.
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src * ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
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
