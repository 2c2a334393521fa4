import type { Clock } from "../../net/clock.ts";
import { isOnLink } from "../../net/subnet.ts";
import { sleep } from "../../net/wait.ts";
import type { DiscoveryEvents } from "../discovery.ts";
import type { LocalInterface } from "../interfaces.ts";
import type { KnownRouter, KnownRouters } from "../journal/known-routers.ts";
import { UpnpError } from "./errors.ts";
import type { UpnpGateway } from "./gateway.ts";
import type * as Http from "./http.ts";
import type * as Inspect from "./inspect.ts";
import { pinUrl } from "./pin-url.ts";
import { Search, type SearchReply } from "./search.ts";
import { mayBeGateway } from "./ssdp.ts";

/** Descriptions fetched in one search: a flood of answers is no reason for a flood of requests. */
const MAX_DESCRIPTIONS = 16;
/** Routers met before that are asked without waiting for an answer to the search. */
const MAX_HINTS = 4;
/** A router that answers the search while it is being asked already is given so long before it is asked once more. */
export const PATIENCE = 150;
/** After this time without an answer there is no UPnP gateway here. */
const VERDICT = 850;
/** PCP and NAT-PMP answer by then, and mapping over them needs nothing of what is loaded for UPnP. */
const HEAD_START = 15;

/**
 * HTTP and XML, which take longer to load than PCP takes to map: they are loaded while routers think about their answers,
 * miniupnpd for 50 ms.
 */
async function loadInspection(): Promise<typeof Inspect & typeof Http> {
  const [inspect, http] = await Promise.all([import("./inspect.ts"), import("./http.ts")]);
  return { ...inspect, ...http };
}

/** Where a description is, as it is asked for. @throws {UpnpError} `address` */
function keyOf(location: string, responder: string): string {
  return `${responder} ${pinUrl(location, responder).href}`;
}

export interface UpnpDiscoveryOptions {
  interfaces: readonly LocalInterface[];
  clock: Clock;
  /** Protocols that may be quicker are asked at the same time. */
  hasCompany: boolean;
  /** Routers met before, which are asked at once. */
  knownRouters?: KnownRouters | undefined;
  /** SSDP's port, default 1900. */
  port?: number | undefined;
}

/** Finds UPnP gateways and gives each one on as soon as it has shown that it is one. */
export class UpnpDiscovery implements Disposable {
  readonly settled: Promise<void>;
  readonly #options: UpnpDiscoveryOptions;
  readonly #events: DiscoveryEvents;
  readonly #search: Search;
  readonly #abort = new AbortController();
  readonly #seen = new Set<string>();
  readonly #known = new Set<string>();
  /** Routers met before that are being asked, by where their description is. */
  readonly #revisits = new Map<string, Promise<UpnpGateway | undefined>>();
  readonly #met: KnownRouter[] = [];
  #inspection: ReturnType<typeof loadInspection> | undefined;
  #inFlight = 0;
  #found = 0;
  #failure: string | undefined;
  #verdictDue = false;
  #settle: () => void = () => undefined;

  constructor(options: UpnpDiscoveryOptions, events: DiscoveryEvents) {
    this.#options = options;
    this.#events = events;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.settled = promise;
    this.#settle = resolve;
    const errors: string[] = [];
    this.#search = new Search({
      interfaces: options.interfaces.filter(({ family }) => family === 4),
      clock: options.clock,
      ...(options.port === undefined ? {} : { port: options.port }),
      onReply: (reply) => void this.#follow(reply),
      onError: (through, error) => errors.push(`${through.name}: ${error.message}`),
    });
    options.clock.after(options.hasCompany ? HEAD_START : 0, () => {
      // Who needs it hears of a failure.
      this.#load().catch(() => undefined);
      this.#revisit();
    });
    options.clock.after(VERDICT, () => {
      this.#verdictDue = true;
      this.#remember();
      if (this.#found === 0 && this.#inFlight === 0 && !this.#abort.signal.aborted) {
        const asked = errors.length > 0 ? ` (${errors.join("; ")})` : "";
        this.#events.onFinding({
          step: "upnp",
          outcome: this.#failure === undefined ? "absent" : "failed",
          reason:
            this.#failure ??
            `no UPnP gateway answered${asked}: the router has none, or UPnP is switched off on its page, or a firewall on this computer blocks the answer`,
        });
      }
      this.#settleIfDone();
    });
  }

  async #follow({ message, responder, through }: SearchReply): Promise<void> {
    if (!mayBeGateway(message)) return;
    let key: string;
    try {
      key = keyOf(message.location, responder);
    } catch (error) {
      if (error instanceof UpnpError) this.#failure ??= error.message;
      return;
    }
    if (this.#seen.has(key) || this.#seen.size >= MAX_DESCRIPTIONS) return;
    this.#seen.add(key);
    this.#inFlight++;
    try {
      const revisit = this.#revisits.get(key);
      const gateway = revisit && (await Promise.race([revisit, sleep(PATIENCE, undefined, this.#options.clock)]));
      if (gateway) return gateway.noteBootId(message.bootId);
      await this.#describe({
        location: message.location,
        responder,
        localAddress: through.address,
        bootId: message.bootId,
      });
    } catch (error) {
      // A printer or a television is no failure of the gateway's.
      if (error instanceof UpnpError && !this.#abort.signal.aborted && /InternetGateway|WAN/.test(message.target)) {
        this.#failure = `${responder} answered the search, but: ${error.message}`;
        if (this.#verdictDue) this.#events.onFinding({ step: "upnp", outcome: "failed", reason: this.#failure });
      }
    } finally {
      this.#inFlight--;
      this.#settleIfDone();
    }
  }

  async #describe(where: Inspect.Whereabouts): Promise<UpnpGateway | undefined> {
    const { clock, interfaces } = this.#options;
    const { signal } = this.#abort;
    const { httpRequest, inspectGateway, pinholeGateways } = await this.#load();
    const found = await inspectGateway(httpRequest, where, clock, signal);
    if (found === undefined || signal.aborted) return undefined;
    // The root may be found under several addresses or versions: one gateway per device and way to it.
    const identity = `${found.udn || where.responder} ${where.responder} ${where.localAddress}`;
    if (this.#known.has(identity)) return undefined;
    this.#known.add(identity);
    this.#found++;
    const { location, responder: address } = where;
    this.#events.onGateway(found.gateway);
    const through = interfaces.find((each) => each.address === where.localAddress);
    this.#met.push({ interfaceName: through?.name ?? "", address, location });
    const own6 = interfaces.filter(({ name, family }) => family === 6 && name === through?.name);
    for (const gateway of pinholeGateways(httpRequest, found.device, own6, clock)) this.#events.onGateway(gateway);
    return found.gateway;
  }

  /**
   * Asks routers met before. Nothing hangs on it: it decides no verdict and holds none up, and what is not a gateway there any
   * more is passed over in silence.
   */
  #revisit(): void {
    const { interfaces, knownRouters } = this.#options;
    if (this.#abort.signal.aborted) return;
    const hints = (knownRouters?.all() ?? []).flatMap(({ interfaceName, address, location }) => {
      const through = interfaces.find(
        (each) => each.name === interfaceName && isOnLink(address, each.address, each.prefixLength),
      );
      return through ? [{ location, responder: address, localAddress: through.address }] : [];
    });
    for (const hint of hints.slice(0, MAX_HINTS)) {
      const key = keyOf(hint.location, hint.responder);
      // Quicker than we are: it has answered the search, and is being asked.
      if (this.#seen.has(key)) continue;
      this.#revisits.set(
        key,
        this.#describe(hint).catch(() => undefined),
      );
    }
  }

  /** For the next start. */
  #remember(): void {
    for (const router of this.#met.splice(0)) this.#options.knownRouters?.remember(router);
  }

  #load(): ReturnType<typeof loadInspection> {
    this.#inspection ??= loadInspection();
    return this.#inspection;
  }

  #settleIfDone(): void {
    if (this.#inFlight === 0 && this.#verdictDue) this.#settle();
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
    this.#search[Symbol.dispose]();
    this.#remember();
    this.#settle();
  }
}
