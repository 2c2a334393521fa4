import type { Endpoint } from "../net/endpoint.ts";
import { messageOf } from "../net/message-of.ts";
import { connectStream } from "../net/stream.ts";
import { abortable } from "../net/wait.ts";
import { StunBindings } from "./binding.ts";
import { StunError } from "./errors.ts";
import { TurnStreamReader } from "./stream-reader.ts";

/** Options of `stunBindingOverTCP`. */
export interface StunTCPOptions {
  /** Milliseconds for connection and answer. Default 3000. */
  timeoutMs?: number;
  /** Gives up. */
  signal?: AbortSignal | undefined;
}

/** What a STUN server said over TCP. */
export interface StunTCPResult {
  /** The address and port from which the connection reached the server: of TCP, and of this one connection. */
  mapped: Endpoint;
  /** Milliseconds from the request to the answer. */
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
  const failed = (message: string, cause: unknown): StunError =>
    new StunError(signal?.aborted === true ? "aborted" : "timeout", message, { cause });
  const stream = await connectStream(server, { peer: "the STUN server", signal: over }).catch((cause: unknown) => {
    throw failed(messageOf(cause), cause);
  });
  try {
    const bindings = new StunBindings<null>();
    bindings.ask(null, server, performance.now(), { timeoutMs, scheduleMs: [0] });
    const receive = (frame: Buffer): void => {
      const now = performance.now();
      if (!bindings.receive(frame, server.address, server.port, now)) return;
      const result = bindings.pollResult(now);
      if (result?.mapped !== undefined) answered.resolve({ mapped: result.mapped, rttMs: result.rttMs ?? 0 });
      // A redirection is not followed: the connection goes to this server.
      else answered.reject(result?.error ?? new StunError("refused", "The STUN server sends its clients elsewhere."));
    };
    const reader = new TurnStreamReader();
    stream.onData = (chunk) => {
      if (!reader.push(chunk, receive)) stream.destroy();
    };
    stream.onClosed = (error) => answered.reject(failed(error.message, error));
    const request = bindings.pollTransmit();
    if (request !== null) stream.send(request.data);
    return await abortable(answered.promise, over, (reason) =>
      failed("The STUN server did not answer over TCP in time.", reason),
    );
  } finally {
    stream.close();
  }
}
