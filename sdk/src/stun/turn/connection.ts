import { connect as connectTCP, type Socket } from "node:net";
import { connect as connectTLS, type SecureContextOptions } from "node:tls";

import { addressFamily } from "../../net/address.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import type { UDPSocket } from "../../net/udp-socket.ts";
import { TurnStreamReader } from "./channel-data.ts";
import { TurnError } from "./errors.ts";

/** A way to one TURN server: datagrams of the game's socket, or frames of a stream of its own. */
export interface TurnConnection {
  readonly server: Endpoint;
  /** TCP or TLS. */
  readonly reliable: boolean;
  /** A datagram or frame from the server's address; over UDP, `false` leaves it to the socket's other readers. */
  onFrame: ((data: Buffer) => boolean) | null;
  /** It ended by itself. */
  onClosed: ((error: TurnError) => void) | null;
  /** `data` may be used again at once. */
  send(data: Uint8Array): boolean;
  close(): void;
}

/** What a TLS server's certificate is held against. */
export interface TurnTLSOptions {
  /** Authorities to trust instead of the system's, PEM. */
  ca?: SecureContextOptions["ca"];
  /** The name in the certificate. Default: the host in the URL. */
  servername?: string | undefined;
}

/** Bytes that may wait in this process; beyond it datagrams are dropped, as a full UDP buffer drops them. */
const MAX_QUEUED_BYTES = 256 * 1024;

/** Shares the game's socket: takes nothing but what the allocation knows as its own, from exactly the server's address. */
export function connectUDP(socket: UDPSocket, server: Endpoint): TurnConnection {
  const leave: (() => void)[] = [];
  const connection: TurnConnection = {
    server,
    reliable: false,
    onFrame: null,
    onClosed: null,
    send: (data) => socket.send(data, server.port, server.address),
    close: () => {
      for (const each of leave.splice(0)) each();
    },
  };
  leave.push(
    socket.tap(
      (data, address, port) =>
        port === server.port && address === server.address && connection.onFrame?.(data) === true,
    ),
    socket.onClose(() => connection.onClosed?.(new TurnError("aborted", "The game's socket was closed."))),
  );
  return connection;
}

export interface TurnStreamOptions {
  tls?: TurnTLSOptions | undefined;
  signal: AbortSignal;
}

/** Opens a TCP or TLS connection of its own. @throws {TurnError} */
export async function connectStream(server: Endpoint, options: TurnStreamOptions): Promise<TurnConnection> {
  const socket = await openStream(server, options);
  const reader = new TurnStreamReader();
  const connection: TurnConnection = {
    server,
    reliable: true,
    onFrame: null,
    onClosed: null,
    send: (data) => {
      if (socket.destroyed || !socket.writable || socket.writableLength + data.length > MAX_QUEUED_BYTES) return false;
      socket.write(Buffer.from(data));
      return true;
    },
    close: () => {
      connection.onClosed = null;
      socket.destroySoon();
    },
  };
  let failure: TurnError | null = null;
  socket.on("data", (chunk: Buffer) => {
    if (reader.push(chunk, (frame) => connection.onFrame?.(frame))) return;
    failure = new TurnError("malformed", `${formatEndpoint(server)} does not speak TURN.`);
    socket.destroy();
  });
  socket.on("error", (cause) => {
    failure ??= new TurnError("disconnected", `The connection to the TURN server broke: ${cause.message}.`, { cause });
  });
  socket.on("close", () => {
    failure ??= new TurnError("disconnected", `The TURN server ${formatEndpoint(server)} ended the connection.`);
    connection.onClosed?.(failure);
  });
  return connection;
}

function openStream(server: Endpoint, { tls, signal }: TurnStreamOptions): Promise<Socket> {
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
    const fail = (error: TurnError): void => {
      done();
      // What it says while it is destroyed concerns nobody.
      socket.on("error", () => {}).destroy();
      reject(error);
    };
    const connected = (): void => {
      done();
      resolve(socket);
    };
    const failed = (cause: NodeJS.ErrnoException): void => fail(unreachable(server, tls !== undefined, cause));
    const hungUp = (): void => failed(new Error("the server hung up"));
    const aborted = (): void => {
      fail(new TurnError("aborted", "Given up before the TURN server was reached.", { cause: signal.reason }));
    };
    socket.once(ready, connected).once("error", failed).once("close", hungUp);
    if (signal.aborted) aborted();
    else signal.addEventListener("abort", aborted, { once: true });
  });
}

function unreachable(server: Endpoint, tls: boolean, cause: NodeJS.ErrnoException): TurnError {
  const advice = /CERT|SIGNATURE|TLS|SSL/.test(cause.code ?? "")
    ? "its certificate or its TLS is not to be trusted: check the name in the URL and the authority (ca)"
    : "it is down, or the network blocks it";
  const how = tls ? "TLS" : "TCP";
  const why = cause.code ?? cause.message;
  const message = `Cannot reach the TURN server ${formatEndpoint(server)} over ${how} (${why}): ${advice}.`;
  return new TurnError("unreachable", message, { cause });
}
