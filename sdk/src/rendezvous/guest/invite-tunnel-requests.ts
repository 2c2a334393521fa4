import { traceOf } from "../../net/trace.ts";
import type { Introduction } from "../sealed/introduction.ts";
import { RendezvousError } from "../wire/errors.ts";
import type { RequestMessage, ResponseMessage } from "../wire/invite-tunnel-http.ts";
import { unref } from "./introductions.ts";

const trace = traceOf("rendezvous");

const ANSWER_TIMEOUT_MS = 10_000;

const encoder = new TextEncoder();

/** HTTP requests to a host by way of an introduction, for matchmaking and what follows it. Nothing here is Node's. */
export class InviteTunnelRequests {
  readonly #introduced: () => Promise<Introduction>;
  readonly #answers = new Map<number, (message: ResponseMessage) => void>();
  #ids = 0;

  /** @param introduced the introduction under way, or a new one */
  constructor(introduced: () => Promise<Introduction>) {
    this.#introduced = introduced;
  }

  receive(message: ResponseMessage): void {
    this.#answers.get(message.id)?.(message);
  }

  /** As `fetch`, to the host, whatever the URL's host is: only path and query count. */
  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const asked = new Request(input, init);
    const { method } = asked;
    if (method !== "GET" && method !== "POST")
      throw new TypeError(`By invite a host answers GET and POST, not ${method}.`);
    const { pathname, search } = new URL(asked.url);
    const introduction = await this.#introduced();
    const headers = Object.fromEntries(asked.headers);
    const body = await asked.text();
    const id = ++this.#ids;
    const request: RequestMessage = { type: "request", id, method, path: pathname + search, headers, body };
    const begun = performance.now();
    const response = await this.#exchange(introduction, request, asked.signal);
    if (trace.on) {
      const ms = performance.now() - begun;
      trace.event("tunnel-request", { id, method, path: pathname, status: response.status, ms });
    }
    return new Response(response.status === 204 ? null : response.body, {
      status: response.status,
      headers: response.headers,
    });
  };

  #exchange(introduction: Introduction, request: RequestMessage, signal: AbortSignal): Promise<ResponseMessage> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        this.#answers.delete(request.id);
        clearTimeout(timer);
        reject(error);
      };
      const timer = setTimeout(
        () => fail(new RendezvousError("unreachable", "The host did not answer in time.")),
        ANSWER_TIMEOUT_MS,
      );
      unref(timer);
      signal.addEventListener("abort", () => fail(signal.reason as Error), { once: true });
      introduction.onClose(({ reason }) => fail(new RendezvousError("unreachable", reason)));
      this.#answers.set(request.id, (message) => {
        this.#answers.delete(request.id);
        clearTimeout(timer);
        resolve(message);
      });
      if (!introduction.send(encoder.encode(JSON.stringify(request)))) {
        fail(new RendezvousError("unreachable", "The request could not be sent to the host: it is too long."));
      }
    });
  }
}
