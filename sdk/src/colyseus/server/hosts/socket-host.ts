import { lookup } from "node:dns/promises";
import { AnnouncedHost, type AnnounceOptions, checkAnnounce } from "../../../connectivity/announced.ts";
import type { Endpoint } from "../../../net/endpoint.ts";
import { SERVER_RECEIVE_BUFFER_BYTES, UDPSocket } from "../../../net/udp-socket.ts";
import { reachableAddresses } from "../../../net/usable-interfaces.ts";
import { netcodeReady } from "../../../netcode/sodium.ts";
import { UDPSessionServer } from "../../../session/server.ts";
import { type SessionServer } from "../../../session/types.ts";
import type { ConnectEndpoint } from "../../wire/connect-request.ts";
import type { SessionHost } from "./session-host.ts";

/** How often an announced name is looked up again, ms. */
const LOOK_UP_MS = 300_000;

/** Just a UDP socket: for a LAN, or for a machine whose address is known to the world. */
export class SocketHost implements SessionHost {
  /** Interfaces are read when somebody asks. */
  onChange: SessionHost["onChange"] = null;
  readonly #announce: AnnounceOptions;
  readonly #announced: AnnouncedHost;
  #socket: UDPSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @throws RangeError as {@link checkAnnounce} */
  constructor(announce: AnnounceOptions = {}) {
    this.#announce = checkAnnounce(announce);
    this.#announced = new AnnouncedHost(announce, (name) => lookup(name, { all: true, order: "ipv4first" }));
  }

  async open(port: number, address: string): Promise<SessionServer> {
    await netcodeReady();
    if (this.#closed) throw new Error("The transport was shut down before it listened.");
    this.#socket = UDPSocket.open({ port, address, receiveBufferSize: SERVER_RECEIVE_BUFFER_BYTES });
    this.#lookUp();
    this.#timer = setInterval(() => this.#lookUp(), LOOK_UP_MS).unref();
    return new UDPSessionServer(this.#socket);
  }

  endpoints(): ConnectEndpoint[] {
    const socket = this.#socket;
    if (!socket) return [];
    const port = this.#announce.port ?? socket.localPort;
    const announced = this.announced().map((address) => ({ kind: "mapped" as const, address, port }));
    return [...announced, ...this.#own(socket)];
  }

  announced(): readonly string[] {
    return this.#announced.addresses;
  }

  dialable(): Endpoint[] {
    return this.endpoints().map(({ address, port }) => ({ address, port }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    await this.#socket?.close();
  }

  #lookUp(): void {
    void this.#announced.refresh().then(() => this.onChange?.());
  }

  #own(socket: UDPSocket): ConnectEndpoint[] {
    if (socket.localAddress !== "::" && socket.localAddress !== "0.0.0.0") {
      return [{ kind: "host", address: socket.localAddress, port: socket.localPort }];
    }
    return reachableAddresses().map(({ address }) => ({ kind: "host", address, port: socket.localPort }));
  }
}
