import type { Endpoint } from "../net/endpoint.ts";
import { messageOf } from "../net/message-of.ts";
import { StunBindings } from "./binding.ts";
import { StunError } from "./errors.ts";
import { connectStream } from "./turn/connection.ts";

export interface StunTCPOptions {
  /** Milliseconds for connection and answer. Default 3000. */
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

export interface StunTCPResult {
  /** The address and port from which the connection reached the server: of TCP, and of this one connection. */
  mapped: Endpoint;
  rttMs: number;
}

/**
 * Asks a STUN server over TCP (RFC 8489 section 6.2.2): our public address where UDP is blocked. It says nothing about
 * the game's socket. @throws {StunError}
 */
export async function stunBindingOverTCP(server: Endpoint, options: StunTCPOptions = {}): Promise<StunTCPResult> {
  const { timeoutMs = 3000, signal } = options;
  const over = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal === undefined ? [] : [signal])]);
  const answered = Promise.withResolvers<StunTCPResult>();
  const fail = (message: string, cause?: unknown): void => {
    const failure = signal?.aborted === true ? "aborted" : "timeout";
    answered.reject(new StunError(failure, message, { cause }));
  };
  const aborted = (): void => fail("The STUN server did not answer over TCP in time.", over.reason);
  let connection: Awaited<ReturnType<typeof connectStream>>;
  try {
    connection = await connectStream(server, { signal: over });
  } catch (cause) {
    fail(`The STUN server could not be reached over TCP: ${messageOf(cause)}`, cause);
    return await answered.promise;
  }
  try {
    const bindings = new StunBindings<null>();
    bindings.ask(null, server, performance.now(), { timeoutMs, scheduleMs: [0] });
    connection.onFrame = (data) => {
      const now = performance.now();
      if (!bindings.receive(data, server.address, server.port, now)) return false;
      const result = bindings.pollResult(now);
      if (result?.mapped !== undefined) answered.resolve({ mapped: result.mapped, rttMs: result.rttMs ?? 0 });
      // A redirection is not followed: the connection goes to this server.
      else answered.reject(result?.error ?? new StunError("refused", "The STUN server sends its clients elsewhere."));
      return true;
    };
    connection.onClosed = (error) => fail(error.message, error);
    if (over.aborted) aborted();
    else over.addEventListener("abort", aborted, { once: true });
    const request = bindings.pollTransmit();
    if (request !== null) connection.send(request.data);
    return await answered.promise;
  } finally {
    over.removeEventListener("abort", aborted);
    connection.close();
  }
}
