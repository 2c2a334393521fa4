import { request as plainRequest } from "node:http";
import { isIPv6 } from "node:net";
import { buildConnector, Client } from "undici";
import { UpnpError } from "./errors.ts";
import { MAX_DOCUMENT } from "./xml.ts";

/** Header bytes that are read from a router. */
const MAX_HEADERS = 16 * 1024;

export interface HttpRequest {
  method: "GET" | "POST" | "SUBSCRIBE" | "UNSUBSCRIBE";
  url: URL;
  /** Where the connection goes, whatever the URL says: the device that answered the search. */
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

/** A request on a router: one time limit over all, no redirect, nothing larger than {@link MAX_DOCUMENT}. */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>;

/**
 * `location` as asked of the device at `responder` and of nobody else: a description URL is taken from an
 * unauthenticated datagram, so only its port and path are believed, never its host. (Some routers name another of their
 * own addresses, or a host name that only they resolve: those work so too.)
 */
export function pinUrl(location: string, responder: string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(location, base);
  } catch {
    throw new UpnpError("address", `the router names no usable address: ${JSON.stringify(location.slice(0, 80))}`);
  }
  if (url.protocol !== "http:") {
    throw new UpnpError("address", `the router names an address of the scheme ${url.protocol}, only http: is asked`);
  }
  const bare = responder.split("%", 1)[0] ?? responder;
  return new URL(`http://${isIPv6(bare) ? `[${bare}]` : bare}:${url.port || "80"}${url.pathname}${url.search}`);
}

/** Asks with undici; what its strict parser refuses is asked again leniently, since old routers end header lines with LF. */
export const httpRequest: HttpClient = async (request) => {
  const limit = AbortSignal.timeout(request.timeoutMs);
  const signal = request.signal ? AbortSignal.any([request.signal, limit]) : limit;
  try {
    return await strictRequest(request, signal);
  } catch (error) {
    if (signal.aborted || !isMalformed(error)) throw toUpnpError(error, limit, request);
  }
  try {
    return await lenientRequest(request, signal);
  } catch (error) {
    throw toUpnpError(error, limit, request);
  }
};

async function strictRequest(
  { method, url, address, localAddress, headers, body, timeoutMs }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpResponse> {
  const connector = buildConnector({ timeout: timeoutMs, localAddress });
  const connect: ReturnType<typeof buildConnector> = (options, callback) =>
    connector({ ...options, hostname: address }, callback);
  const client = new Client(url.origin, {
    connect,
    pipelining: 0,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxHeaderSize: MAX_HEADERS,
    maxResponseSize: MAX_DOCUMENT,
  });
  try {
    const response = await client.request({
      // GENA's methods are HTTP methods too (UPnP Device Architecture 2.0 section 4.1).
      method,
      path: url.pathname + url.search,
      headers: headers ?? {},
      body: body ?? null,
      signal,
    });
    const bytes = new Uint8Array(await response.body.arrayBuffer());
    return { status: response.statusCode, headers: flatten(response.headers), body: bytes };
  } finally {
    await client.destroy();
  }
}

/** Node's own parser in its lenient mode; a body that ends early is given as far as it came. */
function lenientRequest(
  { method, url, address, localAddress, headers, body }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const request = plainRequest({
      method,
      host: address,
      port: url.port || 80,
      path: url.pathname + url.search,
      localAddress,
      headers: {
        host: url.host,
        connection: "close",
        ...headers,
        ...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
      },
      insecureHTTPParser: true,
      maxHeaderSize: MAX_HEADERS,
      agent: false,
      signal,
    });
    request.on("error", reject);
    request.on("response", (response) => {
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

/** Whether the bytes were at fault, rather than the network. */
function isMalformed(error: unknown): boolean {
  // undici's parser errors carry the parser's code, or none at all.
  if (error instanceof Error && error.name === "HTTPParserError") return true;
  const code = codeOf(error);
  return code.startsWith("HPE_") || code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH" || code === "UND_ERR_SOCKET";
}

function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === "string" ? code : codeOf(error.cause);
}

function toUpnpError(error: unknown, limit: AbortSignal, request: HttpRequest): unknown {
  if (error instanceof UpnpError || request.signal?.aborted) return error;
  if (limit.aborted) {
    return new UpnpError("socket", `the router did not answer within ${request.timeoutMs} ms`, { cause: error });
  }
  const code = codeOf(error);
  if (code === "UND_ERR_RES_EXCEEDED_MAX_SIZE" || code === "UND_ERR_HEADERS_OVERFLOW") {
    return new UpnpError("http", "the router's answer is too long", { cause: error });
  }
  if (isMalformed(error)) return new UpnpError("http", "the router's answer is no HTTP", { cause: error });
  return new UpnpError("socket", `the router cannot be reached${code ? ` (${code})` : ""}`, { cause: error });
}
