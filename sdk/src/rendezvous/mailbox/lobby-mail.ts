/** What a lobby sends to its hosts and guests, checked and put into the words of mailbox.ts. */
import { MAX_RECORD_BYTES } from "../sealed/records.ts";
import { checkRendezvousProtocol, parseBytes, parseEndReason, parseHostMessage, parseId } from "../wire/protocol.ts";
import { parseServers } from "../wire/servers.ts";
import type { GuestMail, HostMail } from "./mailbox.ts";

const NOTHING = new Uint8Array(0);

/**
 * Undefined for whatever is nothing to a host, or malformed: a lobby that talks nonsense does not end a game.
 * @throws RendezvousError `refused` where the lobby speaks another version
 */
export function parseHostMail(type: unknown, message: unknown, code: string): HostMail | undefined {
  if (type === "registered") return parseRegistered(message, code);
  if (type === "servers") return serversFor(message);
  const id = parseId(message);
  if (id === undefined) return undefined;
  if (type === "introduction") {
    const hello = parseBytes(message, "hello", MAX_RECORD_BYTES) ?? NOTHING;
    const { attested } = message as { attested?: unknown };
    return attested === true ? { type, id, hello, attested } : { type, id, hello };
  }
  if (type === "relay") return { type, id, data: parseBytes(message, "data", MAX_RECORD_BYTES) ?? NOTHING };
  return type === "end" ? { type, id } : undefined;
}

/**
 * Undefined for types that are nothing to a guest.
 * @throws RendezvousError `invalid` for what is malformed: a guest can ask again
 */
export function parseGuestMail(type: unknown, message: unknown): GuestMail | undefined {
  switch (type) {
    case "host":
      return { type, host: parseHostMessage(message) };
    case "servers":
      return { type, servers: parseServers(message) };
    case "relay":
      return { type, data: parseBytes(message, "data", MAX_RECORD_BYTES) ?? NOTHING };
    case "attested":
      return { type };
    case "end":
      return { type, reason: parseEndReason(message) };
    default:
      return undefined;
  }
}

function parseRegistered(message: unknown, code: string): HostMail | undefined {
  const said = message as { code?: unknown; url?: unknown; protocol?: unknown } | null | undefined;
  if (said?.code !== code) return undefined;
  checkRendezvousProtocol(said.protocol, "game");
  return { type: "registered", url: typeof said.url === "string" ? said.url : undefined };
}

function serversFor(message: unknown): HostMail | undefined {
  try {
    return { type: "servers", servers: parseServers(message) };
  } catch {
    return undefined; // the game can do without
  }
}
