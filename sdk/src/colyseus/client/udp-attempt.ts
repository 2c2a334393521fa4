import { formatEndpoint } from "../../net/endpoint.ts";
import { traceOf } from "../../net/trace.ts";
import type { Session } from "../../session/types.ts";
import type { ConnectEndpoint } from "../wire/connect-request.ts";
import { askPatiently, type ToldToWait } from "./patience.ts";
import { type ConnectGrant, type RequestToken, requestToken as requestTokenOverHTTP } from "./token-request.ts";
import type { DialOptions, SessionWay } from "./transport.ts";

const trace = traceOf("colyseus");

/** Opens a session with a connect token: `connectSession` of session/. */
export type ConnectSession = (
  token: Uint8Array,
  options: { signal: AbortSignal; dialed?: string; onProgress: (progress: { state: number; server: string }) => void },
) => Promise<Session>;

export interface UDPWayOptions {
  /** False: WebSocket only. */
  enabled?: boolean;
  /** How long the server may stay silent over UDP, ms, token request included. What it tells us to wait does not count. */
  timeoutMs: number;
  connectSession: ConnectSession;
  /** Default: over HTTP, from the seat's address. */
  requestToken?: RequestToken | undefined;
}

export type UDPAttemptOptions = DialOptions & Omit<UDPWayOptions, "enabled">;

/** Sessions over UDP, as netcode's connect tokens open them. */
export function udpWay({ enabled = true, ...options }: UDPWayOptions): SessionWay {
  return {
    name: "UDP",
    enabled,
    timeoutMs: options.timeoutMs,
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
  { headers, signal, timeoutMs, connectSession, requestToken = requestTokenOverHTTP, onProgress }: UDPAttemptOptions,
): Promise<{ session: Session; endpoints: ConnectEndpoint[] }> {
  const deadline = new AbortController();
  const late = (): void => deadline.abort(new Error(`no answer over UDP within ${timeoutMs} ms`));
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
    const { token, endpoints, dialed } = await askPatiently(ask, { signal: either, onWait });
    if (trace.on)
      trace.event("connect-token", { endpoints: endpoints.map(endpointText), ms: performance.now() - begun });
    let dialing = "";
    const session = await connectSession(token, {
      signal: either,
      ...(dialed === undefined ? {} : { dialed }),
      onProgress: ({ state, server }) => {
        if (state === SENDING_RESPONSE) clearTimeout(timer);
        if (server !== dialing) onProgress("udp", (dialing = server));
      },
    });
    return { session, endpoints };
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
