import type { Server, ServerResponse } from "node:http";
import { INSTANCE_PATH } from "../../wire/instance.ts";
import { INSTANCE } from "../admission/instance.ts";
import { filterRequests } from "./http.ts";
import { asksFor } from "./parse-connect-request.ts";
import { allowPages } from "./reply.ts";

const BODY: Buffer = Buffer.from(JSON.stringify({ instance: INSTANCE }));

/** Answers `GET /sallyport/instance` (see wire/instance.ts), pages of other origins too. */
export function serveInstance(server: Server): void {
  filterRequests(server, (request, response) => {
    if (!response || !asksFor(INSTANCE_PATH, request)) return false;
    response.on("error", () => {});
    allowPages(request, response);
    answer(request.method, response);
    return true;
  });
}

function answer(method: string | undefined, response: ServerResponse): void {
  if (method === "OPTIONS") response.writeHead(204).end();
  else if (method !== "GET") response.writeHead(405).end();
  else {
    const headers = { "Content-Type": "application/json", "Content-Length": BODY.length, "Cache-Control": "no-store" };
    response.writeHead(200, headers).end(BODY);
  }
}
