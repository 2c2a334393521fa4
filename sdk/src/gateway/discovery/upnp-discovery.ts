import type { Clock } from "../../net/clock.ts";
import { isOnLink } from "../../net/subnet.ts";
import { traceOf } from "../../net/trace.ts";
import { TraceLimiter } from "../../net/trace-limiter.ts";
import { sleep } from "../../net/wait.ts";
import { NO_ANSWER_MS, type SearchEvents } from "../gateway.ts";
import type { LocalInterface } from "../interfaces.ts";
import type { KnownRouter, KnownRouters } from "../journal/known-routers.ts";
import type { UpnpGateway } from "../upnp/driver.ts";
import type * as Inspect from "../upnp/inspect.ts";
import { UpnpError } from "../upnp/service/errors.ts";
import type * as Http from "../upnp/service/http.ts";
import { pinUrl } from "../upnp/service/pin-url.ts";
import { mayBeGateway } from "../upnp/ssdp.ts";
import { type SearchReply, SsdpSearch } from "../upnp/ssdp-search.ts";

const trace = traceOf("gateway");
/** Everybody on the network may answer, as often as they like. */
const limiter = new TraceLimiter();

/** Descriptions fetched in one search: a flood of answers must not cause a flood of requests. */
const MAX_DESCRIPTIONS = 16;
/** Routers met before that are asked without waiting for an answer to the search. */
const MAX_HINTS = 4;
/** A router met before that answers the search while it is revisited has this long before it is asked once more. */
export const REVISIT_TIMEOUT_MS = 150;
/** PCP and NAT-PMP answer by then, and need nothing of what is loaded for UPnP. */
const HEAD_START_MS = 15;

/**
 * Loads HTTP and XML, which takes longer than PCP takes to map. It happens while routers delay their answers, miniupnpd by
 * 50 ms.
 */
async function loadInspection(): Promise<typeof Inspect & typeof Http> {
  const [inspect, http] = await Promise.all([import("../upnp/inspect.ts"), import("../upnp/service/http.ts")]);
  return { ...inspect, ...http };
}

/** Identifies a description by where it is asked for. @throws {UpnpError} `address` */
function keyOf(location: string, responder: string): string {
  return `${responder} ${pinUrl(location, responder).href}`;
}

export interface UpnpDiscoveryOptions {
  interfaces: readonly LocalInterface[];
  clock: Clock;
  /** Other, quicker protocols are asked at the same time. */
  hasCompany: boolean;
  /** Routers met before are asked at once. */
  knownRouters?: KnownRouters | undefined;
  /** SSDP's port, default 1900. */
  port?: number | undefined;
}

/** Finds UPnP gateways and passes each one on as soon as it has shown that it is one. */
export class UpnpDiscovery implements Disposable {
  readonly settled: Promise<void>;
  readonly #options: UpnpDiscoveryOptions;
  readonly #events: SearchEvents;
  readonly #search: SsdpSearch;
  readonly #abort = new AbortController();
  readonly #seen = new Set<string>();
  readonly #known = new Set<string>();
  /** Routers met before that are being asked, by {@link keyOf}. */
  readonly #revisits = new Map<string, Promise<UpnpGateway | undefined>>();
  readonly #met: KnownRouter[] = [];
  #inspection: ReturnType<typeof loadInspection> | undefined;
  #inFlight = 0;
  #found = 0;
  #failure: string | undefined;
  #verdictDue = false;
  #settle: () => void = () => undefined;

  constructor(options: UpnpDiscoveryOptions, events: SearchEvents) {
    this.#options = options;
    this.#events = events;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.settled = promise;
    this.#settle = resolve;
    const errors: string[] = [];
    this.#search = new SsdpSearch({
      interfaces: options.interfaces.filter(({ family }) => family === 4),
      clock: options.clock,
      ...(options.port === undefined ? {} : { port: options.port }),
      onReply: (reply) => void this.#onReply(reply),
      onError: (through, error) => {
        if (trace.on) trace.event("interface-failed", { name: through.name, reason: error.message });
        errors.push(`${through.name}: ${error.message}`);
      },
    });
    options.clock.after(options.hasCompany ? HEAD_START_MS : 0, () => {
      // The caller that needs it gets the error.
      this.#load().catch(() => undefined);
      this.#revisit();
    });
    options.clock.after(NO_ANSWER_MS, () => {
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

  async #onReply({ message, responder, through }: SearchReply): Promise<void> {
    if (trace.on) traceReply(message, responder, through);
    if (!mayBeGateway(message)) return;
    let key: string;
    try {
      key = keyOf(message.location, responder);
    } catch (error) {
      if (error instanceof UpnpError) {
        this.#failure ??= error.message;
        if (trace.on) traceUnused(responder, error.message);
      }
      return;
    }
    if (this.#seen.has(key) || this.#seen.size >= MAX_DESCRIPTIONS) return;
    this.#seen.add(key);
    this.#inFlight++;
    try {
      const revisit = this.#revisits.get(key);
      const gateway =
        revisit && (await Promise.race([revisit, sleep(REVISIT_TIMEOUT_MS, undefined, this.#options.clock)]));
      if (gateway) return gateway.noteBootId(message.bootId);
      await this.#describe({
        location: message.location,
        responder,
        localAddress: through.address,
        bootId: message.bootId,
      });
    } catch (error) {
      if (trace.on) traceUnused(responder, error instanceof Error ? error.message : String(error));
      // Printers and televisions answer too: only what calls itself a gateway can fail as one.
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
    if (found === undefined && trace.on) traceUnused(where.responder, "it offers no service that maps ports");
    if (found === undefined || signal.aborted) return undefined;
    // A root device may be found under several URLs or versions: one gateway per device and way to it.
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
   * Asks routers met before. Nothing depends on it: it neither makes nor delays the verdict, and a router that is gone is
   * ignored.
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
      // It has answered the search already, and is being asked.
      if (this.#seen.has(key)) continue;
      this.#revisits.set(
        key,
        this.#describe(hint).catch(() => undefined),
      );
    }
  }

  /** Writes the gateways found to disk, for the next start. */
  #remember(): void {
    for (const router of this.#met.splice(0)) this.#options.knownRouters?.remember(router);
  }

  #load(): ReturnType<typeof loadInspection> {
    this.#inspection ??= loadInspection().catch((error: unknown) => {
      // The files could not be opened just now.
      this.#inspection = undefined;
      throw error;
    });
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

function traceReply(message: SearchReply["message"], from: string, { name }: LocalInterface): void {
  const count = limiter.take("answer", performance.now());
  if (count === 0) return;
  const target = message.kind === "response" ? message.target : undefined;
  trace.event("search-answer", { from, target, interface: name, mayBeGateway: mayBeGateway(message), count });
}

function traceUnused(address: string, reason: string): void {
  const count = limiter.take("unused", performance.now());
  if (count > 0) trace.event("device-unused", { address, reason, count });
}
