import type { Endpoint } from "../../../net/endpoint.ts";
import { UDPSocket } from "../../../net/udp-socket.ts";
import { reachableAddresses } from "../../../net/usable-interfaces.ts";
import { netcodeReady } from "../../../netcode/sodium.ts";
import { UDPSessionServer } from "../../../session/server.ts";
import { type SessionServer } from "../../../session/types.ts";
import type { ConnectEndpoint } from "../../wire/connect-request.ts";
import type { DoorLimits } from "../admission/limits.ts";
import type { SessionHost } from "./session-host.ts";

/** Just a UDP socket: for a LAN, or for a machine whose address is known to the world. */
export class SocketHost implements SessionHost {
  /** Interfaces are read when somebody asks. */
  onChange: SessionHost["onChange"] = null;
  #socket: UDPSocket | undefined;
  #closed = false;

  async open(port: number, address: string, limits: DoorLimits): Promise<SessionServer> {
    await netcodeReady();
    if (this.#closed) throw new Error("The transport was shut down before it listened.");
    this.#socket = UDPSocket.open({ port, address });
    return new UDPSessionServer(this.#socket, limits);
  }

  endpoints(): ConnectEndpoint[] {
    const socket = this.#socket;
    if (!socket) return [];
    if (socket.localAddress !== "::" && socket.localAddress !== "0.0.0.0") {
      return [{ kind: "host", address: socket.localAddress, port: socket.localPort }];
    }
    return reachableAddresses().map(({ address }) => ({ kind: "host", address, port: socket.localPort }));
  }

  dialable(): Endpoint[] {
    return this.endpoints().map(({ address, port }) => ({ address, port }));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#socket?.close();
  }
}
