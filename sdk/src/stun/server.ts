import type { Endpoint } from "../net/endpoint.ts";
import { UDPSocket } from "../net/udp-socket.ts";
import { STUN_PORT } from "./constants.ts";
import { StunReplyLimiter, type StunReplyLimits } from "./reply-limiter.ts";
import { respondToStun, type StunLocal, type StunResponderOptions } from "./responder.ts";

/** Options of a {@link StunServer}. */
export interface StunServerOptions extends StunResponderOptions {
  /** Default 3478; 0 lets the system choose. */
  port?: number;
  /**
   * `*`, the default, or one or two addresses of this machine. With two, clients can discover how their NAT maps and
   * filters (RFC 5780): give the addresses by which clients reach them.
   */
  addresses?: readonly [string] | readonly [string, string];
  /** The second port, for RFC 5780. Default: one that the system chooses, when there are two addresses. */
  alternatePort?: number;
  /** How many answers it sends, to one network and to all. */
  limits?: StunReplyLimits;
}

const UNSPECIFIED = new Set(["*", "::", "0.0.0.0"]);

/**
 * Lets a socket that has other work answer STUN Binding requests too; the function returned ends that. Nothing but
 * Binding requests is taken from the socket's other readers.
 */
export function answerStun(
  socket: UDPSocket,
  options: StunResponderOptions & Pick<StunServerOptions, "limits"> = {},
): () => void {
  const limiter = new StunReplyLimiter(options.limits);
  const local: StunLocal = UNSPECIFIED.has(socket.localAddress)
    ? {}
    : { origin: { address: socket.localAddress, port: socket.localPort } };
  return socket.tap((data, address, port) => {
    const reply = respondToStun(data, { address, port }, local, options);
    if (reply === null) return false;
    if (limiter.take(address, performance.now())) socket.send(reply.data, reply.port, address);
    return true;
  });
}

/** A STUN server for Binding requests, as the lobby runs one. */
export class StunServer implements AsyncDisposable {
  /** Where clients ask. */
  readonly port: number;
  /** By address, then by port: two of each with RFC 5780, else one. */
  readonly #sockets: readonly UDPSocket[][];

  private constructor(sockets: readonly UDPSocket[][], options: StunServerOptions) {
    const limiter = new StunReplyLimiter(options.limits);
    this.#sockets = sockets;
    this.port = sockets[0]?.[0]?.localPort ?? 0;
    for (const [a, row] of sockets.entries()) {
      for (const [p, socket] of row.entries()) {
        const local = localOf(sockets, a, p);
        socket.onDatagram = (data, address, port) => {
          const reply = respondToStun(data, { address, port }, local, options);
          if (reply === null || !limiter.take(address, performance.now())) return;
          const from = sockets[reply.changeAddress ? 1 - a : a]?.[reply.changePort ? 1 - p : p];
          from?.send(reply.data, reply.port, address);
        };
      }
    }
  }

  /** Opens all its sockets within the call. @throws {UDPSocketError} */
  static open(options: StunServerOptions = {}): StunServer {
    const { port = STUN_PORT, addresses = ["*"], alternatePort } = options;
    const opened: UDPSocket[] = [];
    const open = (address: string, at: number): UDPSocket => {
      const socket = UDPSocket.open({ address, port: at });
      opened.push(socket);
      return socket;
    };
    try {
      const [first, second] = addresses;
      const primary = [open(first, port)];
      if (second !== undefined || alternatePort !== undefined) primary.push(open(first, alternatePort ?? 0));
      const rows = [primary];
      if (second !== undefined) rows.push(primary.map((socket) => open(second, socket.localPort)));
      return new StunServer(rows, options);
    } catch (error) {
      for (const socket of opened) void socket.close();
      throw error;
    }
  }

  /** Stops; resolves when its ports are free. */
  async close(): Promise<void> {
    await Promise.all(this.#sockets.flat().map((socket) => socket.close()));
  }

  /** Stops, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function localOf(sockets: readonly UDPSocket[][], a: number, p: number): StunLocal {
  const local: StunLocal = {};
  const here = endpointOf(sockets[a]?.[p]);
  const other = endpointOf(sockets[1 - a]?.[1 - p]);
  if (here !== undefined) local.origin = here;
  if (other !== undefined) local.other = other;
  else if (sockets[a]?.[1 - p] !== undefined) local.otherPort = true;
  return local;
}

function endpointOf(socket: UDPSocket | undefined): Endpoint | undefined {
  if (socket === undefined || UNSPECIFIED.has(socket.localAddress)) return undefined;
  return { address: socket.localAddress, port: socket.localPort };
}
