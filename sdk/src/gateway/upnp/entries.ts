/** Entries of a router's table: which are ours, however the router spells them, and how they are called in messages. */
import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { normalizeAddress } from "../../net/endpoint.ts";
import type { Lease, PortMappingEntry, PortRequest } from "../gateway.ts";

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

/**
 * Whom an entry leads to, as far as it says.
 * - `us`: the address that asked, or the name of this computer
 * - `here`: another address of this computer
 * - `other`: another computer
 * - `unsaid`: nothing, or a name that some routers give a computer
 */
export type EntryClient = "us" | "here" | "other" | "unsaid";

/** Reads the client of an entry, however the router spells it. */
export function clientOf({ internalClient }: PortMappingEntry, localAddress: string): EntryClient {
  const told = plainAddress(internalClient);
  if (told === localAddress) return "us";
  if (told === "0.0.0.0" || told === "255.255.255.255" || told === "::") return "unsaid";
  if (isIP(told) !== 0) return thisComputer().addresses.includes(told) ? "here" : "other";
  const name = told.split(".", 1)[0]?.toLowerCase();
  return name !== "" && name === thisComputer().name ? "us" : "unsaid";
}

/** `192.168.001.010`, `::ffff:192.168.1.10` and ` 192.168.1.10/32` are one address. */
function plainAddress(client: string): string {
  const bare = normalizeAddress(
    client
      .trim()
      .toLowerCase()
      .replace(/\/\d+$/, ""),
  );
  return /^\d{1,3}(?:\.\d{1,3}){3}$/.test(bare) ? bare.split(".").map(Number).join(".") : bare;
}

/** Its addresses and the first part of its name. A system that does not tell them leaves them empty. */
function thisComputer(): { addresses: readonly string[]; name: string } {
  try {
    const addresses = Object.values(networkInterfaces()).flatMap((list) => list?.map(({ address }) => address) ?? []);
    return { addresses, name: hostname().split(".", 1)[0]?.toLowerCase() ?? "" };
  } catch {
    return { addresses: [], name: "" };
  }
}

type Known = Pick<PortRequest, "internalPort" | "description" | "shownAs">;

/**
 * Whether an entry that was there before anybody asked is one that we made: same client, same port inside, and our name, which
 * some routers cut short, spell otherwise or forget.
 */
export function wasOurs(entry: PortMappingEntry, localAddress: string, known: Known): boolean {
  if (entry.internalPort !== known.internalPort) return false;
  const { shownAs } = known;
  if (shownAs?.client === entry.internalClient && shownAs.description === entry.description) return true;
  if (clientOf(entry, localAddress) !== "us") return false;
  // How routers call what was mapped by their other protocols: the same port of the same host is ours too.
  if (/^(?:NAT-PMP|PCP) /.test(entry.description)) return true;
  const [shown, sent] = [letters(entry.description), letters(plainText(known.description))];
  if (shown === "" || shown === letters(PLAIN_DESCRIPTION)) return true;
  return sent !== "" && (sent.startsWith(shown) || shown.includes(sent));
}

/** What is left of a description where a router changes case, blanks and punctuation. */
function letters(description: string): string {
  return description.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/**
 * Whether an entry is the one that we made a moment ago or hold: the port was free before, the router agreed, and the entry names
 * our port and no other computer. Its description may be anything.
 */
export function isHeld(entry: PortMappingEntry, localAddress: string, { internalPort, shownAs }: Known): boolean {
  if (entry.internalPort !== internalPort) return false;
  const client = clientOf(entry, localAddress);
  const before = shownAs?.client ?? "";
  // A router that calls computers by names: it told another name before.
  if (client === "unsaid" && before !== "" && entry.internalClient !== "" && isName(before))
    return entry.internalClient === before;
  return client !== "other";
}

function isName(client: string): boolean {
  return isIP(plainAddress(client)) === 0;
}

/** The client and the description that the router shows. */
export function shownAs({ internalClient: client, description }: PortMappingEntry): NonNullable<Lease["shownAs"]> {
  return { client, description };
}

export function describePort({ externalPort, transport }: Pick<PortRequest, "externalPort" | "transport">): string {
  return `${transport.toUpperCase()} port ${externalPort}`;
}

export function describeOwner(entry: PortMappingEntry, localAddress: string): string {
  const name = entry.description ? ` ("${entry.description.slice(0, 40)}")` : "";
  const client = clientOf(entry, localAddress);
  if (client === "us" || client === "here")
    return `another program on this computer, at port ${entry.internalPort}${name}`;
  return `${entry.internalClient || "another computer"}:${entry.internalPort}${name}`;
}
