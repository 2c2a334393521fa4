import { connect } from "node:net";
import { whyForbidden } from "../../../net/firewall.ts";
import { traceOf } from "../../../net/trace.ts";
import { UpnpError } from "./errors.ts";
import { HttpReader, type HttpResponse } from "./http-reader.ts";
import { decodeAction, encodeAction, type SoapArguments } from "./soap.ts";
import { STEP_TIMEOUT_MS } from "./step-timeout.ts";
import type { XmlElement } from "./xml.ts";

const trace = traceOf("gateway");

/** Bytes beyond the length of a response are awaited for this long. */
const PERHAPS_MS = 100;

export interface HttpRequest {
  method: "GET" | "POST" | "SUBSCRIBE" | "UNSUBSCRIBE";
  url: URL;
  /** Where the connection goes, not the URL's host: the device that answered the search. */
  address: string;
  /** The address of ours that the connection starts from. */
  localAddress: string;
  /** Milliseconds for everything: connecting, headers, body. Default: the client's. */
  timeoutMs?: number | undefined;
  headers?: Record<string, string>;
  body?: string;
  signal?: AbortSignal | undefined;
}

/** Asks a router: one time limit for everything, no redirects, nothing larger than a document may be. */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>;

/** A client with a time limit of its own, in milliseconds. */
export function httpClient(timeoutMs: number): HttpClient {
  return (request) => exchange({ ...request, timeoutMs: request.timeoutMs ?? timeoutMs });
}

/** The client with the default limit, {@link STEP_TIMEOUT_MS}. */
export const httpRequest: HttpClient = httpClient(STEP_TIMEOUT_MS);

/**
 * One request on a connection of its own, and its response. Node's client is not used: it drops a whole response where the router
 * ends the connection with a reset, and refuses header lines that routers write.
 * @throws {UpnpError}, or the signal's reason
 */
function exchange(request: HttpRequest & { timeoutMs: number }): Promise<HttpResponse> {
  const { url, address, localAddress, signal, timeoutMs } = request;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const reader = new HttpReader();
    // It keeps the process alive until the answer or the limit: callers of UPNP await nothing else.
    const socket = connect({ host: address, port: Number(url.port || 80), localAddress });
    let pause: NodeJS.Timeout | undefined;
    const finish = (settle: () => void): void => {
      clearTimeout(limit);
      clearTimeout(pause);
      signal?.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    /** The response as far as it came, else the reason why there is none. */
    const end = (reason: () => UpnpError): void => {
      const { response } = reader;
      finish(() => (response === undefined ? reject(reason()) : resolve(response)));
    };
    const onAbort = (): void => finish(() => reject(signal?.reason as Error));
    const limit = setTimeout(() => {
      const late = (): UpnpError => new UpnpError("socket", `the router did not answer within ${timeoutMs} ms`);
      // Some routers neither tell a length nor close the connection.
      if (reader.isOpenEnded && reader.size > 0) end(late);
      else finish(() => reject(late()));
    }, timeoutMs).unref();
    signal?.addEventListener("abort", onAbort, { once: true });
    socket.setNoDelay(true);
    socket.on("data", (bytes: Buffer) => {
      clearTimeout(pause);
      let state: ReturnType<HttpReader["push"]>;
      try {
        state = reader.push(bytes);
      } catch (error) {
        return finish(() => reject(error));
      }
      if (state === "whole") end(noHttp);
      else if (state === "perhaps") pause = setTimeout(() => end(noHttp), PERHAPS_MS).unref();
    });
    socket.on("end", () => {
      const silence = (): UpnpError => new UpnpError("socket", "the router closed the connection without an answer");
      end(socket.bytesRead === 0 ? silence : noHttp);
    });
    // A reset behind a response does not undo it.
    socket.on("error", (error: NodeJS.ErrnoException) => {
      const code = error.code === undefined ? "" : ` (${error.code})`;
      const forbidden = whyForbidden(error.code);
      const why = forbidden === undefined ? code : `: ${forbidden}`;
      end(() => new UpnpError("socket", `the router cannot be reached${why}`, { cause: error }));
    });
    // In one segment: some routers read no more than the first.
    socket.write(encodeRequest(request), () => undefined);
  });
}

function noHttp(): UpnpError {
  return new UpnpError("http", "the router's answer is no HTTP");
}

function encodeRequest({ method, url, headers, body = "" }: HttpRequest): Buffer {
  const fields: Record<string, string> = {
    Host: url.host,
    Connection: "close",
    ...headers,
    ...(method === "POST" ? { "Content-Length": String(Buffer.byteLength(body)) } : {}),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, " ")}\r\n`);
  return Buffer.from(`${method} ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("")}\r\n${body}`);
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

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Default: the client's. */
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
    { signal, timeoutMs, answersNothing }: CallOptions & { answersNothing?: boolean } = {},
  ): Promise<XmlElement> {
    const begun = performance.now();
    try {
      const answer = await this.#call(action, input, { signal, timeoutMs, answersNothing });
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
    {
      signal,
      timeoutMs,
      answersNothing,
    }: Pick<HttpRequest, "signal" | "timeoutMs"> & { answersNothing?: boolean | undefined },
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
    return decodeAction(serviceType, action, response.status, response.body, answersNothing);
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
