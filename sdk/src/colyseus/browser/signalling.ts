import { retryAfterMsOf, ToldToWait } from "../client/patience.ts";
import { checkProtocol, describeSeat, isAddress } from "../client/seat-request.ts";
import { WayUnavailableError } from "../client/session-way.ts";
import { STATUS_OTHER_PROTOCOL } from "../wire/connect-request.ts";
import { readInstance } from "../wire/instance.ts";
import {
  WEBRTC_PATH,
  WEBRTC_PROTOCOL,
  WEBRTC_PROTOCOL_NAME,
  type WebRTCReply,
  type WebRTCRequest,
} from "../wire/webrtc-request.ts";

export type WebRTCAnswer = Extract<WebRTCReply, { answer: string }>;

/**
 * Gives the process that has the room our offer.
 * @throws ToldToWait when the server says when to ask again; Error that says why there is no answer
 */
export async function requestAnswer(
  fetch: typeof globalThis.fetch,
  roomURL: URL,
  offer: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<WebRTCAnswer> {
  const { url, authorization, request } = describeSeat(roomURL, WEBRTC_PATH, WEBRTC_PROTOCOL);
  // A page cannot ask which address a name has; where the URL has one, the host may not know that it is reached by it.
  const { hostname, port, protocol: scheme } = url;
  const address = hostname.replace(/^\[|\]$/g, "");
  const dialed = isAddress(hostname) ? [{ address, port: Number(port) || (scheme === "https:" ? 443 : 80) }] : [];
  const named = isAddress(hostname) ? {} : { dialedName: hostname };
  const body: WebRTCRequest = { ...request, dialed, ...named, offer };
  let response: Response;
  try {
    response = await fetch(url, {
      method: "POST",
      // Cookies too, as Colyseus' own requests and a WebSocket send them to another origin.
      credentials: "include",
      headers: { ...authorization, ...headers, "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    // A server that knows nothing of this path allows no other page to see its answer.
    throw new Error("the server did not answer: it may not be one of Sallyport's, or not allow this page", {
      cause: error,
    });
  }
  const reply = (await response.json().catch(() => ({}))) as Partial<WebRTCAnswer> & {
    unavailable?: string;
    error?: string;
  };
  if (response.status === 404 && reply.error === undefined) throw new Error("this server does not speak Sallyport");
  if (response.status === 200 || response.status === STATUS_OTHER_PROTOCOL) {
    checkProtocol(reply, WEBRTC_PROTOCOL, WEBRTC_PROTOCOL_NAME);
  }
  if (response.status !== 200) {
    const problem = reply.error ?? `HTTP status ${response.status}`;
    const ms = retryAfterMsOf(response.status, response.headers.get("retry-after"));
    throw ms === undefined ? new Error(problem) : new ToldToWait(problem, ms);
  }
  if (typeof reply.unavailable === "string") throw new WayUnavailableError(reply.unavailable);
  const { answer, timeoutMs } = reply;
  const instance = readInstance(reply);
  if (typeof answer !== "string" || typeof timeoutMs !== "number") throw new Error("the server's answer has no SDP");
  return { protocol: WEBRTC_PROTOCOL, answer, timeoutMs, ...(instance !== undefined && { instance }) };
}
