import type * as NodeHttp from "node:http";
import { traceOf } from "../../../net/trace.ts";
import { UpnpError } from "./errors.ts";
import { decodeAction, encodeAction, type SoapArguments } from "./soap.ts";
import { MAX_DOCUMENT, type XmlElement } from "./xml.ts";

const trace = traceOf("gateway");

/** Header bytes that are read from a router. */
const MAX_HEADERS = 16 * 1024;

export interface HttpRequest {
  method: "GET" | "POST" | "SUBSCRIBE" | "UNSUBSCRIBE";
  url: URL;
  /** Where the connection goes, not the URL's host: the device that answered the search. */
  address: string;
  /** The address of ours that the connection starts from. */
  localAddress: string;
  /** Milliseconds for everything: connecting, headers, body. */
  timeoutMs: number;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

/** Asks a router: one time limit for everything, no redirects, nothing larger than {@link MAX_DOCUMENT}. */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>;

/**
 * Asks with Node's client and its lenient parser: old routers end header lines with LF alone. A lenient parser may be tricked
 * into mixing up two messages of one connection; here each message has its own connection.
 */
export const httpRequest: HttpClient = async (request) => {
  const limit = AbortSignal.timeout(request.timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit;
  try {
    return await exchange(request, signal);
  } catch (error) {
    throw toUpnpError(error, limit, request);
  }
};

/**
 * Node's HTTP, loaded when a router is first asked. An `import` would evaluate everything that it exports, also WebSocket and
 * fetch, and take ten times as long (35 ms where nothing else has loaded it).
 */
export function nodeHttp(): typeof NodeHttp {
  return process.getBuiltinModule("node:http");
}

/** One request and its answer. A body that ends early is returned as far as it came. */
function exchange(
  { method, url, address, localAddress, headers, body }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const request = nodeHttp().request({
      // GENA's methods are HTTP methods too (UPnP Device Architecture 2.0 section 4.1).
      method,
      host: address,
      port: url.port || 80,
      path: url.pathname + url.search,
      localAddress,
      headers: {
        Host: url.host,
        Connection: "close",
        ...headers,
        ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }),
      },
      insecureHTTPParser: true,
      maxHeaderSize: MAX_HEADERS,
      agent: false,
      signal,
    });
    request.on("error", reject);
    const onClose = (): void => reject(new UpnpError("http", "the router's answer is no HTTP"));
    // Ends without an answer and without an error: a switch to another protocol that nobody asked for.
    request.on("close", onClose);
    request.on("response", (response) => {
      request.off("close", onClose);
      const chunks: Buffer[] = [];
      let size = 0;
      const done = (): void => {
        resolve({ status: response.statusCode ?? 0, headers: flatten(response.headers), body: Buffer.concat(chunks) });
        request.destroy();
      };
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_DOCUMENT) request.destroy(new UpnpError("http", "the router's answer is too long"));
        else chunks.push(chunk);
      });
      response.on("end", done);
      response.on("error", (error) => {
        if (signal.aborted || size > MAX_DOCUMENT || size === 0) reject(error);
        else done();
      });
    });
    request.end(body);
  });
}

function flatten(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? (value[0] ?? "") : value;
  }
  return flat;
}

function toUpnpError(error: unknown, limit: AbortSignal, request: HttpRequest): unknown {
  if (error instanceof UpnpError || request.signal?.aborted) return error;
  if (limit.aborted) {
    return new UpnpError("socket", `the router did not answer within ${request.timeoutMs} ms`, { cause: error });
  }
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? "") : "";
  if (code === "HPE_HEADER_OVERFLOW") {
    return new UpnpError("http", "the router's answer is too long", { cause: error });
  }
  // The parser's codes: the bytes are wrong, not the network.
  if (code.startsWith("HPE_")) return new UpnpError("http", "the router's answer is no HTTP", { cause: error });
  return new UpnpError("socket", `the router cannot be reached${code ? ` (${code})` : ""}`, { cause: error });
}

/** What it takes to ask one service of one device. */
export interface SoapTarget {
  readonly serviceType: string;
  readonly controlUrl: URL;
  /** The device. */
  readonly address: string;
  /** Ours towards it. */
  readonly localAddress: string;
}

/** Milliseconds that an action may take: some routers rewrite their firewall before they answer. */
const ACTION_TIMEOUT_MS = 5000;

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Default 5000. */
  timeoutMs?: number;
}

/** One service of one device, asked by SOAP over HTTP. */
export abstract class SoapService {
  readonly target: SoapTarget;
  readonly #http: HttpClient;

  constructor(target: SoapTarget, http: HttpClient) {
    this.target = target;
    this.#http = http;
  }

  /** Asks one action and gives its output arguments. @throws {UpnpError} */
  protected async call(
    action: string,
    input: SoapArguments,
    { signal, timeoutMs = ACTION_TIMEOUT_MS }: CallOptions = {},
  ): Promise<XmlElement> {
    const begun = performance.now();
    try {
      const answer = await this.#call(action, input, signal, timeoutMs);
      if (trace.on) this.#trace(action, input, begun);
      return answer;
    } catch (error) {
      if (trace.on) this.#trace(action, input, begun, error);
      throw error;
    }
  }

  async #call(
    action: string,
    input: SoapArguments,
    signal: AbortSignal | undefined,
    timeoutMs: number,
  ): Promise<XmlElement> {
    const { serviceType, controlUrl, address, localAddress } = this.target;
    const response = await this.#http({
      method: "POST",
      url: controlUrl,
      address,
      localAddress,
      timeoutMs,
      signal,
      // Some routers compare header names with their case.
      headers: {
        "Content-Type": 'text/xml; charset="utf-8"',
        SOAPAction: `"${serviceType}#${action}"`,
        Connection: "close",
      },
      body: encodeAction(serviceType, action, input),
    });
    return decodeAction(serviceType, action, response.status, response.body);
  }

  #trace(action: string, input: SoapArguments, begun: number, error?: unknown): void {
    const argument = (name: string): string | number | undefined => input.find(([each]) => each === name)?.[1];
    const { kind, code } = error instanceof UpnpError ? error : { kind: undefined, code: undefined };
    trace.event("soap", {
      action,
      url: this.target.controlUrl,
      transport: argument("NewProtocol"),
      externalPort: argument("NewExternalPort"),
      outcome: error === undefined ? "ok" : (kind ?? "aborted"),
      code,
      reason: error instanceof Error ? error.message : undefined,
      ms: performance.now() - begun,
    });
  }
}
