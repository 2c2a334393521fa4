import { withoutZone, withZone } from "../../../net/address.ts";
import { systemClock } from "../../../net/clock.ts";
import { readInterfaces } from "../../../net/interfaces.ts";
import { prefixLengthOf } from "../../../net/subnet.ts";
import { sleep, whileAwaited } from "../../../net/wait.ts";
import { zoneOf } from "../../../net/zone.ts";
import { interfacesToRouters, type LocalInterface } from "../../interfaces.ts";
import { fetchDescription } from "../inspect.ts";
import { connectionServices } from "../service/description.ts";
import { UpnpError } from "../service/errors.ts";
import { httpRequest } from "../service/http.ts";
import { WanConnection } from "../service/igd.ts";
import { pinUrl } from "../service/pin-url.ts";
import { SEARCH_TARGETS } from "../ssdp.ts";
import { type SearchReply, SsdpSearch } from "../ssdp-search.ts";
import { UPNPResult } from "./result.ts";
import { checkMapping, IGDStatus, UPNPDevice } from "./upnp-device.ts";

/** After the first valid gateway answered, others have this long. */
const MORE_GATEWAYS_MS = 50;
/** After the timeout, devices that answered in time are inspected for this long. */
const INSPECTION_MS = 1000;
/** Devices kept of one discovery. */
const MAX_DEVICES = 64;
/** For every kind of device, not only gateways. */
const ALL_TARGETS: readonly string[] = ["ssdp:all", "upnp:rootdevice"];

/**
 * Godot's `UPNP`: finds devices on the local network and maps ports of the gateway among them. Its methods are Godot's, in
 * camelCase; those that ask the network are asynchronous. `discover` ends as soon as a gateway has answered, so the
 * `timeout` is what it takes to learn that there is none. docs/from-godot.md compares it with Godot, member by member.
 */
export class UPNP {
  /** Godot's enumeration of results: `UPNP.UPNP_RESULT_SUCCESS` is `UPNP.UPNPResult.SUCCESS`. */
  static readonly UPNPResult: typeof UPNPResult = UPNPResult;
  /** Search by IPv6. Default false. */
  discoverIpv6 = false;
  /** Our own port for the search: 0 for any, 1 for 1900, else the port itself. Default 0. */
  discoverLocalPort = 0;
  /** Search on this interface alone, by name or address; all usable ones when empty. Default `""`. */
  discoverMulticastIf = "";
  #devices: UPNPDevice[] = [];

  /** The setter of {@link discoverIpv6}. */
  setDiscoverIpv6(ipv6: boolean): void {
    this.discoverIpv6 = ipv6;
  }

  /** The getter of {@link discoverIpv6}. */
  isDiscoverIpv6(): boolean {
    return this.discoverIpv6;
  }

  /** The setter of {@link discoverLocalPort}. */
  setDiscoverLocalPort(port: number): void {
    this.discoverLocalPort = port;
  }

  /** The getter of {@link discoverLocalPort}. */
  getDiscoverLocalPort(): number {
    return this.discoverLocalPort;
  }

  /** The setter of {@link discoverMulticastIf}. */
  setDiscoverMulticastIf(name: string): void {
    this.discoverMulticastIf = name;
  }

  /** The getter of {@link discoverMulticastIf}. */
  getDiscoverMulticastIf(): string {
    return this.discoverMulticastIf;
  }

  /**
   * Finds devices; those found before are forgotten.
   * @param timeout milliseconds, at least 0
   * @param ttl hops that the search may travel, 0-255
   * @param deviceFilter a part of the type that a device answers with; empty for all
   * @returns SUCCESS when a device answered, even one that the filter leaves out; INVALID_PARAM; SOCKET_ERROR when no interface
   *   can search; NO_DEVICES
   */
  discover(timeout = 2000, ttl = 2, deviceFilter = "InternetGatewayDevice"): Promise<UPNPResult> {
    return whileAwaited(this.#discover(timeout, ttl, deviceFilter));
  }

  async #discover(timeout: number, ttl: number, deviceFilter: string): Promise<UPNPResult> {
    if (!(timeout >= 0) || !Number.isInteger(ttl) || ttl < 0 || ttl > 255) return UPNPResult.INVALID_PARAM;
    this.#devices = [];
    const found: UPNPDevice[] = [];
    let isAnswered = false;
    const interfaces = await this.#interfaces();
    const seen = new Set<string>();
    const inspections = new Set<Promise<void>>();
    const done = new AbortController();
    const limit = AbortSignal.timeout(timeout + INSPECTION_MS);
    const failed = new Set<LocalInterface>();
    const isForGateways = /^$|InternetGatewayDevice|WANIPConnection|WANPPPConnection|rootdevice/.test(deviceFilter);
    const onReply = ({ message, responder, through }: SearchReply): void => {
      isAnswered = true;
      const key = `${message.target} ${message.location}`;
      if (done.signal.aborted || seen.has(key) || seen.size >= MAX_DEVICES || !message.target.includes(deviceFilter))
        return;
      seen.add(key);
      const device = new UPNPDevice();
      device.descriptionUrl = message.location;
      device.serviceType = message.target;
      found.push(device);
      const inspection = inspect(device, responder, through.address, limit).then(() => {
        inspections.delete(inspection);
        if (isForGateways && device.isValidGateway()) systemClock.after(MORE_GATEWAYS_MS, () => done.abort());
      });
      inspections.add(inspection);
    };
    {
      using _search = new SsdpSearch({
        interfaces,
        clock: systemClock,
        ttl,
        localPort: this.discoverLocalPort === 1 ? 1900 : this.discoverLocalPort,
        targets: isForGateways ? SEARCH_TARGETS : ALL_TARGETS,
        onReply,
        onError: (through) => {
          failed.add(through);
          if (failed.size === interfaces.length) done.abort();
        },
      });
      await sleep(timeout, done.signal);
    }
    done.abort();
    // Devices that answered in time are still inspected.
    await Promise.all(inspections);
    this.#devices = found;
    // As Godot: also where the filter leaves none of those that answered.
    if (isAnswered) return UPNPResult.SUCCESS;
    return failed.size > 0 && failed.size === interfaces.length ? UPNPResult.SOCKET_ERROR : UPNPResult.NO_DEVICES;
  }

  /** How many devices are in the list. */
  getDeviceCount(): number {
    return this.#devices.length;
  }

  /** A device of the list, counted from 0. @returns `null` for an index that is out of range */
  getDevice(index: number): UPNPDevice | null {
    return this.#devices[index] ?? null;
  }

  /** Appends a device to the list. */
  addDevice(device: UPNPDevice): void {
    this.#devices.push(device);
  }

  /** Replaces a device; an index that is out of range changes nothing. */
  setDevice(index: number, device: UPNPDevice): void {
    if (index in this.#devices) this.#devices[index] = device;
  }

  /** Removes a device; an index that is out of range changes nothing. */
  removeDevice(index: number): void {
    if (index in this.#devices) this.#devices.splice(index, 1);
  }

  /** Empties the list. */
  clearDevices(): void {
    this.#devices = [];
  }

  /** The first device that is a valid gateway, else `null`. */
  getGateway(): UPNPDevice | null {
    return this.#devices.find((device) => device.isValidGateway()) ?? null;
  }

  /** The gateway's external address, `""` on any error. */
  async queryExternalAddress(): Promise<string> {
    return (await this.getGateway()?.queryExternalAddress()) ?? "";
  }

  /**
   * Maps a port of the gateway, and overwrites who has it, as Godot documents it: what is mapped there is deleted first, another
   * machine's mapping too where the router lets one. {@link UPNPDevice.addPortMapping} of {@link getGateway} deletes nothing.
   * Parameters and results are the same; nothing is deleted for parameters that cannot be mapped.
   * @returns also NO_GATEWAY
   */
  async addPortMapping(
    port: number,
    portInternal = 0,
    description = "",
    protocol = "UDP",
    duration = 0,
  ): Promise<UPNPResult> {
    const gateway = this.getGateway();
    if (!gateway) return UPNPResult.NO_GATEWAY;
    const problem = checkMapping(port, portInternal, protocol, duration);
    if (problem !== undefined) return problem;
    await gateway.deletePortMapping(port, protocol);
    return gateway.addPortMapping(port, portInternal, description, protocol, duration);
  }

  /** Removes a mapping of the gateway; see {@link UPNPDevice.deletePortMapping}. */
  async deletePortMapping(port: number, protocol = "UDP"): Promise<UPNPResult> {
    return (await this.getGateway()?.deletePortMapping(port, protocol)) ?? UPNPResult.NO_GATEWAY;
  }

  async #interfaces(): Promise<LocalInterface[]> {
    const usable = this.discoverIpv6
      ? interfaces6()
      : (await interfacesToRouters()).filter(({ family }) => family === 4);
    const wanted = this.discoverMulticastIf;
    return wanted === "" ? usable : usable.filter(({ name, address }) => name === wanted || address === wanted);
  }
}

/** One link-local address per interface: IPv6 devices are met there. */
function interfaces6(): LocalInterface[] {
  const interfaces = readInterfaces();
  return Object.entries(interfaces).flatMap(([name, list]) => {
    const local = list?.find(
      ({ family, internal, address }) => family === "IPv6" && !internal && address.startsWith("fe80:"),
    );
    if (!local) return [];
    const address = withZone(local.address, zoneOf(name, interfaces));
    return [{ name, address, family: 6 as const, prefixLength: prefixLengthOf(local.cidr, 6) }];
  });
}

/** Finds out what a device is; says so in its `igdStatus`. */
async function inspect(
  device: UPNPDevice,
  responder: string,
  localAddress: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    const description = await fetchDescription(
      httpRequest,
      {
        location: device.descriptionUrl,
        responder,
        localAddress,
      },
      signal,
    );
    const services = connectionServices(description);
    if (services.length === 0) {
      device.igdStatus = description.services.length > 0 ? IGDStatus.UNKNOWN_DEVICE : IGDStatus.NO_URLS;
      return;
    }
    device.descriptionUrl = pinUrl(device.descriptionUrl, responder).href;
    let isAnswering = false;
    for (const { serviceType, controlUrl } of services) {
      const connection = new WanConnection({ serviceType, controlUrl, address: responder, localAddress }, httpRequest);
      const status = await connection.getStatusInfo({ signal }).catch(() => undefined);
      isAnswering ||= status !== undefined;
      if (status && !status.connected) continue;
      if (!status && services.length > 1) continue;
      device.igdControlUrl = controlUrl.href;
      device.igdServiceType = serviceType;
      device.igdOurAddr = withoutZone(localAddress);
      device.igdStatus = IGDStatus.OK;
      return;
    }
    device.igdStatus = isAnswering ? IGDStatus.DISCONNECTED : IGDStatus.NO_IGD;
  } catch (error) {
    device.igdStatus = signal.aborted ? IGDStatus.HTTP_ERROR : statusOf(error);
  }
}

function statusOf(error: unknown): IGDStatus {
  if (!(error instanceof UpnpError)) return IGDStatus.UNKNOWN_ERROR;
  switch (error.kind) {
    case "http":
    case "socket":
      return IGDStatus.HTTP_ERROR;
    case "response":
      return IGDStatus.NO_IGD;
    case "address":
      return IGDStatus.INVALID_CONTROL;
    case "fault":
      return IGDStatus.UNKNOWN_ERROR;
    default:
      return error.kind satisfies never;
  }
}
