import type { Clock } from "../clock.ts";
import { whyNotPublic } from "../address.ts";
import type { DiscoveryEvents } from "../discovery.ts";
import type { LocalInterface } from "../interfaces.ts";
import { connectionServices, type DeviceDescription, parseDescription } from "./description.ts";
import { UpnpError } from "./errors.ts";
import { UpnpGateway } from "./gateway.ts";
import { type HttpClient, pinUrl } from "./http.ts";
import { WanConnection } from "./igd.ts";
import { Search, type SearchReply } from "./search.ts";
import { mayBeGateway } from "./ssdp.ts";

/** Descriptions fetched in one search: a flood of answers is no reason for a flood of requests. */
const MAX_DESCRIPTIONS = 16;
/** Milliseconds for a description, and for the questions that follow. */
const DESCRIPTION_TIMEOUT = 2500;
/** After this time without an answer there is no UPnP gateway here. */
const VERDICT = 850;

export interface UpnpDiscoveryOptions {
  interfaces: readonly LocalInterface[];
  clock: Clock;
  http: HttpClient;
  /** SSDP's port, default 1900. */
  port?: number | undefined;
}

/** Reads the root description behind an answer; everything is asked of the responder alone. @throws {UpnpError} */
export async function fetchDescription(
  http: HttpClient,
  { location, responder, localAddress }: { location: string; responder: string; localAddress: string },
  signal?: AbortSignal,
  timeoutMs: number = DESCRIPTION_TIMEOUT,
): Promise<DeviceDescription> {
  const url = pinUrl(location, responder);
  const response = await http({ method: "GET", url, address: responder, localAddress, timeoutMs, signal, headers: { Connection: "close" } });
  if (response.status !== 200) throw new UpnpError("http", `the router answers HTTP ${response.status} for its description`, { code: response.status });
  return parseDescription(response.body, url, responder);
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
    options.clock.after(VERDICT, () => {
      this.#verdictDue = true;
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
      key = `${responder} ${pinUrl(message.location, responder).href}`;
    } catch (error) {
      if (error instanceof UpnpError) this.#failure ??= error.message;
      return;
    }
    if (this.#seen.has(key) || this.#seen.size >= MAX_DESCRIPTIONS) return;
    this.#seen.add(key);
    this.#inFlight++;
    try {
      await this.#describe(message.location, responder, through);
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

  async #describe(location: string, responder: string, through: LocalInterface): Promise<void> {
    const { http, clock } = this.#options;
    const { signal } = this.#abort;
    const localAddress = through.address;
    const device = await fetchDescription(http, { location, responder, localAddress }, signal);
    const services = connectionServices(device);
    if (services.length === 0) {
      if (/InternetGatewayDevice/.test(device.deviceType)) {
        throw new UpnpError("response", `${device.name} calls itself a gateway, but offers no service that maps ports`);
      }
      return;
    }
    // The root may be found under several addresses or versions: one gateway per device and way to it.
    const identity = `${device.udn || responder} ${responder} ${localAddress}`;
    if (this.#known.has(identity)) return;
    this.#known.add(identity);
    const connections = services.map(
      ({ serviceType, controlUrl }) => new WanConnection({ serviceType, controlUrl, address: responder, localAddress }, http),
    );
    const asked = await Promise.all(connections.map((each) => this.#ask(each)));
    if (signal.aborted) return;
    const answering = asked.filter((each) => each !== undefined);
    // Connected and public before connected before any; the order of the services decides among equals.
    const rank = ({ connected, externalAddress }: Asked): number =>
      (connected ? 2 : 0) + (whyNotPublic(externalAddress) === undefined ? 1 : 0);
    const best = answering.sort((a, b) => rank(b) - rank(a))[0];
    if (!best) throw new UpnpError("response", `${device.name} does not answer for its connection`);
    this.#found++;
    const { connection, externalAddress, uptimeSeconds } = best;
    this.#events.onGateway(new UpnpGateway(connection, { name: device.name, address: responder, externalAddress, uptimeSeconds, clock }));
  }

  async #ask(connection: WanConnection): Promise<Asked | undefined> {
    const options = { signal: this.#abort.signal, timeoutMs: DESCRIPTION_TIMEOUT };
    const [status, externalAddress] = await Promise.all([
      connection.getStatusInfo(options).catch(() => undefined),
      connection.getExternalIpAddress(options).catch(() => undefined),
    ]);
    if (status === undefined && externalAddress === undefined) return undefined;
    return {
      connection,
      // A router that does not tell its state may well be connected.
      connected: status?.connected ?? externalAddress !== undefined,
      externalAddress: externalAddress ?? "",
      uptimeSeconds: status?.uptimeSeconds ?? 0,
    };
  }

  #settleIfDone(): void {
    if (this.#inFlight === 0 && this.#verdictDue) this.#settle();
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
    this.#search[Symbol.dispose]();
    this.#settle();
  }
}

interface Asked {
  connection: WanConnection;
  connected: boolean;
  externalAddress: string;
  uptimeSeconds: number;
}
