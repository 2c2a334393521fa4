import type * as NodeHttp from "node:http";
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
 * Asks with Node's own client, whose parser is told to be lenient: old routers end header lines with LF alone. What a lenient
 * parser may be tricked into is to mix up two messages of one connection; here each message has a connection of its own.
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
 * Node's HTTP, loaded when a router is first asked, and this way: an `import` of it evaluates all that it exports, WebSocket and
 * fetch among them, which takes ten times as long (35 ms, when nobody else has loaded it).
 */
export function nodeHttp(): typeof NodeHttp {
  return process.getBuiltinModule("node:http");
}

/** One request and its answer; a body that ends early is given as far as it came. */
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
    // What ends without an answer and without an error: a switch to another protocol that nobody asked for.
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
  // The parser's own codes: the bytes are at fault, rather than the network.
  if (code.startsWith("HPE_")) return new UpnpError("http", "the router's answer is no HTTP", { cause: error });
  return new UpnpError("socket", `the router cannot be reached${code ? ` (${code})` : ""}`, { cause: error });
}
