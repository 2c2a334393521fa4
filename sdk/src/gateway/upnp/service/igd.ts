import { addressFamily } from "../../../net/address.ts";
import type { PortMappingEntry } from "../../gateway.ts";
import type { Transport } from "../../types.ts";
import { UpnpError, UpnpErrorCode } from "./errors.ts";
import { type CallOptions, SoapService } from "./http.ts";
import type { SoapArguments } from "./soap.ts";
import { children, parseXml, text, type XmlElement } from "./xml.ts";

export interface ConnectionStatus {
  /** `Connected`, on some routers `Up`. */
  status: string;
  connected: boolean;
  lastError: string;
  /** Seconds. Fewer than before: the router restarted. */
  uptimeSeconds: number;
}

/** Entries read at most from one table. */
const MAX_ENTRIES = 512;
/** Entries looked through where a router cannot be asked for one. */
const MAX_SCAN = 128;
/** What routers answer to GetSpecificPortMappingEntry where there is no entry. */
export const NO_ENTRY: ReadonlySet<number> = new Set([
  UpnpErrorCode.NoSuchEntryInArray,
  UpnpErrorCode.PortMappingNotFound,
]);
/** What routers answer to GetGenericPortMappingEntry behind the last entry: the first by the specification. */
const NO_MORE_ENTRIES: ReadonlySet<number> = new Set([
  UpnpErrorCode.SpecifiedArrayIndexInvalid,
  UpnpErrorCode.NoSuchEntryInArray,
  UpnpErrorCode.PortMappingNotFound,
  UpnpErrorCode.InvalidArgs,
  UpnpErrorCode.ActionFailed,
]);

function isFault(error: unknown, codes: ReadonlySet<number>): boolean {
  return error instanceof UpnpError && error.kind === "fault" && codes.has(error.code);
}

/** One WAN*Connection service of a gateway: its actions, with their answers checked. (WANIPConnection:2 section 2.5.) */
export class WanConnection extends SoapService {
  /** GetSpecificPortMappingEntry does not work here: the whole table is read instead. */
  #scans = false;
  /** The table showed entries when it was read as a whole. */
  #hasEntries = false;

  /** The specification's version: 2 has AddAnyPortMapping and GetListOfPortMappings. */
  get version(): number {
    return Number(this.target.serviceType.at(-1)) || 1;
  }

  async getStatusInfo(options?: CallOptions): Promise<ConnectionStatus> {
    const answer = await this.call("GetStatusInfo", [], options);
    const status = required(answer, "NewConnectionStatus", this.target.serviceType);
    return {
      status,
      connected: /^(?:connected|up)$/i.test(status),
      lastError: text(answer, "NewLastConnectionError") ?? "",
      uptimeSeconds: optionalNumber(text(answer, "NewUptime"), 0xffffffff) ?? 0,
    };
  }

  /** `""` when the router has none: it then answers 0.0.0.0, nothing at all, or another text. */
  async getExternalIpAddress(options?: CallOptions): Promise<string> {
    const answer = await this.call("GetExternalIPAddress", [], options);
    const address = (text(answer, "NewExternalIPAddress") ?? "").trim();
    return addressFamily(address) !== 0 && address !== "0.0.0.0" ? address : "";
  }

  /** @throws {UpnpError} 718, 725, 724, 402, 501, 606, 728… */
  async addPortMapping(entry: AddRequest, options?: CallOptions): Promise<void> {
    await this.call("AddPortMapping", entryArguments(entry, this.target.localAddress), {
      ...options,
      answersNothing: true,
    });
  }

  /** IGD:2 only: the router takes another port when the requested one is taken, and answers which. */
  async addAnyPortMapping(entry: AddRequest, options?: CallOptions): Promise<number> {
    const answer = await this.call("AddAnyPortMapping", entryArguments(entry, this.target.localAddress), options);
    return requiredPort(answer, "NewReservedPort", this.target.serviceType);
  }

  async deletePortMapping(externalPort: number, protocol: Transport, options?: CallOptions): Promise<void> {
    await this.call("DeletePortMapping", keyArguments(externalPort, protocol), { ...options, answersNothing: true });
  }

  /** `undefined` when there is no such entry. 713 and 402, which some routers answer, are errors nevertheless. */
  async getSpecificPortMappingEntry(
    externalPort: number,
    protocol: Transport,
    options?: CallOptions,
  ): Promise<PortMappingEntry | undefined> {
    try {
      const answer = await this.call("GetSpecificPortMappingEntry", keyArguments(externalPort, protocol), options);
      return { ...readEntry(answer, this.target.serviceType), remoteHost: "", externalPort, protocol };
    } catch (error) {
      if (isFault(error, NO_ENTRY)) return undefined;
      throw error;
    }
  }

  /** The entry at `index`; `undefined` behind the last one. */
  async getGenericPortMappingEntry(index: number, options?: CallOptions): Promise<PortMappingEntry | undefined> {
    try {
      const answer = await this.call("GetGenericPortMappingEntry", [["NewPortMappingIndex", index]], options);
      return readFullEntry(answer, this.target.serviceType);
    } catch (error) {
      if (isFault(error, NO_MORE_ENTRIES)) return undefined;
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

  /** IGD:2 only: the table in one answer. 730 stands for an empty one. */
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
      const answer = await this.call("GetListOfPortMappings", input, options);
      listing = required(answer, "NewPortListing", this.target.serviceType);
    } catch (error) {
      if (isFault(error, NO_ENTRY)) return [];
      throw error;
    }
    // A document inside a document: escaped once by the router, unescaped once by the parser.
    const list = parseXml(Buffer.from(listing));
    const entries = children(list && children(list, "PortMappingList")[0], "PortMappingEntry");
    return entries.slice(0, MAX_ENTRIES).map((entry) => readFullEntry(entry, this.target.serviceType));
  }

  /**
   * Who has a port, read in whichever way the router allows.
   * @returns `undefined` if nobody has it, `"unknown"` if the router cannot say
   * @throws {UpnpError} `socket`: it does not answer
   */
  async findPortMapping(
    externalPort: number,
    protocol: Transport,
    options?: CallOptions,
  ): Promise<PortMappingEntry | "unknown" | undefined> {
    if (!this.#scans) {
      try {
        return await this.getSpecificPortMappingEntry(externalPort, protocol, options);
      } catch (error) {
        if (!(error instanceof UpnpError) || error.kind === "socket") throw error;
        this.#scans = true;
      }
    }
    return this.scanForPortMapping(externalPort, protocol, options);
  }

  /**
   * Who has a port, by reading the table entry by entry. A router that shows it so, and not when it is asked for the port, is
   * read so from then on.
   * @returns as {@link findPortMapping}
   * @throws {UpnpError} `socket`: it does not answer
   */
  async scanForPortMapping(
    externalPort: number,
    protocol: Transport,
    options?: CallOptions,
  ): Promise<PortMappingEntry | "unknown" | undefined> {
    try {
      for (let index = 0; index < MAX_SCAN; index++) {
        const entry = await this.getGenericPortMappingEntry(index, options);
        // An empty table may be one that is not told.
        if (entry === undefined) return index > 0 || this.#hasEntries ? undefined : "unknown";
        this.#hasEntries = true;
        if (entry.externalPort !== externalPort || entry.protocol !== protocol) continue;
        this.#scans = true;
        return entry;
      }
    } catch (error) {
      if (!(error instanceof UpnpError) || error.kind === "socket") throw error;
    }
    return "unknown";
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
    internalClient: (text(answer, "NewInternalClient") ?? "").trim().slice(0, 64),
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
  if (port === undefined) throw new UpnpError("response", `the router's ${name} is not a port`, { serviceType });
  return port;
}

function optionalNumber(value: string | undefined, max: number): number | undefined {
  if (value === undefined || !/^\s*\d{1,10}\s*$/.test(value)) return undefined;
  const number = Number(value);
  return number <= max ? number : undefined;
}
