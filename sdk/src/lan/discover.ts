/** Finds hosted games on the local network. */
import { formatEndpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import { TraceLimiter } from "../net/trace-limiter.ts";
import { type LanEvent, type LanGame, LanListener } from "./listener.ts";
import { type LanNetwork, UDPLanNetwork } from "./network.ts";
import { DEFAULT_APPLICATION, MAX_APPLICATION_BYTES, shortened } from "./packet.ts";

const trace = traceOf("lan");
/** Anybody on the network can announce, and change what it announces. */
const limiter = new TraceLimiter();

/** Node's timers take no more; 24 days are for ever. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Options of `discoverLan`. */
export interface DiscoverLanOptions {
  /** Which game: what its hosts named too. Default "sallyport". */
  application?: string | undefined;
  /** Ends the search. */
  signal?: AbortSignal | undefined;
  /** How long to search. Default 2000; `Infinity` to watch until the signal. */
  timeoutMs?: number | undefined;
  /** When a game is found, and when it has changed. */
  onGame?: (game: LanGame) => void;
  /** When one has said goodbye, or has not been heard of for 35 s. */
  onLost?: (game: LanGame) => void;
  /** Default: multicast on all interfaces. */
  network?: LanNetwork;
  /** UDP port of announcements, for all of one application. Default 28772. */
  announcePort?: number | undefined;
}

/**
 * Searches until the time is over or the signal says so; answers the games that are there then. Nothing that is found is
 * proven: anybody on the network can announce anything.
 */
export async function discoverLan(options: DiscoverLanOptions = {}): Promise<LanGame[]> {
  const { signal, application = DEFAULT_APPLICATION, timeoutMs = 2000, onGame, onLost } = options;
  if (signal?.aborted === true) return [];
  const network = options.network ?? new UDPLanNetwork({ port: options.announcePort });
  const listener = new LanListener(shortened(application, MAX_APPLICATION_BYTES), performance.now());
  const { promise: over, resolve, reject } = Promise.withResolvers<void>();
  const report = ({ type, game }: LanEvent): void => {
    if (trace.on) {
      const count = limiter.take(type, performance.now());
      if (count > 0) trace.event(type, { name: game.name, addresses: game.addresses, port: game.port, count });
    }
    try {
      if (type === "lost") onLost?.(game);
      else onGame?.(game);
    } catch (error) {
      reject(error); // the caller's own
    }
  };
  network.onPacket = (datagram, { address }) => {
    const event = listener.handlePacket(datagram, address, performance.now());
    if (event !== undefined) report(event);
  };
  let timer: NodeJS.Timeout | undefined;
  const tick = (): void => {
    network.refresh();
    const { query, events } = listener.handleTimeout(performance.now());
    events.forEach(report);
    if (query !== undefined) {
      if (trace.on) trace.event("asked", { application, from: network.state.addresses });
      network.multicast(query);
    }
    timer = setTimeout(tick, Math.max(0, listener.nextTimeout - performance.now()));
  };
  const end = (): void => resolve();
  timer = setTimeout(tick, 0);
  const deadline = timeoutMs > MAX_TIMER_MS ? undefined : setTimeout(end, timeoutMs);
  signal?.addEventListener("abort", end, { once: true });
  try {
    await over;
    return listener.games;
  } finally {
    clearTimeout(timer);
    clearTimeout(deadline);
    signal?.removeEventListener("abort", end);
    await network.close();
  }
}

/**
 * Each game as it is found, and again when it has changed, until the time is over or the signal says so. Leaving the loop ends the
 * search too.
 */
export async function* lanGames(options: Omit<DiscoverLanOptions, "onGame" | "onLost"> = {}): AsyncGenerator<LanGame> {
  const left = new AbortController();
  // A reader who is slow learns the newest of each.
  const news = new Map<string, LanGame>();
  let over = false;
  let wake = Promise.withResolvers<void>();
  const search = discoverLan({
    ...options,
    signal: options.signal ? AbortSignal.any([options.signal, left.signal]) : left.signal,
    onGame: (game) => {
      news.set(game.id, game);
      wake.resolve();
    },
    onLost: ({ id }) => news.delete(id),
  }).finally(() => {
    over = true;
    wake.resolve();
  });
  try {
    for (;;) {
      for (const [id, game] of news) {
        news.delete(id);
        yield game;
      }
      if (over) break;
      await wake.promise;
      wake = Promise.withResolvers();
    }
  } finally {
    left.abort();
    await search;
  }
}

/** Where to join it: `http://192.168.1.10:7777`, the best first. Without those that no URL can name. */
export function lanUrls({ addresses, port }: LanGame): string[] {
  return addresses
    .filter((address) => !address.includes("%"))
    .map((address) => `http://${formatEndpoint({ address, port })}`);
}
