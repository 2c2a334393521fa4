import type { Clock } from "../../net/clock.ts";
import { whyForbidden } from "../../net/firewall.ts";
import { messageOf } from "../../net/message-of.ts";
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
import { mayBeGateway, namesGateway } from "../upnp/ssdp.ts";
import { type SearchReply, SsdpSearch } from "../upnp/ssdp-search.ts";
import { DescriptionBudget } from "./description-budget.ts";
import { rankOf } from "./rank.ts";

const trace = traceOf("gateway");
/** Everybody on the network may answer, as often as they like. */
const limiter = new TraceLimiter();

/** Descriptions of devices that do not call themselves gateways are fetched by so many at a time. */
const MAX_AT_ONCE = 8;
/** A device that does not call itself a gateway holds up the verdict for so long, one that does for as long as it may take. */
const OTHERS_MS = 1000;
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
  const [inspect, http, { warmUp }] = await Promise.all([
    import("../upnp/inspect.ts"),
    import("../upnp/service/http.ts"),
    import("../upnp/warm-up.ts"),
  ]);
  warmUp();
  return { ...inspect, ...http };
}

/** Identifies a description by where it is asked for. @throws {UpnpError} `address` */
function keyOf(location: string, responder: string): string {
  return `${responder} ${pinUrl(location, responder).href}`;
}

export interface UpnpDiscoveryOptions {
  interfaces: readonly LocalInterface[];
  clock: Clock;
  /** Milliseconds that a router may take for one answer. */
  stepTimeoutMs: number;
  /** Only the gateways of the interfaces are asked. */
  onlyDefault: boolean;
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
  readonly #budget = new DescriptionBudget();
  /** Waiting for one of {@link MAX_AT_ONCE} to end. */
  readonly #queue: (() => Promise<void>)[] = [];
  readonly #known = new Set<string>();
  /** Routers met before that are being asked, by {@link keyOf}. */
  readonly #revisits = new Map<string, Promise<UpnpGateway[] | undefined>>();
  readonly #met: KnownRouter[] = [];
  readonly #errors: string[] = [];
  /** Our own system lets nothing out. */
  #forbidden: string | undefined;
  #inspection: ReturnType<typeof loadInspection> | undefined;
  /** Descriptions being fetched: of devices that call themselves gateways, and of others. */
  readonly #inFlight = { named: 0, others: 0 };
  #found = 0;
  #failure: string | undefined;
  #verdict: "early" | "due" | "overdue" | "given" = "early";
  #settle: () => void = () => undefined;

  constructor(options: UpnpDiscoveryOptions, events: SearchEvents) {
    this.#options = options;
    this.#events = events;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.settled = promise;
    this.#settle = resolve;
    this.#search = new SsdpSearch({
      interfaces: options.interfaces.filter(({ family }) => family === 4),
      clock: options.clock,
      ...(options.port === undefined ? {} : { port: options.port }),
      onReply: (reply) => this.#onReply(reply),
      onError: (through, error) => {
        if (trace.on) trace.event("interface-failed", { name: through.name, reason: error.message });
        this.#errors.push(`${through.name}: ${error.message}`);
      },
      onUnsent: (code) => (this.#forbidden ??= whyForbidden(code)),
    });
    options.clock.after(options.hasCompany ? HEAD_START_MS : 0, () => {
      // The caller that needs it gets the error.
      this.#load().catch(() => undefined);
      this.#revisit();
    });
    options.clock.after(NO_ANSWER_MS, () => {
      this.#verdict = "due";
      this.#remember();
      this.#settleIfDone();
    });
    options.clock.after(NO_ANSWER_MS + OTHERS_MS, () => {
      if (this.#verdict === "due") this.#verdict = "overdue";
      this.#settleIfDone();
    });
  }

  #onReply({ message, responder, through }: SearchReply): void {
    if (trace.on) traceReply(message, responder, through);
    const isDefault = responder === through.gateway;
    if (!mayBeGateway(message) || (this.#options.onlyDefault && !isDefault)) return;
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
    const isNamed = namesGateway(message);
    if (this.#seen.has(key) || !this.#budget.take({ responder, isDefault, isNamed })) return;
    this.#seen.add(key);
    const where = { location: message.location, responder, localAddress: through.address, bootId: message.bootId };
    if (isDefault || isNamed) {
      this.#inFlight.named++;
      void this.#follow(key, where, isNamed)
        .finally(() => this.#inFlight.named--)
        .then(() => this.#settleIfDone());
      return;
    }
    this.#queue.push(() => this.#follow(key, where, false));
    this.#followOthers();
  }

  #followOthers(): void {
    while (this.#inFlight.others < MAX_AT_ONCE && !this.#abort.signal.aborted) {
      const follow = this.#queue.shift();
      if (follow === undefined) break;
      this.#inFlight.others++;
      void follow().finally(() => {
        this.#inFlight.others--;
        this.#followOthers();
        this.#settleIfDone();
      });
    }
  }

  /** Never rejects. */
  async #follow(key: string, where: Inspect.Whereabouts, isNamed: boolean): Promise<void> {
    try {
      const revisit = this.#revisits.get(key);
      const gateways =
        revisit && (await Promise.race([revisit, sleep(REVISIT_TIMEOUT_MS, undefined, this.#options.clock)]));
      if (gateways) for (const gateway of gateways) gateway.noteBootId(where.bootId);
      else await this.#describe(where);
    } catch (error) {
      if (trace.on) traceUnused(where.responder, messageOf(error));
      // Printers and televisions answer too: only what calls itself a gateway can fail as one.
      if (!(error instanceof UpnpError) || this.#abort.signal.aborted || !isNamed) return;
      this.#failure = `${where.responder} answered the search, but: ${error.message}`;
      if (this.#verdict === "given") this.#tell();
    }
  }

  async #describe(where: Inspect.Whereabouts): Promise<UpnpGateway[] | undefined> {
    const { clock, interfaces, stepTimeoutMs } = this.#options;
    const { signal } = this.#abort;
    const { httpClient, inspectGateway, pinholeGateways } = await this.#load();
    const http = httpClient(stepTimeoutMs);
    const through = interfaces.find((each) => each.address === where.localAddress);
    const rank = through === undefined ? 0 : rankOf(where.responder, through, interfaces);
    const found = await inspectGateway(http, where, clock, signal, rank);
    if (found === undefined && trace.on) traceUnused(where.responder, "it offers no service that maps ports");
    if (found === undefined || signal.aborted) return undefined;
    // A root device may be found under several URLs or versions: one gateway per device and way to it.
    const identity = `${found.udn || where.responder} ${where.responder} ${where.localAddress}`;
    if (this.#known.has(identity)) return undefined;
    this.#known.add(identity);
    this.#found++;
    const { location, responder: address } = where;
    for (const gateway of found.gateways) this.#events.onGateway(gateway);
    this.#met.push({ interfaceName: through?.name ?? "", address, location });
    const own6 = interfaces.filter(({ name, family }) => family === 6 && name === through?.name);
    for (const gateway of pinholeGateways(http, found.device, own6, clock)) this.#events.onGateway(gateway);
    return found.gateways;
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
      if (through === undefined || (this.#options.onlyDefault && through.gateway !== address)) return [];
      return [{ location, responder: address, localAddress: through.address }];
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
    const { named, others } = this.#inFlight;
    if (named > 0 || this.#verdict === "early" || this.#verdict === "given") return;
    if (this.#verdict === "due" && others > 0) return;
    this.#verdict = "given";
    if (this.#found === 0 && !this.#abort.signal.aborted) this.#tell();
    this.#settle();
  }

  /** Why there is no gateway. */
  #tell(): void {
    const asked = this.#errors.length > 0 ? ` (${this.#errors.join("; ")})` : "";
    this.#events.onFinding({
      step: "upnp",
      outcome: (this.#failure ?? this.#forbidden) === undefined ? "absent" : "failed",
      reason:
        this.#failure ??
        this.#forbidden ??
        `no UPnP gateway answered${asked}: the router has none, or UPnP is switched off on its page, or a firewall on this computer blocks the answer`,
    });
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
