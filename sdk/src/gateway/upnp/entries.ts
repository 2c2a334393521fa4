/** Entries of a router's table: which are ours, and how they are called in messages. */
import type { PortMappingEntry, PortRequest } from "../gateway.ts";

/** A description that every router's parser takes. */
export const PLAIN_DESCRIPTION = "Sallyport";
const MAX_DESCRIPTION = 63;

/** What every router takes as a description. */
export function plainText(description: string): string {
  return (
    description
      .replace(/[^ -~]/g, "?")
      .replace(/[&<>"']/g, " ")
      .trim()
      .slice(0, MAX_DESCRIPTION) || PLAIN_DESCRIPTION
  );
}

/** Whether an entry is ours: same client, same port inside, and our name, which some routers cut short or forget. */
export function isOurs(
  entry: PortMappingEntry,
  localAddress: string,
  { internalPort, description }: Pick<PortRequest, "internalPort" | "description">,
): boolean {
  if (entry.internalClient !== localAddress || entry.internalPort !== internalPort) return false;
  // How routers call what was mapped by their other protocols: the same port of the same host is ours too.
  if (/^(?:NAT-PMP|PCP) /.test(entry.description)) return true;
  const ours = plainText(description);
  return (
    entry.description === PLAIN_DESCRIPTION ||
    ours.startsWith(entry.description.trim()) ||
    entry.description.includes(ours)
  );
}

export function describePort({ externalPort, transport }: PortRequest): string {
  return `${transport.toUpperCase()} port ${externalPort}`;
}

export function describeOwner(entry: PortMappingEntry, localAddress: string): string {
  const name = entry.description ? ` ("${entry.description.slice(0, 40)}")` : "";
  if (entry.internalClient === localAddress)
    return `another program on this computer, at port ${entry.internalPort}${name}`;
  return `${entry.internalClient}:${entry.internalPort}${name}`;
}
