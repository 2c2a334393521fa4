import { createSocket, type Socket } from "node:dgram";
import { withZone } from "../../net/address.ts";
import type { Clock } from "../../net/clock.ts";
import { isOnLink } from "../../net/subnet.ts";
import { zoneOf } from "../../net/zone.ts";
import type { LocalInterface } from "../interfaces.ts";
import {
  decodeSsdp,
  encodeSearch,
  SEARCH_TARGETS,
  SSDP_ADDRESS_4,
  SSDP_ADDRESS_6,
  SSDP_PORT,
  type SsdpMessage,
} from "./ssdp.ts";

/** Between one search target and the next. Nearly every router answers to the first. */
const TARGET_INTERVAL_MS = 120;

export interface SearchReply {
  readonly message: SsdpMessage;
  /** The address that answered, with its zone if it is link-local IPv6. */
  readonly responder: string;
  readonly through: LocalInterface;
}

export interface SearchOptions {
  interfaces: readonly LocalInterface[];
  clock: Clock;
  onReply: (reply: SearchReply) => void;
  /** An interface that cannot be searched on, with the system's reason. */
  onError?: (through: LocalInterface, error: Error) => void;
  /** What was not sent, with the system's code. */
  onUnsent?: (code: string | undefined) => void;
  targets?: readonly string[];
  /** Default 1900. */
  port?: number;
  /** Hops for multicast, default 2 (UPnP Device Architecture 2.0 section 1.3.2). */
  ttl?: number;
  /** Our own port, default any. */
  localPort?: number;
  /** Ask only the default gateway. Default: multicast too. */
  unicastOnly?: boolean;
}

/**
 * Searches on every interface, one target after another, and listens until it is disposed. The default gateway is asked by
 * unicast first: a stateful firewall on this host then lets its answer in. Each answer is passed on as it comes.
 */
export class SsdpSearch implements Disposable {
  readonly #options: SearchOptions;
  readonly #sockets = new Set<Socket>();
  readonly #cancels = new Set<() => void>();

  constructor(options: SearchOptions) {
    this.#options = options;
    for (const each of options.interfaces) this.#open(each);
  }

  #open(through: LocalInterface): void {
    const { onError, onReply, localPort = 0, ttl = 2 } = this.#options;
    const six = through.family === 6;
    const socket = createSocket({ type: six ? "udp6" : "udp4", reuseAddr: localPort !== 0 });
    this.#sockets.add(socket);
    socket.unref();
    socket.on("error", (error) => {
      this.#drop(socket);
      onError?.(through, error);
    });
    socket.on("message", (datagram, from) => {
      if (!isOnLink(from.address, through.address, through.prefixLength)) return;
      const message = decodeSsdp(datagram);
      if (message?.kind === "response" && message.location !== "")
        onReply({ message, responder: from.address, through });
    });
    socket.bind({ address: through.address, port: localPort }, () => {
      try {
        socket.setMulticastTTL(ttl);
        socket.setMulticastInterface(six ? withZone("::", zoneOf(through.name)) : through.address);
      } catch {
        // Unicast still works.
      }
      this.#ask(socket, through, 0);
    });
  }

  /** Sends one target, and the next one a little later: some routers drop a burst. */
  #ask(socket: Socket, through: LocalInterface, index: number): void {
    const { targets = SEARCH_TARGETS, clock, port = SSDP_PORT, unicastOnly = false, onUnsent } = this.#options;
    const target = targets[index % targets.length];
    if (!this.#sockets.has(socket) || target === undefined || index >= targets.length * 2) return;
    const six = through.family === 6;
    const group = six ? SSDP_ADDRESS_6 : SSDP_ADDRESS_4;
    const send = (host: string): void => {
      const name = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
      // An address that cannot be reached will not answer.
      socket.send(
        encodeSearch(target, name),
        port,
        host.startsWith("fe80:") ? withZone(host, zoneOf(through.name)) : host,
        (error) => error && onUnsent?.((error as NodeJS.ErrnoException).code),
      );
    };
    if (through.gateway !== undefined) send(through.gateway);
    if (!unicastOnly) send(group);
    const cancel = clock.after(TARGET_INTERVAL_MS, () => {
      this.#cancels.delete(cancel);
      this.#ask(socket, through, index + 1);
    });
    this.#cancels.add(cancel);
  }

  #drop(socket: Socket): void {
    if (this.#sockets.delete(socket)) socket.close();
  }

  [Symbol.dispose](): void {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    for (const socket of this.#sockets) this.#drop(socket);
  }
}
