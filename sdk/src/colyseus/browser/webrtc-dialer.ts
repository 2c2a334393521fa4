import { askInstanceThrough } from "../client/instance-reply.ts";
import { askPatiently, type ToldToWait } from "../client/patience.ts";
import { firstReachable } from "../client/reach.ts";
import type { Dialed, DialOptions, Pace, SessionWay } from "../client/session-way.ts";
import { BrowserLink } from "./link.ts";
import { requestAnswer, type WebRTCAnswer } from "./signalling.ts";

export interface WebRTCDialerOptions {
  enabled: boolean;
  /** From the offer until the channels are open, ms. What the server tells us to wait does not count. */
  timeoutMs: number;
  iceServers: RTCIceServer[];
  /** How the server is asked. */
  fetch: typeof globalThis.fetch;
  /** The server's URLs for WebSocket, of which one that answers is taken. Default: the seat's alone. */
  endpoints?: readonly string[];
}

/** A ping each second comes from the other side, and the answers to ours. */
const SILENCE_MS = 1250;
/** Each try costs the server a certificate and a peer connection. */
const PACE: Pace = { everyMs: 6000, maxEveryMs: 6000 };
/** For an attempt that nobody waits for. */
const PATIENT_TIMEOUT_MS = 4000;

/**
 * Sessions over WebRTC.
 *
 * A seat can be taken once only, so WebRTC and WebSocket are not raced. The server takes the seat when the client says so over the
 * open channel; until then it is still good for WebSocket.
 */
export function webRTCDialer({ enabled, endpoints = [], ...options }: WebRTCDialerOptions): SessionWay {
  return {
    name: "WebRTC",
    enabled,
    timeoutMs: options.timeoutMs,
    silenceMs: SILENCE_MS,
    pace: PACE,
    askInstance: askInstanceThrough(options.fetch),
    dial: (roomURL, dialOptions) => dial(roomURL, dialOptions, options),
    ...(endpoints.length > 1 && {
      locateWebSocket: async (signal: AbortSignal) =>
        new URL(await firstReachable(endpoints, { signal, fetch: knock })),
    }),
  };
}

/** Whether somebody is there, which a page may know of any server; what they say it may not. */
async function knock(input: string | URL | Request, { signal }: RequestInit = {}): Promise<Response> {
  await globalThis.fetch(input, { mode: "no-cors", ...(signal && { signal }) });
  return new Response();
}

async function dial(
  roomURL: URL,
  { headers, signal, onProgress, isPatient = false }: DialOptions,
  { iceServers, fetch, ...options }: Omit<WebRTCDialerOptions, "enabled">,
): Promise<Dialed> {
  const timeoutMs = isPatient ? Math.max(PATIENT_TIMEOUT_MS, options.timeoutMs) : options.timeoutMs;
  if (typeof RTCPeerConnection === "undefined") throw new Error("this browser has no WebRTC");
  const link = new BrowserLink(iceServers);
  const deadline = new AbortController();
  let waitingFor = "answer from the server";
  const late = (): void => deadline.abort(new Error(`no ${waitingFor} within ${timeoutMs} ms`));
  let timer = setTimeout(late, timeoutMs);
  const either = AbortSignal.any([signal, deadline.signal]);
  try {
    onProgress("token");
    const offer = await link.offer(either);
    const ask = async (): Promise<WebRTCAnswer> => {
      clearTimeout(timer);
      timer = setTimeout(late, timeoutMs);
      return await requestAnswer(fetch, roomURL, offer, headers, either);
    };
    const onWait = ({ message }: ToldToWait): void => {
      clearTimeout(timer);
      onProgress("token", message);
    };
    const { answer, timeoutMs: silenceMs, instance } = await askPatiently(ask, { signal: either, onWait });
    onProgress("webrtc", roomURL.host);
    waitingFor = "open channel over UDP";
    const session = await link.connect(answer, silenceMs, either);
    session.join();
    return { session, endpoints: [], instance };
  } catch (error) {
    link.close();
    // What AbortSignal makes of it says less than why it was aborted.
    if (either.aborted) throw either.reason;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}
