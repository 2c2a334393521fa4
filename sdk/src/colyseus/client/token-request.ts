import http from "node:http";
import https from "node:https";
import { type Endpoint, normalizeAddress } from "../../net/endpoint.ts";
import {
  CONNECT_PATH,
  CONNECT_PROTOCOL,
  CONNECT_PROTOCOL_NAME,
  type ConnectEndpoint,
  type ConnectReply,
  type ConnectRequest,
  STATUS_OTHER_PROTOCOL,
} from "../wire/connect-request.ts";
import { readInstance } from "../wire/instance.ts";
import { parseTerms, type RelayingTerms } from "../wire/relaying.ts";
import { retryAfterMsOf, ToldToWait } from "./patience.ts";
import { checkProtocol, describeSeat } from "./seat-request.ts";

export interface ConnectGrant {
  token: Uint8Array;
  endpoints: ConnectEndpoint[];
  /** The address that was asked, where one was. */
  dialed?: string;
  /** What the server says of relays; undefined where it says nothing that is understood. */
  relaying?: RelayingTerms | undefined;
  /** The run of the server; undefined where it names none. */
  instance?: string | undefined;
}

const MAX_REPLY_BYTES = 16_384;

/** Gets a connect token for a seat. Asked again where it throws ToldToWait. */
export type RequestToken = (
  roomURL: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<ConnectGrant>;

/**
 * Asks the process that has the room for a connect token.
 *
 * @param roomURL Colyseus' WebSocket address of the seat: `ws://host:port/PREFIX/processId/roomId?sessionId=…`
 */
export async function requestToken(
  roomURL: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<ConnectGrant> {
  const { url, authorization, request } = describeSeat(roomURL, CONNECT_PATH, CONNECT_PROTOCOL);
  const { dialed, ...reply } = await post(url, { ...authorization, ...headers }, request, signal);
  return { ...grantOf(reply), ...(dialed === undefined ? {} : { dialed }) };
}

/** The same by way of something like `fetch` that needs no port of the server's. */
export function requestTokenThrough(fetch: typeof globalThis.fetch): RequestToken {
  return async (roomURL, headers, signal) => {
    const { url, authorization, request } = describeSeat(roomURL, CONNECT_PATH, CONNECT_PROTOCOL);
    const response = await fetch(url, {
      method: "POST",
      headers: { ...authorization, ...headers, "content-type": "application/json" },
      body: JSON.stringify(request),
      signal,
    });
    const { status, headers: said } = response;
    return grantOf({ status, retryAfter: said.get("retry-after"), body: await response.text() });
  };
}

interface Reply {
  status: number;
  retryAfter: string | null | undefined;
  body: string;
}

/** @throws ToldToWait when the server says when to ask again; Error when there is no token */
function grantOf({ status, retryAfter, body }: Reply): ConnectGrant {
  const reply = parseJSON(body) as Partial<ConnectReply> & { error?: string };
  if (status === 404 && reply.error === undefined) throw new Error("this server does not speak Sallyport");
  if (status === 200 || status === STATUS_OTHER_PROTOCOL) checkProtocol(reply, CONNECT_PROTOCOL, CONNECT_PROTOCOL_NAME);
  if (status !== 200) {
    const problem = `no connect token: ${reply.error ?? `HTTP status ${status}`}`;
    const ms = retryAfterMsOf(status, retryAfter);
    throw ms === undefined ? new Error(problem) : new ToldToWait(problem, ms);
  }
  if (typeof reply.token !== "string" || !Array.isArray(reply.endpoints)) {
    throw new Error("no connect token: the server's answer has none");
  }
  const relaying = parseTerms(reply.relaying);
  return {
    token: Buffer.from(reply.token, "base64"),
    endpoints: reply.endpoints,
    relaying,
    instance: readInstance(reply),
  };
}

/** Node's own client, for it tells which address it reached: the one that the token should name first. */
function post(
  url: URL,
  headers: Record<string, string>,
  body: ConnectRequest,
  signal: AbortSignal,
): Promise<Reply & { dialed: string | undefined }> {
  let dialed: Endpoint[] = [];
  return new Promise((resolve, reject) => {
    const secure = url.protocol === "https:";
    const request = (secure ? https : http).request(url, {
      method: "POST",
      headers: { ...headers, "content-type": "application/json", accept: "application/json" },
      // A connection that was kept may be closed by the server in the moment it is used, and a seat has no time for that.
      agent: false,
      signal,
    });
    request.once("socket", (socket) => {
      const send = (): void => {
        dialed = endpointOf(socket.remoteAddress, socket.remotePort);
        request.end(JSON.stringify({ ...body, dialed }));
      };
      if (socket.connecting) socket.once(secure ? "secureConnect" : "connect", send);
      else send();
    });
    request.once("error", reject);
    request.once("response", (response) => {
      response.setEncoding("utf8");
      let text = "";
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_REPLY_BYTES) response.destroy(new Error("the reply is too long"));
      });
      response.once("error", reject);
      response.once("end", () => {
        const { statusCode: status = 0, headers: said } = response;
        resolve({ status, retryAfter: said["retry-after"], body: text, dialed: dialed[0]?.address });
      });
    });
  });
}

function endpointOf(address: string | undefined, port: number | undefined): Endpoint[] {
  return address === undefined || port === undefined ? [] : [{ address: normalizeAddress(address), port }];
}

function parseJSON(text: string): object {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null ? json : {};
  } catch {
    return {};
  }
}
