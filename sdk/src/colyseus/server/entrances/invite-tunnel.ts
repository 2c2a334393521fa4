import type http from "node:http";
import type { AddressInfo } from "node:net";
import { Server as TLSServer } from "node:tls";
import { Agent, request } from "undici";
import { formatEndpoint } from "../../../net/endpoint.ts";
import { messageOf } from "../../../net/message-of.ts";
import { traceOf } from "../../../net/trace.ts";
import { type IntroducedPathsOptions, serveIntroducedPaths } from "../../../rendezvous/host/introduced-paths.ts";
import type { Introduction } from "../../../rendezvous/sealed/introduction.ts";
import { sendInviteTunnelMessage } from "../../../rendezvous/trickle.ts";
import type { RequestMessage } from "../../../rendezvous/wire/invite-tunnel-http.ts";
import { introducedHeaders } from "./introduced.ts";

const trace = traceOf("colyseus");

/** An answer has to fit into one sealed message. */
const MAX_ANSWER_BYTES = 12_288;
const REQUEST_TIMEOUT_MS = 10_000;
/**
 * What a player may ask of our own HTTP server: matchmaking, connect tokens, authentication. The request comes from loopback, so
 * nothing else may be reached by it: a host's own page trusts loopback, and `//name/` would be another server.
 */
const ANSWERED_PATHS = /^\/(?:matchmake|auth|sallyport)\/(?!.*(?:\.\.|%2e|\\))/i;
const FORWARDED_HEADERS = ["content-type", "authorization", "accept"];
const ANSWERED_HEADERS = ["content-type", "retry-after"];

export interface InviteTunnelHostOptions extends Omit<IntroducedPathsOptions, "onRequest"> {
  server: http.Server;
}

/** Serves introduced players: answers their matchmaking, and opens paths for their sessions. */
export function serveInviteTunnel(introduction: Introduction, options: InviteTunnelHostOptions): void {
  const { server, ...paths } = options;
  serveIntroducedPaths(introduction, {
    ...paths,
    onRequest: (message) => void answer(introduction, server, message),
  });
}

/** As if the player had reached the host's own TCP port. */
async function answer(introduction: Introduction, server: http.Server, message: RequestMessage): Promise<void> {
  const { id, method, path, body } = message;
  const begun = performance.now();
  const reply = (status: number, text: string, said: Record<string, string> = {}): void => {
    if (trace.on) {
      const ms = performance.now() - begun;
      trace.event("tunnel-request", { id, method, path: path.split("?", 1)[0], status, ms });
    }
    const headers = { "content-type": "application/json", ...said };
    const sent = { type: "response" as const, id, status, headers, body: text };
    if (!sendInviteTunnelMessage(introduction, sent)) introduction.close("The answer could not be sent.");
  };
  const headers = {
    ...Object.fromEntries(Object.entries(message.headers).filter(([name]) => FORWARDED_HEADERS.includes(name))),
    ...introducedHeaders(introduction.remoteKey),
  };
  if (!ANSWERED_PATHS.test(path)) {
    reply(404, JSON.stringify({ error: "That is not answered through an introduction." }));
    return;
  }
  try {
    const response = await request(new URL(path, originOf(server)), {
      ...(server instanceof TLSServer && { dispatcher: toOurselves() }),
      method,
      headers,
      ...(method === "GET" ? {} : { body }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    });
    const text = await response.body.text();
    if (Buffer.byteLength(text) > MAX_ANSWER_BYTES)
      reply(502, JSON.stringify({ error: "The answer is too long for an introduction." }));
    else reply(response.statusCode, text, answeredHeaders(response.headers));
  } catch (error) {
    reply(502, JSON.stringify({ error: `The host did not answer: ${messageOf(error)}` }));
  }
}

function answeredHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(ANSWERED_HEADERS.flatMap((name) => (headers[name] ? [[name, String(headers[name])]] : [])));
}

let ownServers: Agent | undefined;

/** Our own server's certificate is for the name that the world dials. Nobody stands between us and a port of this process. */
function toOurselves(): Agent {
  ownServers ??= new Agent({ connect: { rejectUnauthorized: false }, keepAliveTimeout: 1000 });
  return ownServers;
}

function originOf(server: http.Server): string {
  const scheme = server instanceof TLSServer ? "https" : "http";
  const { address, port } = server.address() as AddressInfo;
  if (address === "::" || address === "0.0.0.0") return `${scheme}://127.0.0.1:${port}`;
  return `${scheme}://${formatEndpoint({ address, port })}`;
}
