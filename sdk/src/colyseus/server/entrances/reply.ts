import type { IncomingMessage, ServerResponse } from "node:http";
import { matchMaker } from "@colyseus/core";
import { type Refusal, secondsOf } from "../admission/refusal.ts";

/** A browser game's page comes from elsewhere: it gets the same permissions as for Colyseus' matchmaking. */
export function allowPages(request: IncomingMessage, response: ServerResponse): void {
  const { controller } = matchMaker;
  const cors = { ...controller.DEFAULT_CORS_HEADERS, ...controller.getCorsHeaders(headersOf(request)) };
  for (const [name, value] of Object.entries(cors)) response.setHeader(name, value);
}

export function writeJSON(response: ServerResponse, status: number, body: unknown): void {
  const json = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": json.length }).end(json);
}

/** As Colyseus says it, so that its clients can read it. */
export function fail(response: ServerResponse, status: number, code: number, error: string): void {
  if (response.headersSent) response.destroy();
  else writeJSON(response, status, { code, error });
}

/** Tells who has to wait for how long: pages too, which see no other header of another origin. */
export function refuse(response: ServerResponse, { status, error, retryAfterMs }: Refusal): void {
  if (retryAfterMs !== undefined && !response.headersSent) {
    response.setHeader("Retry-After", String(secondsOf(retryAfterMs)));
    response.setHeader("Access-Control-Expose-Headers", "Retry-After");
  }
  fail(response, status, status, error);
}

function headersOf(request: IncomingMessage): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) {
    // Pseudo headers of HTTP/2 are no headers to Headers.
    if (value !== undefined && !name.startsWith(":")) headers.set(name, String(value));
  }
  return headers;
}
