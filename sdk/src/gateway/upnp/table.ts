import type { PortMappingEntry } from "../gateway.ts";
import type { Transport } from "../types.ts";
import { UpnpError } from "./service/errors.ts";
import type { WanConnection } from "./service/igd.ts";

/** A name that no router's parser stumbles over. */
export const PLAIN_DESCRIPTION = "Sallyport";
/** Entries looked through where a router cannot be asked for one. */
const MAX_SCAN = 128;

/** A router's table of port mappings, read in whichever way the router allows. */
export class PortMappingTable {
  readonly #connection: WanConnection;
  /** GetSpecificPortMappingEntry does not work here: the whole table is read instead. */
  #scans = false;

  constructor(connection: WanConnection) {
    this.#connection = connection;
  }

  /** Who owns a port: an entry, `undefined` for nobody, `unknown` when the router cannot say. @throws {UpnpError} `socket`: it does not answer */
  async find(
    port: number,
    transport: Transport,
    signal: AbortSignal | undefined,
  ): Promise<PortMappingEntry | undefined | "unknown"> {
    if (!this.#scans) {
      try {
        return await this.#connection.getSpecificPortMappingEntry(port, transport, { signal });
      } catch (error) {
        if (!(error instanceof UpnpError) || error.kind === "socket") throw error;
        this.#scans = true;
      }
    }
    try {
      for (let index = 0; index < MAX_SCAN; index++) {
        const entry = await this.#connection.getGenericPortMappingEntry(index, { signal });
        if (entry === undefined) return index === 0 ? "unknown" : undefined;
        if (entry.externalPort === port && entry.protocol === transport) return entry;
      }
    } catch (error) {
      if (!(error instanceof UpnpError) || error.kind === "socket") throw error;
    }
    return "unknown";
  }

  /** Same client, same port inside, and our name: some routers cut it short or forget it. */
  isOurs(
    entry: PortMappingEntry,
    { internalPort, description }: { internalPort: number; description: string },
  ): boolean {
    if (entry.internalClient !== this.#connection.target.localAddress || entry.internalPort !== internalPort)
      return false;
    const ours = plainText(description);
    // How routers call what was mapped through their other protocols: the same port of the same host is ours too.
    if (/^(?:NAT-PMP|PCP) /.test(entry.description)) return true;
    return (
      entry.description === PLAIN_DESCRIPTION ||
      ours.startsWith(entry.description.trim()) ||
      entry.description.includes(ours)
    );
  }
}

/** What every router takes as a description. */
export function plainText(description: string): string {
  return (
    description
      .replace(/[^ -~]/g, "?")
      .replace(/[&<>"']/g, " ")
      .trim()
      .slice(0, 63) || PLAIN_DESCRIPTION
  );
}
