import { lookup } from "node:dns/promises";
import { canonicalAddress } from "../net/address.ts";
import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import type { StreamTLSOptions } from "../net/stream.ts";
import { traceOf } from "../net/trace.ts";
import type { UDPSocket } from "../net/udp-socket.ts";
import { UnprovenAddress } from "../net/unproven-address.ts";
import { abortable, sleep } from "../net/wait.ts";
import type { TurnTiming } from "./allocation-options.ts";
import { connectTurnStream, connectUDP } from "./connection.ts";
import type { TurnCredentials } from "./credentials.ts";
import { TurnError } from "./errors.ts";
import { TurnRedirect } from "./refusal.ts";
import { TurnRelay } from "./relay.ts";
import { parseTurnUrl, type TurnServerUrl } from "./url.ts";

const trace = traceOf("turn");

/** As WebRTC's RTCIceServer. */
export interface TurnServer extends Partial<TurnCredentials> {
  /** `turn:host:port?transport=udp|tcp`, `turns:host:port` (RFC 7065). */
  urls: string | readonly string[];
}

/** What happens to one URL. */
export interface TurnProgress {
  /** As the caller wrote it. */
  url: string;
  /** How far it is. */
  step: "resolving" | "connecting" | "allocating" | "redirected" | "allocated" | "failed";
  /** Milliseconds since the attempt began. */
  ms: number;
  /** Where it is known by then. */
  server?: Endpoint;
  /** Why it failed. */
  error?: TurnError;
}

/** Options of `openTurnRelay`. */
export interface OpenTurnRelayOptions {
  /** The game's socket, for servers over UDP. Without it only TCP and TLS are tried. */
  socket?: UDPSocket | undefined;
  /** The servers, which are all asked; the first that grants a relay is taken. */
  servers: readonly TurnServer[];
  /** Of the relayed address. Default 4. */
  family?: 4 | 6;
  /** Milliseconds for all. Default 10 000. */
  timeoutMs?: number;
  /** How long TCP and TLS wait for UDP, which serves a game better. Default 300 ms; 0 where there is no URL over UDP. */
  streamDelayMs?: number;
  /** For `turns:`: certificates to trust in place of the system's. */
  tls?: Pick<StreamTLSOptions, "ca">;
  /** Gives up. */
  signal?: AbortSignal | undefined;
  /** Asked before each datagram to a server that has not answered, where somebody else named it: false keeps it back. */
  maySend?: ((address: string, bytes: number) => boolean) | undefined;
  /** Called as each URL gets further. */
  onProgress?: (progress: TurnProgress) => void;
  /** See {@link TurnAllocationOptions.dontFragment}. Default false. */
  dontFragment?: boolean;
  /** Lifetimes, for tests. Default: those of RFC 8656. */
  timing?: TurnTiming;
}

interface Attempt {
  readonly text: string;
  readonly url: TurnServerUrl | null;
  readonly credentials: TurnCredentials | undefined;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_STREAM_DELAY_MS = 300;
/** 300 Try Alternate is followed so often: a server must not send us around for ever. */
const MAX_REDIRECTS = 2;
/** Such an answer at the least: header, error code and an IPv4 address. What is sent for it is three times as much, four requests. */
const REDIRECTION_BYTES = 40;
/** Most URLs that are tried, since a lobby may send any list. */
const MAX_ATTEMPTS = 16;
/** Which of several failures tells a person most. */
const TELLING: readonly TurnError["failure"][] = [
  "unauthorized",
  "refused",
  "malformed",
  "unreachable",
  "invalid-server",
];

/**
 * Asks all servers at once for a relayed address: the first that grants one serves, the others are given back.
 * @throws {TurnError} the most telling failure; with several servers its message has all, `cause` is an AggregateError
 */
export async function openTurnRelay(options: OpenTurnRelayOptions): Promise<TurnRelay> {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, signal } = options;
  const attempts = attemptsOf(options.servers);
  if (attempts.length === 0) throw new TurnError("invalid-server", "No TURN server is named.");
  const over = new AbortController();
  const giveUp = (reason: unknown): void => over.abort(reason);
  const timer = setTimeout(
    () => giveUp(new TurnError("timeout", `No relay within ${timeoutMs} ms.`)),
    timeoutMs,
  ).unref();
  const cancelled = (): void => giveUp(signal?.reason);
  if (signal?.aborted === true) cancelled();
  else signal?.addEventListener("abort", cancelled, { once: true });

  const udpFailed = new AbortController();
  let udpLeft = attempts.filter(({ url }) => url?.transport === "udp").length;
  if (udpLeft === 0 || options.socket === undefined) udpFailed.abort();
  let winner: TurnRelay | null = null;
  const run = async (attempt: Attempt): Promise<TurnRelay> => {
    const isUDP = attempt.url?.transport === "udp";
    try {
      if (!isUDP && attempt.url !== null) {
        const sooner = AbortSignal.any([udpFailed.signal, over.signal]);
        await sleep(options.streamDelayMs ?? DEFAULT_STREAM_DELAY_MS, sooner);
        if (over.signal.aborted) throw givenUp(over.signal.reason);
      }
      const relay = await follow(attempt, options, over.signal);
      if (winner !== null) {
        void relay.close();
        throw new TurnError("aborted", "Another server was faster.");
      }
      winner = relay;
      giveUp(new TurnError("aborted", "Another server was faster."));
      return relay;
    } finally {
      if (isUDP && --udpLeft === 0) udpFailed.abort();
    }
  };
  try {
    return await Promise.any(attempts.map(run));
  } catch (error) {
    throw summary(error instanceof AggregateError ? error : new AggregateError([error]), over.signal, signal, attempts);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancelled);
  }
}

function attemptsOf(servers: readonly TurnServer[]): Attempt[] {
  const attempts = new Map<string, Attempt>();
  for (const { urls, username, credential } of servers) {
    const credentials = username === undefined || credential === undefined ? undefined : { username, credential };
    for (const text of typeof urls === "string" ? [urls] : urls) {
      const url = parseTurnUrl(text);
      // One allocation per server and socket: the same server twice would be refused (437).
      const key = url === null ? text : `${url.transport} ${url.host.toLowerCase()} ${url.port}`;
      if (!attempts.has(key) && attempts.size < MAX_ATTEMPTS) attempts.set(key, { text, url, credentials });
    }
  }
  return [...attempts.values()];
}

/** Messages are shown and traced: somebody may have written user and password before the host, where RFC 7065 has none. */
function withoutUser(text: string): string {
  return text.replace(/^([a-z]*:)?.*@/is, "$1…@");
}

/** One URL, and where its server sends us. */
async function follow(attempt: Attempt, options: OpenTurnRelayOptions, signal: AbortSignal): Promise<TurnRelay> {
  const { text, url, credentials } = attempt;
  const begun = performance.now();
  const tell = (step: TurnProgress["step"], more: Partial<TurnProgress> = {}): void => {
    const ms = performance.now() - begun;
    options.onProgress?.({ url: text, step, ms, ...more });
    if (trace.on) traceProgress(url, step, ms, more);
  };
  try {
    if (url === null) {
      const message = `"${withoutUser(text)}" names no TURN server: write turn:HOST:PORT, turn:HOST:PORT?transport=tcp or turns:HOST:PORT.`;
      throw new TurnError("invalid-server", message);
    }
    tell("resolving");
    let server = await resolve(url, options, signal);
    let servername = url.host;
    const asked = new Set<string>();
    let { maySend } = options;
    for (;;) {
      asked.add(formatEndpoint(server));
      try {
        const relay = await allocate(server, servername, url, credentials, { ...options, maySend }, signal, tell);
        tell("allocated", { server });
        return relay;
      } catch (error) {
        if (!(error instanceof TurnRedirect)) throw error;
        if (asked.size > MAX_REDIRECTS || asked.has(formatEndpoint(error.alternate))) {
          throw new TurnError("redirected", `The TURN server ${url.host} sends its clients in circles.`, {
            cause: error,
          });
        }
        server = error.alternate;
        const redirection = new UnprovenAddress();
        redirection.received(REDIRECTION_BYTES);
        maySend = (_address, bytes) => redirection.take(bytes);
        servername = error.domain ?? servername;
        tell("redirected", { server });
      }
    }
  } catch (error) {
    const failure = error instanceof TurnError ? error : new TurnError("aborted", String(error), { cause: error });
    tell("failed", { error: failure });
    throw failure;
  }
}

function traceProgress(
  url: TurnServerUrl | null,
  step: TurnProgress["step"],
  ms: number,
  { server, error }: Partial<TurnProgress>,
): void {
  trace.event(step, {
    host: url === null ? "none" : { address: url.host, port: url.port },
    transport: url?.transport,
    server,
    failure: error?.failure,
    code: error?.stunCode,
    reason: error?.message,
    ms,
  });
}

async function allocate(
  server: Endpoint,
  servername: string,
  { transport }: TurnServerUrl,
  credentials: TurnCredentials | undefined,
  options: OpenTurnRelayOptions,
  signal: AbortSignal,
  tell: (step: TurnProgress["step"], more: Partial<TurnProgress>) => void,
): Promise<TurnRelay> {
  const { socket, tls, timing, family, dontFragment, maySend } = options;
  if (transport !== "udp") tell("connecting", { server });
  else if (socket?.canReach(server.address) !== true) {
    throw new TurnError("unresolvable", `The game's socket does not reach ${server.address}.`);
  }
  const connection =
    transport === "udp" && socket !== undefined
      ? connectUDP(socket, server)
      : await connectTurnStream(server, { signal, tls: transport === "tls" ? { ...tls, servername } : undefined });
  tell("allocating", { server });
  return await TurnRelay.allocate(connection, {
    transport,
    signal,
    credentials,
    ...timing,
    ...(family !== undefined && { family }),
    ...(maySend && { maySend: (bytes: number) => maySend(server.address, bytes) }),
    ...(dontFragment !== undefined && { dontFragment }),
  });
}

async function resolve(url: TurnServerUrl, { socket }: OpenTurnRelayOptions, signal: AbortSignal): Promise<Endpoint> {
  const { host, port, transport } = url;
  if (transport === "udp" && socket === undefined) {
    throw new TurnError("invalid-server", `${host} is named over UDP, and there is no UDP socket.`);
  }
  const literal = canonicalAddress(host);
  if (literal !== undefined) return { address: literal, port };
  const given = await abortable(
    lookup(host, { all: true, order: "ipv4first" }).catch((cause: unknown) => {
      throw new TurnError("unresolvable", `The name ${host} has no address: check the name and the DNS.`, { cause });
    }),
    signal,
    givenUp,
  );
  const usable = transport === "udp" ? given.find(({ address }) => socket?.canReach(address) === true) : given[0];
  if (usable !== undefined) return { address: usable.address, port };
  throw new TurnError("unresolvable", `The name ${host} has no address of a family that this socket carries.`);
}

function givenUp(cause: unknown): TurnError {
  return new TurnError("aborted", "Given up.", { cause });
}

function summary(
  all: AggregateError,
  over: AbortSignal,
  callers: AbortSignal | undefined,
  attempts: readonly Attempt[],
): TurnError {
  const errors = all.errors.map((error) =>
    error instanceof TurnError ? error : new TurnError("aborted", String(error)),
  );
  if (callers?.aborted === true) return new TurnError("aborted", "Given up before a relay was there.", { cause: all });
  const rank = (error: TurnError): number =>
    (TELLING.indexOf(error.failure) + TELLING.length + 1) % (TELLING.length + 1);
  const [best] = errors.toSorted((a, b) => rank(a) - rank(b));
  if (best === undefined) return new TurnError("aborted", "Given up.");
  // Those that were cut off by the end of the time have not failed by themselves.
  const timedOut = over.reason instanceof TurnError && over.reason.failure === "timeout";
  const failure = best.failure === "aborted" && timedOut ? "timeout" : best.failure;
  const lines = errors.map((error, i) => {
    const text = error.failure === "aborted" && timedOut ? "no answer in time" : error.message;
    return attempts.length === 1 ? text : `${withoutUser(attempts[i]?.text ?? "")}: ${text}`;
  });
  return new TurnError(failure, lines.join(" "), { cause: all, stunCode: best.stunCode });
}
