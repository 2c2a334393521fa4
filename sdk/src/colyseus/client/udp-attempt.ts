import { formatEndpoint } from "../../net/endpoint.ts";
import { traceOf } from "../../net/trace.ts";
import type { RelaysTaker } from "../../rendezvous/guest/own-relay.ts";
import type { SessionLimits } from "../../session/limits.ts";
import type { Session } from "../../session/types.ts";
import type { ConnectEndpoint } from "../wire/connect-request.ts";
import type { RelayingTerms } from "../wire/relaying.ts";
import { type ClientLimits, clientSessionLimits, clientTraffic } from "../wire/traffic-limits.ts";
import { type AskInstance, askInstance as askInstanceOverHTTP } from "./instance-request.ts";
import { askPatiently, type ToldToWait } from "./patience.ts";
import type { Beside, Dialed, DialOptions, Pace, SessionWay } from "./session-way.ts";
import { type ConnectGrant, type RequestToken, requestToken as requestTokenOverHTTP } from "./token-request.ts";

const trace = traceOf("colyseus");

/** Opens a session with a connect token: `connectSession` of session/. */
export type ConnectSession = (
  token: Uint8Array,
  options: SessionLimits & {
    signal: AbortSignal;
    dialed?: string;
    /** Time between two requests, ms. */
    requestEveryMs?: number;
    onProgress: (progress: { state: number; server: string }) => void;
    /** Called with what may use further relays, where something may. */
    onRelaysTaker?: (taker: RelaysTaker) => void;
  },
) => Promise<Session>;

export interface UDPWayOptions {
  /** False: WebSocket only. */
  enabled?: boolean;
  /** How long the server may stay silent over UDP, ms, token request included. What it tells us to wait does not count. */
  timeoutMs: number;
  connectSession: ConnectSession;
  /** Why there is no WebSocket in its place, as a sentence. Default: there is. */
  noWebSocket?: string | undefined;
  /** Makes what goes over a session beside Colyseus' frames, where the server has something to say of relays. Default: nothing does. */
  besideOf?: ((session: Session, terms: RelayingTerms, taker: RelaysTaker | undefined) => Beside) | undefined;
  /** What the server may take of this client. Default: see {@link ClientLimits}. */
  limits?: ClientLimits | undefined;
  /** Default: over HTTP, from the seat's address. */
  requestToken?: RequestToken | undefined;
  /** Default: over HTTP, at the seat's address. */
  askInstance?: AskInstance | undefined;
  /** How often UDP is tried beside a WebSocket. Default: again at once. */
  pace?: Pace | undefined;
}

export type UDPAttemptOptions = DialOptions & Omit<UDPWayOptions, "enabled" | "askInstance" | "pace" | "noWebSocket">;

/** Eight keep-alives have not come (PROTOCOL.md 3.1). */
const SILENCE_MS = 800;
const PACE: Pace = { everyMs: 4000, maxEveryMs: 4000 };
/** An attempt that nobody waits for lasts nearly as long as netcode lets it, and sends a request now and then. */
const PATIENT_TIMEOUT_MS = 8000;
const PATIENT_EVERY_MS = 1000;

/** Sessions over UDP, as netcode's connect tokens open them. */
export function udpWay({
  enabled = true,
  askInstance = askInstanceOverHTTP,
  pace = PACE,
  noWebSocket,
  ...options
}: UDPWayOptions): SessionWay {
  return {
    name: "UDP",
    enabled,
    noWebSocket,
    timeoutMs: options.timeoutMs,
    queuedBytes: clientTraffic(options.limits).queuedBytes,
    silenceMs: SILENCE_MS,
    pace,
    askInstance,
    dial: (roomURL, dialOptions) => attemptUDP(roomURL, { ...options, ...dialOptions }),
  };
}

/** netcode's client has its challenge: the server is reached and answers, and from here on it may take the client in. */
const SENDING_RESPONSE = 2;

/**
 * From a seat to a secure session.
 *
 * A seat can be taken once only, so UDP and WebSocket are not raced. UDP has `timeoutMs` to show that the server answers. Until
 * then the server cannot have let the client in, and the seat is still good for WebSocket; after that there is nothing to fall
 * back from, and the session is waited for.
 */
export async function attemptUDP(
  roomURL: URL,
  {
    headers,
    signal,
    connectSession,
    requestToken = requestTokenOverHTTP,
    limits,
    besideOf,
    onProgress,
    isPatient = false,
    ...options
  }: UDPAttemptOptions,
): Promise<Dialed> {
  const timeoutMs = isPatient ? Math.max(PATIENT_TIMEOUT_MS, options.timeoutMs) : options.timeoutMs;
  const deadline = new AbortController();
  let waitingFor = "connect token from the server";
  const late = (): void => deadline.abort(new Error(`no ${waitingFor} within ${timeoutMs} ms`));
  let timer: NodeJS.Timeout | undefined;
  const ask = async (): Promise<ConnectGrant> => {
    clearTimeout(timer);
    timer = setTimeout(late, timeoutMs);
    return await requestToken(roomURL, headers, either);
  };
  const onWait = ({ message }: ToldToWait): void => {
    clearTimeout(timer);
    onProgress("token", message);
  };
  const either = AbortSignal.any([signal, deadline.signal]);
  const begun = performance.now();
  try {
    onProgress("token");
    const { token, endpoints, dialed, relaying, instance } = await askPatiently(ask, { signal: either, onWait });
    if (trace.on)
      trace.event("connect-token", { endpoints: endpoints.map(endpointText), ms: performance.now() - begun });
    waitingFor = "answer over UDP";
    let dialing = "";
    let taker: RelaysTaker | undefined;
    const session = await connectSession(token, {
      ...clientSessionLimits(clientTraffic(limits)),
      signal: either,
      ...(dialed === undefined ? {} : { dialed }),
      ...(isPatient ? { requestEveryMs: PATIENT_EVERY_MS } : {}),
      onRelaysTaker: (each) => {
        taker = each;
      },
      onProgress: ({ state, server }) => {
        if (state === SENDING_RESPONSE) clearTimeout(timer);
        if (server !== dialing) onProgress("udp", (dialing = server));
      },
    });
    const beside = relaying && besideOf?.(session, relaying, taker);
    return { session, endpoints, beside, instance };
  } catch (error) {
    // What AbortSignal makes of it says less than why it was aborted.
    if (either.aborted) throw either.reason;
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function endpointText({ kind, ...endpoint }: ConnectEndpoint): string {
  return `${kind} ${formatEndpoint(endpoint)}`;
}
