import { readInterfaces } from "../../../net/interfaces.ts";
import { zoneOf } from "../../../net/zone.ts";
import type { Transport } from "../../types.ts";
import { UpnpError } from "../service/errors.ts";
import { httpRequest } from "../service/http.ts";
import { WanConnection } from "../service/igd.ts";
import { resultOfError, UPNPResult } from "./result.ts";

/** Godot's `UPNPDevice.IGDStatus` (`IGD_STATUS_OK` is `IGDStatus.OK`). */
export const IGDStatus: {
  /** A gateway that may map ports. */
  readonly OK: 0;
  /** The description could not be fetched. */
  readonly HTTP_ERROR: 1;
  /** The description is empty. */
  readonly HTTP_EMPTY: 2;
  /** The description names no URLs. */
  readonly NO_URLS: 3;
  /** Not a gateway. */
  readonly NO_IGD: 4;
  /** A gateway without a connection to the outside. */
  readonly DISCONNECTED: 5;
  /** A device that is no gateway. */
  readonly UNKNOWN_DEVICE: 6;
  /** The control URL leads elsewhere. */
  readonly INVALID_CONTROL: 7;
  /** Godot's alone: no memory. */
  readonly MALLOC_ERROR: 8;
  /** Not examined yet, or failed in another way. */
  readonly UNKNOWN_ERROR: 9;
} = {
  OK: 0,
  HTTP_ERROR: 1,
  HTTP_EMPTY: 2,
  NO_URLS: 3,
  NO_IGD: 4,
  DISCONNECTED: 5,
  UNKNOWN_DEVICE: 6,
  INVALID_CONTROL: 7,
  MALLOC_ERROR: 8,
  UNKNOWN_ERROR: 9,
};
/** A value of {@link IGDStatus}, 0-9. */
export type IGDStatus = (typeof IGDStatus)[keyof typeof IGDStatus];

const TRANSPORTS: ReadonlyMap<string, Transport> = new Map<string, Transport>([
  ["UDP", "udp"],
  ["TCP", "tcp"],
]);

/** Godot's `UPNPDevice`: one answer to a search, and what can be asked of it. All that asks the network is asynchronous. */
export class UPNPDevice {
  /** Godot's enumeration of states: `UPNPDevice.IGD_STATUS_OK` is `UPNPDevice.IGDStatus.OK`. */
  static readonly IGDStatus: typeof IGDStatus = IGDStatus;
  /** Where the device's description is. Default `""`. */
  descriptionUrl = "";
  /** The service or device type that it answered with. Default `""`. */
  serviceType = "";
  /** Where its port mapping service is asked. Default `""`. */
  igdControlUrl = "";
  /** Which port mapping service it has, such as `urn:schemas-upnp-org:service:WANIPConnection:1`. Default `""`. */
  igdServiceType = "";
  /** Our address towards the device. Default `""`. */
  igdOurAddr = "";
  /** What the search has found out about it. Default UNKNOWN_ERROR. */
  igdStatus: IGDStatus = IGDStatus.UNKNOWN_ERROR;
  /** The raw UPnP error code of the last request that failed (0: it failed in another way, or none failed). Not in Godot. */
  lastErrorCode = 0;

  /** The setter of {@link descriptionUrl}. */
  setDescriptionUrl(url: string): void {
    this.descriptionUrl = url;
  }

  /** The getter of {@link descriptionUrl}. */
  getDescriptionUrl(): string {
    return this.descriptionUrl;
  }

  /** The setter of {@link serviceType}. */
  setServiceType(type: string): void {
    this.serviceType = type;
  }

  /** The getter of {@link serviceType}. */
  getServiceType(): string {
    return this.serviceType;
  }

  /** The setter of {@link igdControlUrl}. */
  setIgdControlUrl(url: string): void {
    this.igdControlUrl = url;
  }

  /** The getter of {@link igdControlUrl}. */
  getIgdControlUrl(): string {
    return this.igdControlUrl;
  }

  /** The setter of {@link igdServiceType}. */
  setIgdServiceType(type: string): void {
    this.igdServiceType = type;
  }

  /** The getter of {@link igdServiceType}. */
  getIgdServiceType(): string {
    return this.igdServiceType;
  }

  /** The setter of {@link igdOurAddr}. */
  setIgdOurAddr(address: string): void {
    this.igdOurAddr = address;
  }

  /** The getter of {@link igdOurAddr}. */
  getIgdOurAddr(): string {
    return this.igdOurAddr;
  }

  /** The setter of {@link igdStatus}. */
  setIgdStatus(status: IGDStatus): void {
    this.igdStatus = status;
  }

  /** The getter of {@link igdStatus}. */
  getIgdStatus(): IGDStatus {
    return this.igdStatus;
  }

  /** Whether it is a gateway that may map ports. */
  isValidGateway(): boolean {
    return this.igdStatus === IGDStatus.OK;
  }

  /** The external address of the gateway, `""` on any error. */
  async queryExternalAddress(): Promise<string> {
    if (!this.isValidGateway()) return "";
    try {
      return await this.#connection().getExternalIpAddress();
    } catch (error) {
      this.#note(error);
      return "";
    }
  }

  /**
   * Maps a port of the gateway to this computer.
   * @param port external, 1-65535
   * @param portInternal 0 for the same as `port`
   * @param description shown on some routers' pages
   * @param protocol `UDP` or `TCP`, in capitals
   * @param duration seconds, 0 for a permanent mapping
   * @returns SUCCESS; INVALID_GATEWAY, INVALID_PORT, INVALID_PROTOCOL, INVALID_DURATION before anything is sent; else the
   *   router's answer, such as CONFLICT_WITH_OTHER_MAPPING
   */
  async addPortMapping(
    port: number,
    portInternal = 0,
    description = "",
    protocol = "UDP",
    duration = 0,
  ): Promise<UPNPResult> {
    if (!this.isValidGateway()) return UPNPResult.INVALID_GATEWAY;
    const problem = checkMapping(port, portInternal, protocol, duration);
    if (problem !== undefined) return problem;
    const transport = TRANSPORTS.get(protocol) ?? "udp";
    return this.#result(
      this.#connection().addPortMapping({
        externalPort: port,
        protocol: transport,
        internalPort: portInternal === 0 ? port : portInternal,
        description: description || "Sallyport",
        leaseSeconds: Math.trunc(duration),
      }),
    );
  }

  /** Removes a mapping. The answer is the router's own word; many say yes to everything. */
  async deletePortMapping(port: number, protocol = "UDP"): Promise<UPNPResult> {
    if (!isPort(port)) return UPNPResult.INVALID_PORT;
    const transport = TRANSPORTS.get(protocol);
    if (!transport) return UPNPResult.INVALID_PROTOCOL;
    if (this.igdControlUrl === "") return UPNPResult.UNKNOWN_ERROR;
    return this.#result(this.#connection().deletePortMapping(port, transport));
  }

  #connection(): WanConnection {
    const controlUrl = new URL(this.igdControlUrl);
    const zone = zoneToward(this.igdOurAddr);
    const address = controlUrl.hostname.replace(/^\[|\]$/g, "") + zone;
    return new WanConnection(
      { serviceType: this.igdServiceType, controlUrl, address, localAddress: this.igdOurAddr + zone },
      httpRequest,
    );
  }

  async #result(request: Promise<void>): Promise<UPNPResult> {
    this.lastErrorCode = 0;
    try {
      await request;
      return UPNPResult.SUCCESS;
    } catch (error) {
      this.#note(error);
      return resultOfError(error);
    }
  }

  #note(error: unknown): void {
    this.lastErrorCode = error instanceof UpnpError && error.kind === "fault" ? error.code : 0;
  }
}

/** What is wrong with a mapping's parameters, in Godot's order; `undefined`: nothing. */
export function checkMapping(
  port: number,
  portInternal: number,
  protocol: string,
  duration: number,
): UPNPResult | undefined {
  if (!isPort(port) || (portInternal !== 0 && !isPort(portInternal))) return UPNPResult.INVALID_PORT;
  if (!TRANSPORTS.has(protocol)) return UPNPResult.INVALID_PROTOCOL;
  return duration >= 0 ? undefined : UPNPResult.INVALID_DURATION;
}

/** Link-local addresses are met through the interface that has ours; URLs and Godot's fields do not name it. */
function zoneToward(own: string): string {
  if (!own.startsWith("fe80:")) return "";
  const interfaces = readInterfaces();
  const found = Object.entries(interfaces).find(([, list]) => list?.some(({ address }) => address === own));
  return found ? `%${zoneOf(found[0], interfaces)}` : "";
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port >= 1 && port <= 65535;
}
