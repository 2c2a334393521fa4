import { askInstanceThrough } from "../client/instance-reply.ts";
import { askPatiently, type ToldToWait } from "../client/patience.ts";
import { firstReachable } from "../client/reach.ts";
import { HIDDEN_NO_WEBSOCKET } from "../client/session-client.ts";
import type { Dialed, DialOptions, Pace, SessionWay } from "../client/session-way.ts";
import { type ClientLimits, clientSessionLimits, clientTraffic } from "../wire/traffic-limits.ts";
import { obstacleHere } from "./local-network.ts";
import { BrowserPeer } from "./peer.ts";
import { requestAnswer, type WebRTCAnswer } from "./signalling.ts";

export interface WebRTCDialerOptions {
  enabled: boolean;
  /** From the offer until the channel is open, ms. What the server tells us to wait does not count. */
  timeoutMs: number;
  iceServers: RTCIceServer[];
  /** The page's addresses stay hidden: TURN servers carry everything, and no WebSocket is opened. Default false. */
  relayOnly?: boolean;
  /** What the server may take of this client. Default: see {@link ClientLimits}. */
  limits?: ClientLimits | undefined;
  /** How the server is asked. */
  fetch: typeof globalThis.fetch;
  /** The server's URLs for WebSocket, of which one that answers is taken. Default: the seat's alone. */
  endpoints?: readonly string[];
}

/** Since the server's answer came: within it ICE connects where UDP gets through at all. Before it is over, WebSocket is asked. */
const ICE_PATIENCE_MS = 1000;
const ASK_WEBSOCKET_MS = 300;
/** On a long path longer: a check of ICE takes no longer than the answer did, and this at most counts. */
const MAX_ROUND_TRIP_MS = 500;
/** Four keep-alives (webrtc/link.ts). */
const SILENCE_MS = 1000;
/** Each try costs the server a certificate and a peer connection. */
const PACE: Pace = { everyMs: 6000, maxEveryMs: 6000 };
/** For an attempt that nobody waits for. */
const PATIENT_TIMEOUT_MS = 4000;

/**
 * Sessions over WebRTC.
 *
 * A seat can be taken once only, so WebRTC and WebSocket are not raced. The server takes the seat when the client says something over
 * the open channel; until then it is still good for WebSocket.
 */
export function webRTCDialer({ enabled, ...options }: WebRTCDialerOptions): SessionWay {
  const { endpoints = [], relayOnly = false } = options;
  return {
    name: "WebRTC",
    enabled,
    noWebSocket: relayOnly ? HIDDEN_NO_WEBSOCKET : undefined,
    timeoutMs: options.timeoutMs,
    queuedBytes: clientTraffic(options.limits).queuedBytes,
    silenceMs: SILENCE_MS,
    pace: PACE,
    askInstance: askInstanceThrough(options.fetch),
    dial: (roomURL, dialOptions) => dial(roomURL, dialOptions, options),
    obstacle: obstacleHere,
    ...(endpoints.length > 0 && {
      locateWebSocket: async (signal: AbortSignal) => new URL(await locate(endpoints, signal)),
    }),
  };
}

/** The first of the host's URLs that answers, of those that this page may ask. */
async function locate(endpoints: readonly string[], signal: AbortSignal): Promise<string> {
  const obstacles = await Promise.all(endpoints.map((endpoint) => obstacleHere(new URL(endpoint))));
  const open = endpoints.filter((_, n) => obstacles[n] === undefined);
  return await firstReachable(open, { signal, fetch: knock });
}

/** Whether somebody is there, which a page may know of any server; what they say it may not. */
async function knock(input: string | URL | Request, { signal }: RequestInit = {}): Promise<Response> {
  await globalThis.fetch(input, { mode: "no-cors", ...(signal && { signal }) });
  return new Response();
}

async function dial(
  roomURL: URL,
  { headers, signal, onProgress, isPatient = false }: DialOptions,
  { iceServers, limits, fetch, endpoints, relayOnly = false, ...options }: Omit<WebRTCDialerOptions, "enabled">,
): Promise<Dialed> {
  const timeoutMs = isPatient ? Math.max(PATIENT_TIMEOUT_MS, options.timeoutMs) : options.timeoutMs;
  if (typeof RTCPeerConnection === "undefined") throw new Error("this browser has no WebRTC");
  const peer = new BrowserPeer(iceServers, relayOnly);
  const deadline = new AbortController();
  let waitingFor = "answer from the server";
  const giveUp = (afterMs: number): void => deadline.abort(new Error(`no ${waitingFor} within ${afterMs} ms`));
  const late = (): void => giveUp(timeoutMs);
  let timer = setTimeout(late, timeoutMs);
  const timers: ReturnType<typeof setTimeout>[] = [];
  const either = AbortSignal.any([signal, deadline.signal]);
  try {
    onProgress("token");
    const offer = await peer.offer(either);
    let askedAt = performance.now();
    const ask = async (): Promise<WebRTCAnswer> => {
      clearTimeout(timer);
      timer = setTimeout(late, timeoutMs);
      askedAt = performance.now();
      return await requestAnswer(fetch, roomURL, offer, headers, either);
    };
    const onWait = ({ message }: ToldToWait): void => {
      clearTimeout(timer);
      onProgress("token", message);
    };
    const { answer, timeoutMs: silenceMs, instance } = await askPatiently(ask, { signal: either, onWait });
    const roundTripMs = Math.min(performance.now() - askedAt, MAX_ROUND_TRIP_MS);
    const patienceMs = Math.round(ICE_PATIENCE_MS + roundTripMs);
    const lateAt = performance.now() + patienceMs;
    const giveUpUnlessConnected = (): void => {
      timers.push(setTimeout(() => peer.isConnected || giveUp(patienceMs), Math.max(0, lateAt - performance.now())));
    };
    const askWebSocket = (): void => {
      if (peer.isConnected) return;
      // By address, the server has just answered. By invite it may have no address at all.
      if (endpoints === undefined) giveUpUnlessConnected();
      else void locate(endpoints, either).then(giveUpUnlessConnected, () => {});
    };
    if (!isPatient) timers.push(setTimeout(askWebSocket, ASK_WEBSOCKET_MS));
    onProgress("webrtc", roomURL.host);
    waitingFor = "open channel over UDP";
    const session = await peer.connect(answer, {
      limits: clientSessionLimits(clientTraffic(limits)),
      timeoutMs: silenceMs,
      signal: either,
    });
    return { session, endpoints: [], instance };
  } catch (error) {
    peer.close();
    // What AbortSignal makes of it says less than why it was aborted.
    if (either.aborted) throw either.reason;
    throw error;
  } finally {
    for (const each of [timer, ...timers]) clearTimeout(each);
  }
}
