import { ConnectivityManager } from "../../../connectivity/manager/manager.ts";
import { type ConnectivityOptions } from "../../../connectivity/options.ts";
import { isDialable } from "../../../connectivity/verdict.ts";
import type { Endpoint } from "../../../net/endpoint.ts";
import { addressScope } from "../../../net/scope.ts";
import { netcodeReady } from "../../../netcode/sodium.ts";
import { UDPSessionServer } from "../../../session/server.ts";
import { type SessionServer } from "../../../session/types.ts";
import type { ConnectEndpoint } from "../../wire/connect-request.ts";
import type { DoorLimits } from "../admission/limits.ts";
import type { SessionHost } from "./session-host.ts";

/** Sessions on the game's socket, which a {@link ConnectivityManager} keeps reachable. */
export class ConnectivityHost implements SessionHost {
  readonly connectivity: ConnectivityManager;
  onChange: SessionHost["onChange"] = null;

  constructor(options: ConnectivityOptions) {
    this.connectivity = new ConnectivityManager(options);
    this.connectivity.on("change", () => this.onChange?.());
  }

  async open(port: number, address: string, limits: DoorLimits): Promise<SessionServer> {
    await netcodeReady();
    const { isHidden: pathsOnly } = this.connectivity;
    const server = new UDPSessionServer(this.connectivity.bind(port, address), { ...limits, pathsOnly });
    // Rooms are joined while the ladder is being climbed; what fails on it is a step with a reason.
    this.connectivity.open().catch(() => {});
    return server;
  }

  endpoints(): ConnectEndpoint[] {
    return this.connectivity.reachability.endpoints
      .filter(({ protocol, address }) => protocol === "udp" && address !== "")
      .map(({ kind, address, port }) => ({ kind, address, port }));
  }

  announced(): readonly string[] {
    const announced = this.connectivity.reachability.endpoints.filter(({ via }) => via === "announce");
    return [...new Set(announced.map(({ address }) => address))];
  }

  dialable(): Endpoint[] {
    const { endpoints, nat } = this.connectivity.reachability;
    return endpoints
      .filter((endpoint) => endpoint.protocol === "tcp" && endpoint.address !== "")
      .filter((endpoint) => isDialable(endpoint, nat) || addressScope(endpoint.address) !== "public")
      .map(({ address, port }) => ({ address, port }));
  }

  mapExtraPort(port: number): () => Endpoint | undefined {
    return this.connectivity.mapExtraPort(port);
  }

  close(): Promise<void> {
    return this.connectivity.close();
  }
}
