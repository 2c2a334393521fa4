import { lookup } from "node:dns/promises";
import { connect } from "node:net";
import { type LocateLanOptions, locateLan } from "../../lan/locate.ts";
import { addressFamily } from "../../net/address.ts";
import { certificateDates } from "../../net/certificate-dates.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { addressScope } from "../../net/scope.ts";
import { traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import { unreachableAdvice } from "./unreachable-advice.ts";

const trace = traceOf("colyseus");

/** How long an address may be silent before others are tried too, ms (RFC 8305 section 5). */
const PATIENCE_MS = 250;

export interface NearbyOptions extends Pick<LocateLanOptions, "announcePort" | "network"> {
  fetch?: typeof globalThis.fetch | undefined;
  /** Resolves once a TCP connection to the URL's address stands; where none comes about, never. */
  connects?: typeof connects;
}

/**
 * Players in the host's own house are given its public address as all others are, but many routers do not turn that back to the
 * inside (no hairpinning, RFC 4787 section 6). So when a public address does not answer, the local network is asked whose it is.
 *
 * Only for `http:`, which proves nothing of the other side to begin with: with `https:` a certificate does.
 */
export class Nearby {
  /** Called when requests should go to another address from now on: that of the host next door, or the old one again. */
  onMove: ((to: Endpoint) => void) | null = null;
  readonly #options: NearbyOptions;
  #detour: { from: Endpoint; to: Endpoint } | undefined;

  constructor(options: NearbyOptions = {}) {
    this.#options = options;
  }

  /** Why requests go to `address`, which is not the one that was asked for; empty where it is. */
  explain(address: string): string {
    if (this.#detour?.to.address !== address) return "";
    const [from, to] = [this.#detour.from, this.#detour.to].map(formatEndpoint);
    return `${from} does not answer from inside its own network, where its host is ${to}`;
  }

  /** As `fetch`; an error says which address does not answer, and why. */
  readonly fetch: typeof globalThis.fetch = async (input, init = {}) => {
    const { fetch = globalThis.fetch } = this.#options;
    const { signal } = init;
    if (input instanceof Request) return await fetch(input, init);
    const url = new URL(input);
    const detour = this.#detour;
    if (detour && url.host === formatEndpoint(detour.to)) {
      const answer = await fetch(url, init).catch((error: unknown) => {
        if (signal?.aborted) throw error;
      });
      if (answer) return answer;
      // The player has left the house, or the host's address there has changed.
      this.#detour = undefined;
      this.#move(url, detour.from);
    }
    const dialing = new AbortController();
    const answer = fetch(url, { ...init, signal: signal ? AbortSignal.any([signal, dialing.signal]) : dialing.signal });
    const host = await this.#hostBehind(url, answer, signal ?? undefined);
    if (host === undefined) {
      return await answer.catch((error: unknown) => {
        throw signal?.aborted ? error : unanswered(url, error);
      });
    }
    dialing.abort();
    answer.then(
      (response) => void response.body?.cancel(),
      () => undefined,
    );
    this.#detour = { from: { address: url.hostname, port: portOf(url) }, to: host };
    this.#move(url, host);
    return await fetch(url, init);
  };

  #move(url: URL, to: Endpoint): void {
    if (trace.on) trace.event("detour", { from: url.host, to });
    url.host = formatEndpoint(to);
    this.onMove?.(to);
  }

  /** The host in our own network; undefined where the URL's own address answers, or nobody does. */
  async #hostBehind(
    url: URL,
    answer: Promise<Response>,
    signal: AbortSignal | undefined,
  ): Promise<Endpoint | undefined> {
    const answered = answer.then(
      () => true,
      () => false,
    );
    if (!mayBePublic(url)) return undefined;
    const over = new AbortController();
    try {
      if ((await Promise.race([answered, sleep(PATIENCE_MS, over.signal)])) === true) return undefined;
      if (signal?.aborted) return undefined;
      const found = this.#locate(url, over.signal);
      // What is there, and only slow, is waited for; who answers next door must not overtake it.
      const connected = (this.#options.connects ?? connects)(url, over.signal).then(() => undefined);
      const patience = sleep(PATIENCE_MS, over.signal);
      return await Promise.race([
        connected,
        answered.then((isThere) => (isThere ? undefined : found)),
        patience.then(() => found).then((host) => host ?? answered.then(() => undefined)),
      ]);
    } finally {
      over.abort();
    }
  }

  async #locate(url: URL, signal: AbortSignal): Promise<Endpoint | undefined> {
    try {
      const { address } = await lookup(url.hostname, { family: 4 });
      if (addressScope(address) !== "public") return undefined;
      const { announcePort, network } = this.#options;
      return await locateLan({ address, port: portOf(url) }, { signal, announcePort, network });
    } catch {
      return undefined; // a name that nobody knows
    }
  }
}

/** IPv6 knows no such trouble: inside and outside are one address. */
function mayBePublic({ protocol, hostname }: URL): boolean {
  if (protocol !== "http:" || hostname.startsWith("[")) return false;
  return addressFamily(hostname) === 0 || addressScope(hostname) === "public";
}

const portOf = ({ port }: URL): number => Number(port || 80);

function connects(url: URL, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: url.hostname, port: portOf(url) });
    socket.once("connect", resolve);
    socket.on("error", () => undefined);
    signal.addEventListener("abort", () => socket.destroy(), { once: true });
  });
}

function unanswered(url: URL, error: unknown): unknown {
  // fetch's own error for a network that failed, behind which the reason stands.
  if (!(error instanceof TypeError) || !(error.cause instanceof Error)) return error;
  const { code, message } = error.cause as NodeJS.ErrnoException;
  const dates = certificateDates(error);
  const sentence =
    dates === undefined
      ? `The host does not answer: ${url.origin} (${code ?? message}).${unreachableAdvice(code)}`
      : `The host ${url.origin}: ${dates}.`;
  return new TypeError(sentence, { cause: error.cause });
}
