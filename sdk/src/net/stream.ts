import { connect as connectTCP, type Socket } from "node:net";
import { connect as connectTLS, type SecureContextOptions } from "node:tls";
import { addressFamily } from "./address.ts";
import { certificateDates } from "./certificate-dates.ts";
import { type Endpoint, formatEndpoint } from "./endpoint.ts";

/** Why there is no stream, or none any more. */
export type StreamErrorCode =
  /** The TCP connection or the TLS handshake failed; `cause` is the system's error. */
  | "unreachable"
  /** It stood, and ended. */
  | "disconnected"
  /** The caller gave up. */
  | "aborted";

export class StreamError extends Error {
  override readonly name: string = "StreamError";
  readonly code: StreamErrorCode;

  constructor(code: StreamErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What a TLS server's certificate is held against. */
export interface StreamTLSOptions {
  /** Authorities to trust instead of the system's, PEM. */
  ca?: SecureContextOptions["ca"];
  /** The name in the certificate. Without one, or for an address, the address itself must be in it. */
  servername?: string | undefined;
}

export interface StreamOptions {
  /** What is at the other end, for errors: `the TURN server`. */
  peer: string;
  /** TLS in place of bare TCP. */
  tls?: StreamTLSOptions | undefined;
  /** Gives the attempt up; without effect once the stream stands. */
  signal: AbortSignal;
}

/** Bytes that may wait in this process; beyond it writes are refused, as a full UDP buffer refuses them. */
const MAX_QUEUED_BYTES = 256 * 1024;

/** A TCP or TLS connection to a server. */
export class Stream {
  /** Bytes as they come. */
  onData: ((chunk: Buffer) => void) | null = null;
  /** It ended, and not by {@link close}. Called once. */
  onClosed: ((error: StreamError) => void) | null = null;
  readonly #socket: Socket;

  constructor(socket: Socket, server: Endpoint, peer: string) {
    this.#socket = socket;
    let failure: StreamError | undefined;
    socket.on("data", (chunk: Buffer) => this.onData?.(chunk));
    socket.on("error", (cause) => {
      failure ??= new StreamError("disconnected", `The connection to ${peer} broke: ${cause.message}.`, { cause });
    });
    socket.on("close", () => {
      const ended = `${formatEndpoint(server)}, ${peer}, ended the connection.`;
      this.onClosed?.(failure ?? new StreamError("disconnected", ended));
    });
  }

  /** Copies the bytes. `false` when they were not taken: the stream has ended, or more than 256 KiB wait. */
  send(data: Uint8Array): boolean {
    const socket = this.#socket;
    if (socket.destroyed || !socket.writable || socket.writableLength + data.length > MAX_QUEUED_BYTES) return false;
    socket.write(Buffer.from(data));
    return true;
  }

  /** Sends what waits, then ends. */
  close(): void {
    this.onClosed = null;
    this.#socket.destroySoon();
  }

  /** Ends at once, as when the other side has broken the protocol; {@link onClosed} is called. */
  destroy(): void {
    this.#socket.destroy();
  }
}

/** Opens a TCP or TLS connection. @throws {StreamError} */
export function connectStream(server: Endpoint, { peer, tls, signal }: StreamOptions): Promise<Stream> {
  return new Promise((resolve, reject) => {
    const where = { host: server.address, port: server.port, noDelay: true };
    const name = tls?.servername ?? "";
    // Without a name the address itself is what the certificate must hold; SNI carries no addresses (RFC 6066 section 3).
    const identity = name === "" || addressFamily(name) !== 0 ? {} : { servername: name };
    const socket: Socket =
      tls === undefined ? connectTCP(where) : connectTLS({ ...where, ...identity, ...(tls.ca && { ca: tls.ca }) });
    const ready = tls === undefined ? "connect" : "secureConnect";
    const done = (): void => {
      signal.removeEventListener("abort", aborted);
      socket.off(ready, connected).off("error", failed).off("close", hungUp);
    };
    const fail = (error: StreamError): void => {
      done();
      // What it says while it is destroyed concerns nobody.
      socket.on("error", () => {}).destroy();
      reject(error);
    };
    const connected = (): void => {
      done();
      resolve(new Stream(socket, server, peer));
    };
    const failed = (cause: NodeJS.ErrnoException): void => fail(unreachable(server, peer, tls !== undefined, cause));
    const hungUp = (): void => failed(new Error("the server hung up"));
    const aborted = (): void => {
      fail(new StreamError("aborted", `Given up before ${peer} was reached.`, { cause: signal.reason }));
    };
    socket.once(ready, connected).once("error", failed).once("close", hungUp);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  });
}

function unreachable(server: Endpoint, peer: string, tls: boolean, cause: NodeJS.ErrnoException): StreamError {
  const untrusted = /CERT|SIGNATURE|TLS|SSL/.test(cause.code ?? "")
    ? "its certificate or its TLS is not to be trusted: check the name in the URL and the authority (ca)"
    : "it is down, or the network blocks it";
  const advice = certificateDates(cause) ?? untrusted;
  const how = tls ? "TLS" : "TCP";
  const why = cause.code ?? cause.message;
  const message = `Cannot reach ${peer} ${formatEndpoint(server)} over ${how} (${why}): ${advice}.`;
  return new StreamError("unreachable", message, { cause });
}
