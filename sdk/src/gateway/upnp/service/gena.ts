import { randomBytes } from "node:crypto";
import type * as NodeHttp from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { withoutZone } from "../../../net/address.ts";
import type { Clock } from "../../../net/clock.ts";
import { normalizeAddress } from "../../../net/endpoint.ts";
import { type HttpClient } from "./http.ts";
import { children, parseXml, text } from "./xml.ts";

/** Longest event that is read, in bytes: real ones have less than 1 KiB. */
const MAX_EVENT = 16 * 1024;
/** Asked for (UPnP Device Architecture 2.0 section 4.1.2). */
const LEASE_SECONDS = 1800;
const SUBSCRIBE_TIMEOUT_MS = 2500;
/** Shorter: it must not hold up an exit. */
const UNSUBSCRIBE_TIMEOUT_MS = 1000;
/** Between a renewal that was refused and a new subscription. */
const RESUBSCRIBE_MS = 1000;
/** Before a subscription that failed is tried again. */
const RETRY_MS = 60_000;

export interface SubscriptionOptions {
  http: HttpClient;
  clock: Clock;
  eventUrl: URL;
  /** The router: events from other addresses are refused. */
  address: string;
  /** Ours, and the only one that takes events. */
  localAddress: string;
  onEvent: (variables: ReadonlyMap<string, string>) => void;
}

/**
 * Node's HTTP, loaded for the first subscription. An `import` would evaluate everything that it exports, also WebSocket and
 * fetch, and take ten times as long (35 ms where nothing else has loaded it).
 */
function nodeHttp(): typeof NodeHttp {
  return process.getBuiltinModule("node:http");
}

/**
 * A subscription to a service's events (UPnP Device Architecture 2.0 section 4). The callback listens only on the LAN address,
 * under a path that nobody can guess, and takes only events that come from the router and carry the subscription's SID:
 * no other device can use it.
 */
export class Subscription implements AsyncDisposable {
  readonly #options: SubscriptionOptions;
  readonly #starting: NodeJS.Immediate;
  #server: Server | undefined;
  readonly #path: string = `/${randomBytes(12).toString("hex")}`;
  readonly #abort = new AbortController();
  #sid = "";
  #cancel: () => void = () => undefined;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    // The caller has a mapping to report first: what is loaded here takes longer than the router took for it.
    this.#starting = setImmediate(() => this.#listen());
  }

  #listen(): void {
    const server = nodeHttp().createServer(
      {
        maxHeaderSize: 4096,
        requestTimeout: 5000,
        headersTimeout: 3000,
        connectionsCheckingInterval: 1000,
        keepAliveTimeout: 1,
      },
      (request, response) => this.#receive(request, response),
    );
    server.maxConnections = 8;
    server.on("error", () => undefined);
    server.listen({ host: this.#options.localAddress, port: 0 }, () => void this.#subscribe());
    server.unref();
    this.#server = server;
  }

  async #subscribe(): Promise<void> {
    const { http, eventUrl, address, localAddress, clock } = this.#options;
    const { port } = (this.#server?.address() as AddressInfo | null) ?? { port: 0 };
    const renewing = this.#sid !== "";
    const host = localAddress.includes(":") ? `[${localAddress}]` : localAddress;
    const headers: Record<string, string> = renewing
      ? { SID: this.#sid, TIMEOUT: `Second-${LEASE_SECONDS}` }
      : { CALLBACK: `<http://${host}:${port}${this.#path}>`, NT: "upnp:event", TIMEOUT: `Second-${LEASE_SECONDS}` };
    let nextMs = RETRY_MS;
    try {
      const answer = await http({
        method: "SUBSCRIBE",
        url: eventUrl,
        address,
        localAddress,
        timeoutMs: SUBSCRIBE_TIMEOUT_MS,
        signal: this.#abort.signal,
        headers,
      });
      const sid = answer.headers["sid"] ?? "";
      if (answer.status === 200 && sid !== "") {
        this.#sid = sid.slice(0, 256);
        const granted = Number(/^Second-(\d{1,7})$/i.exec(answer.headers["timeout"] ?? "")?.[1] ?? LEASE_SECONDS);
        nextMs = Math.max(10, granted / 2) * 1000;
      } else {
        // A renewal that is refused: subscribe again (section 4.1.3).
        this.#sid = "";
        if (renewing) nextMs = RESUBSCRIBE_MS;
      }
    } catch {
      this.#sid = "";
    }
    if (!this.#abort.signal.aborted) this.#cancel = clock.after(nextMs, () => void this.#subscribe());
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const refuse = (status: number): void => {
      response.writeHead(status, { connection: "close" }).end();
      request.destroy();
    };
    if (normalizeAddress(request.socket.remoteAddress ?? "") !== withoutZone(this.#options.address)) return refuse(403);
    if (request.method !== "NOTIFY" || request.url !== this.#path) return refuse(404);
    const { sid } = request.headers;
    // The first event may overtake the answer to SUBSCRIBE, and then carries a SID that is not known yet.
    if (typeof sid !== "string" || (this.#sid !== "" && sid !== this.#sid)) return refuse(412);
    const chunks: Buffer[] = [];
    let size = 0;
    request.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_EVENT) refuse(413);
      else chunks.push(chunk);
    });
    request.on("error", () => undefined);
    request.on("end", () => {
      if (size > MAX_EVENT) return;
      response.writeHead(200, { connection: "close" }).end();
      const variables = readEvent(Buffer.concat(chunks));
      if (variables.size > 0 && !this.#abort.signal.aborted) this.#options.onEvent(variables);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#abort.signal.aborted) return;
    this.#abort.abort();
    this.#cancel();
    clearImmediate(this.#starting);
    this.#server?.close();
    this.#server?.closeAllConnections();
    if (this.#sid === "") return;
    const { http, eventUrl, address, localAddress } = this.#options;
    await http({
      method: "UNSUBSCRIBE",
      url: eventUrl,
      address,
      localAddress,
      timeoutMs: UNSUBSCRIBE_TIMEOUT_MS,
      headers: { SID: this.#sid },
    }).catch(() => undefined);
  }
}

/** The variables of an event (section 4.3.2). */
export function readEvent(bytes: Uint8Array): Map<string, string> {
  const variables = new Map<string, string>();
  const root = parseXml(bytes);
  for (const property of children(children(root, "propertyset")[0], "property").slice(0, 32)) {
    for (const name of Object.keys(property).slice(0, 8)) {
      const value = text(property, name);
      if (value !== undefined) variables.set(name, value.slice(0, 256));
    }
  }
  return variables;
}
