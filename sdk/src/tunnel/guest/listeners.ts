/** The ports of this machine that lead to the host's. */
import { createServer, type Server, type Socket } from "node:net";
import { UDPSocket } from "../../net/udp-socket.ts";
import type { TransportProtocol, TunnelPort } from "../wire/ports.ts";

/** Where the host's number is tried when a program of this machine has it at 127.0.0.1. */
const SECOND_ADDRESS = "127.0.0.2";
const DEFAULT_ADDRESS = "127.0.0.1";
/** A free number for both protocols is found soon. */
const TRIES = 16;
const RECEIVE_BUFFER_BYTES = 1 << 20;

/** One port that local programs connect to. */
export interface Listener {
  /** Over which it is shared. */
  readonly protocol: TransportProtocol;
  /** The address of this machine that it listens at. */
  readonly address: string;
  /** The number at this machine. */
  readonly port: number;
  /** The host's. */
  readonly remotePort: number;
}

export interface OpenListener extends Listener {
  /** Of UDP. */
  readonly socket: UDPSocket | undefined;
  close(): Promise<void>;
}

export interface ListenOptions {
  /** Default: 127.0.0.1, or 127.0.0.2 where the number is taken. */
  bind: string | undefined;
  /** In place of the host's number, where it shares one. */
  port: number | undefined;
  onConnection: (socket: Socket, remotePort: number) => void;
}

/**
 * Listens for all ports that the host shares. Numbers are the host's: games count on ports beside each other, so all of them move to
 * 127.0.0.2 where one is taken at 127.0.0.1, and only then to other numbers.
 * @throws UDPSocketError or the system's error where nothing can be bound
 */
export async function listen(ports: readonly TunnelPort[], options: ListenOptions): Promise<OpenListener[]> {
  const numbers = [...new Set(ports.map(({ port }) => port))];
  const wanted = (remote: number): number => (numbers.length === 1 ? (options.port ?? remote) : remote);
  const addresses = options.bind === undefined ? [DEFAULT_ADDRESS, SECOND_ADDRESS] : [options.bind];
  for (const address of addresses) {
    const opened = await tryAll(ports, (remote) => ({ address, port: wanted(remote) }), options);
    if (opened) return opened;
  }
  const opened: OpenListener[] = [];
  const [address = DEFAULT_ADDRESS] = addresses;
  for (const number of numbers) {
    const some = ports.filter(({ port }) => port === number);
    try {
      opened.push(...(await listenAnywhere(some, address, wanted(number), options)));
    } catch (error) {
      await Promise.all(opened.map((each) => each.close()));
      throw error;
    }
  }
  return opened;
}

/** One number for both protocols: the wanted one, else any. */
async function listenAnywhere(
  ports: readonly TunnelPort[],
  address: string,
  wanted: number,
  options: ListenOptions,
): Promise<OpenListener[]> {
  let failure: unknown;
  for (let n = 0; n < TRIES; n++) {
    const opened: OpenListener[] = [];
    try {
      for (const shared of ports) {
        const port = opened[0]?.port ?? (n === 0 ? wanted : 0);
        opened.push(await open(shared, address, port, options));
      }
      return opened;
    } catch (error) {
      failure = error;
      await Promise.all(opened.map((each) => each.close()));
    }
  }
  throw failure;
}

async function tryAll(
  ports: readonly TunnelPort[],
  place: (remotePort: number) => { address: string; port: number },
  options: ListenOptions,
): Promise<OpenListener[] | undefined> {
  const opened: OpenListener[] = [];
  try {
    for (const shared of ports) {
      const { address, port } = place(shared.port);
      opened.push(await open(shared, address, port, options));
    }
    return opened;
  } catch {
    await Promise.all(opened.map((each) => each.close()));
    return undefined;
  }
}

async function open(
  { protocol, port: remotePort }: TunnelPort,
  address: string,
  port: number,
  { onConnection }: ListenOptions,
): Promise<OpenListener> {
  if (protocol === "udp") {
    const socket = UDPSocket.open({ address, port, receiveBufferSize: RECEIVE_BUFFER_BYTES });
    return { protocol, address, port: socket.localPort, remotePort, socket, close: () => socket.close() };
  }
  const connections = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
    onConnection(socket, remotePort);
  });
  const bound = await bind(server, address, port);
  const close = (): Promise<void> => {
    for (const socket of connections) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  return { protocol, address, port: bound, remotePort, socket: undefined, close };
}

function bind(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.off("error", reject);
      // What happens to one connection is its own; the listener stays.
      server.on("error", () => undefined);
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : port);
    });
  });
}
