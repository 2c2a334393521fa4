import { type Endpoint, formatEndpoint } from "../net/endpoint.ts";
import { connectStream, StreamError, type StreamOptions } from "../net/stream.ts";
import type { UDPSocket } from "../net/udp-socket.ts";
import { TurnStreamReader } from "../stun/stream-reader.ts";
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

/** Opens a TCP or TLS connection of its own. @throws {TurnError} */
export async function connectTurnStream(
  server: Endpoint,
  options: Omit<StreamOptions, "peer">,
): Promise<TurnConnection> {
  const stream = await connectStream(server, { ...options, peer: "the TURN server" }).catch((error: unknown) => {
    throw error instanceof StreamError ? turnError(error) : error;
  });
  const reader = new TurnStreamReader();
  let malformed: TurnError | null = null;
  const connection: TurnConnection = {
    server,
    reliable: true,
    onFrame: null,
    onClosed: null,
    send: (data) => stream.send(data),
    close: () => stream.close(),
  };
  stream.onData = (chunk) => {
    if (reader.push(chunk, (frame) => connection.onFrame?.(frame))) return;
    malformed = new TurnError("malformed", `${formatEndpoint(server)} does not speak TURN.`);
    stream.destroy();
  };
  stream.onClosed = (error) => connection.onClosed?.(malformed ?? turnError(error));
  return connection;
}

function turnError({ code, message, cause }: StreamError): TurnError {
  return new TurnError(code, message, { cause });
}
