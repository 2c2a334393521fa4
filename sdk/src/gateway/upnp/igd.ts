import { addressFamily } from "../../net/address.ts";
import type { Transport } from "../types.ts";
import { UpnpError } from "./errors.ts";
import type { HttpClient } from "./http.ts";
import { type CallOptions, callAction, type SoapArguments, type SoapTarget } from "./soap.ts";
import { children, parseXml, text, type XmlElement } from "./xml.ts";

/** An entry of a router's table of port mappings. */
export interface PortMappingEntry {
  remoteHost: string;
  externalPort: number;
  protocol: Transport;
  internalPort: number;
  internalClient: string;
  enabled: boolean;
  description: string;
  /** Seconds that are left; 0 is a permanent entry. */
  leaseSeconds: number;
}

export interface ConnectionStatus {
  /** `Connected`, on some routers `Up`. */
  status: string;
  connected: boolean;
  lastError: string;
  /** Seconds. Less than before means that the router restarted. */
  uptimeSeconds: number;
}

/** Entries read at most from one table. */
const MAX_ENTRIES = 512;

/** One WAN*Connection service of a gateway: its actions, with their answers checked. (WANIPConnection:2 section 2.5.) */
export class WanConnection {
  readonly target: SoapTarget;
  readonly #http: HttpClient;

  constructor(target: SoapTarget, http: HttpClient) {
    this.target = target;
    this.#http = http;
  }

  /** The specification's version: 2 has AddAnyPortMapping and GetListOfPortMappings. */
  get version(): number {
    return Number(this.target.serviceType.at(-1)) || 1;
  }

  async getStatusInfo(options?: CallOptions): Promise<ConnectionStatus> {
    const answer = await this.#call("GetStatusInfo", [], options);
    const status = required(answer, "NewConnectionStatus", this.target.serviceType);
    return {
      status,
      connected: /^(?:connected|up)$/i.test(status),
      lastError: text(answer, "NewLastConnectionError") ?? "",
      uptimeSeconds: optionalNumber(text(answer, "NewUptime"), 0xffffffff) ?? 0,
    };
  }

  /** `""` when the router has none: it answers 0.0.0.0, nothing at all, or something that is no address. */
  async getExternalIpAddress(options?: CallOptions): Promise<string> {
    const answer = await this.#call("GetExternalIPAddress", [], options);
    const address = (text(answer, "NewExternalIPAddress") ?? "").trim();
    return addressFamily(address) !== 0 && address !== "0.0.0.0" ? address : "";
  }

  /** @throws {UpnpError} 718, 725, 724, 402, 501, 606, 728… */
  async addPortMapping(entry: AddRequest, options?: CallOptions): Promise<void> {
    await this.#call("AddPortMapping", entryArguments(entry, this.target.localAddress), options);
  }

  /** IGD:2 alone: the router takes another port when the wished one is taken, and answers which. */
  async addAnyPortMapping(entry: AddRequest, options?: CallOptions): Promise<number> {
    const answer = await this.#call("AddAnyPortMapping", entryArguments(entry, this.target.localAddress), options);
    return requiredPort(answer, "NewReservedPort", this.target.serviceType);
  }

  async deletePortMapping(externalPort: number, protocol: Transport, options?: CallOptions): Promise<void> {
    await this.#call("DeletePortMapping", keyArguments(externalPort, protocol), options);
  }

  /** `undefined` when there is no such entry (714; 713 and 402 in the words of some routers are errors all the same). */
  async getSpecificPortMappingEntry(
    externalPort: number,
    protocol: Transport,
    options?: CallOptions,
  ): Promise<PortMappingEntry | undefined> {
    try {
      const answer = await this.#call("GetSpecificPortMappingEntry", keyArguments(externalPort, protocol), options);
      return { ...readEntry(answer, this.target.serviceType), remoteHost: "", externalPort, protocol };
    } catch (error) {
      if (error instanceof UpnpError && error.kind === "fault" && (error.code === 714 || error.code === 730))
        return undefined;
      throw error;
    }
  }

  /** The entry at `index`; `undefined` behind the last one (713, and 714, 402 and 501 of careless routers). */
  async getGenericPortMappingEntry(index: number, options?: CallOptions): Promise<PortMappingEntry | undefined> {
    try {
      const answer = await this.#call("GetGenericPortMappingEntry", [["NewPortMappingIndex", index]], options);
      return readFullEntry(answer, this.target.serviceType);
    } catch (error) {
      if (error instanceof UpnpError && error.kind === "fault" && [713, 714, 730, 402, 501].includes(error.code))
        return undefined;
      throw error;
    }
  }

  /** The whole table, entry after entry. */
  async listPortMappings(options?: CallOptions): Promise<PortMappingEntry[]> {
    const entries: PortMappingEntry[] = [];
    for (let index = 0; index < MAX_ENTRIES; index++) {
      const entry = await this.getGenericPortMappingEntry(index, options);
      if (!entry) break;
      entries.push(entry);
    }
    return entries;
  }

  /** IGD:2 alone: the table in one answer. 730 is an empty one. */
  async getListOfPortMappings(protocol: Transport, options?: CallOptions): Promise<PortMappingEntry[]> {
    const input: SoapArguments = [
      ["NewStartPort", 1],
      ["NewEndPort", 65535],
      ["NewProtocol", protocol.toUpperCase()],
      ["NewManage", 0],
      ["NewNumberOfPorts", MAX_ENTRIES],
    ];
    let listing: string;
    try {
      const answer = await this.#call("GetListOfPortMappings", input, options);
      listing = required(answer, "NewPortListing", this.target.serviceType);
    } catch (error) {
      if (error instanceof UpnpError && error.kind === "fault" && error.code === 730) return [];
      throw error;
    }
    // A document inside a document: escaped once by the router, unescaped once by the parser.
    const list = parseXml(Buffer.from(listing));
    const entries = children(list && children(list, "PortMappingList")[0], "PortMappingEntry");
    return entries.slice(0, MAX_ENTRIES).map((entry) => readFullEntry(entry, this.target.serviceType));
  }

  #call(action: string, input: SoapArguments, options?: CallOptions): Promise<XmlElement> {
    return callAction(this.#http, this.target, action, input, options);
  }
}

export interface AddRequest {
  externalPort: number;
  protocol: Transport;
  internalPort: number;
  description: string;
  /** Seconds, 0 for a permanent entry. */
  leaseSeconds: number;
}

function entryArguments(entry: AddRequest, client: string): SoapArguments {
  return [
    ...keyArguments(entry.externalPort, entry.protocol),
    ["NewInternalPort", entry.internalPort],
    ["NewInternalClient", client],
    ["NewEnabled", 1],
    ["NewPortMappingDescription", entry.description],
    ["NewLeaseDuration", entry.leaseSeconds],
  ];
}

/** The protocol in capitals: miniupnpd and others take nothing else. */
function keyArguments(externalPort: number, protocol: Transport): SoapArguments {
  return [
    ["NewRemoteHost", ""],
    ["NewExternalPort", externalPort],
    ["NewProtocol", protocol.toUpperCase()],
  ];
}

function readEntry(
  answer: XmlElement,
  serviceType: string,
): Omit<PortMappingEntry, "remoteHost" | "externalPort" | "protocol"> {
  return {
    internalPort: requiredPort(answer, "NewInternalPort", serviceType),
    internalClient: required(answer, "NewInternalClient", serviceType).slice(0, 64),
    enabled: !/^(?:0|false|no)$/i.test(text(answer, "NewEnabled") ?? "1"),
    description: (text(answer, "NewPortMappingDescription") ?? text(answer, "NewDescription") ?? "").slice(0, 256),
    leaseSeconds: optionalNumber(text(answer, "NewLeaseDuration") ?? text(answer, "NewLeaseTime"), 0xffffffff) ?? 0,
  };
}

function readFullEntry(answer: XmlElement, serviceType: string): PortMappingEntry {
  const protocol = required(answer, "NewProtocol", serviceType).toLowerCase();
  if (protocol !== "udp" && protocol !== "tcp") {
    throw new UpnpError("response", "the router names a protocol that is neither UDP nor TCP", { serviceType });
  }
  return {
    ...readEntry(answer, serviceType),
    remoteHost: (text(answer, "NewRemoteHost") ?? "").slice(0, 64),
    externalPort: requiredPort(answer, "NewExternalPort", serviceType),
    protocol,
  };
}

function required(answer: XmlElement, name: string, serviceType: string): string {
  const value = text(answer, name);
  if (value === undefined) throw new UpnpError("response", `the router's answer lacks ${name}`, { serviceType });
  return value;
}

function requiredPort(answer: XmlElement, name: string, serviceType: string): number {
  const port = optionalNumber(required(answer, name, serviceType), 65535);
  if (port === undefined) throw new UpnpError("response", `the router's ${name} is no port`, { serviceType });
  return port;
}

function optionalNumber(value: string | undefined, max: number): number | undefined {
  if (value === undefined || !/^\s*\d{1,10}\s*$/.test(value)) return undefined;
  const number = Number(value);
  return number <= max ? number : undefined;
}
