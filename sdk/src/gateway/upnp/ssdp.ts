/** SSDP messages (UPnP Device Architecture 2.0, section 1). No I/O. */

/** UPnP Device Architecture 2.0, section 1. */
export const SSDP_PORT = 1900;
export const SSDP_ADDRESS_4 = "239.255.255.250";
/** Link-local scope; miniupnpd, FritzBox and Windows answer here. */
export const SSDP_ADDRESS_6 = "ff02::c";

/**
 * Search targets, most useful first. Some routers answer only to the target that they know (IGD:2 or a WAN service), some
 * answer `ssdp:all` only with their first descriptor.
 */
export const SEARCH_TARGETS: readonly string[] = [
  "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
  "urn:schemas-upnp-org:device:InternetGatewayDevice:2",
  "upnp:rootdevice",
  "urn:schemas-upnp-org:service:WANIPConnection:1",
  "urn:schemas-upnp-org:service:WANPPPConnection:1",
  "ssdp:all",
];

/** Longer datagrams are ignored: real ones stay below 600 bytes. */
const MAX_MESSAGE = 4096;
const MAX_HEADERS = 48;

export interface SsdpMessage {
  kind: "response" | "notify" | "search";
  /** Where the description is; empty in a byebye. */
  location: string;
  /** ST of a response, NT of a notification. */
  target: string;
  usn: string;
  server: string;
  /** NTS of a notification. */
  nts: "" | "alive" | "byebye" | "update";
  /** BOOTID.UPNP.ORG: another number is another boot (section 1.2). */
  bootId: number | undefined;
}

/** `M-SEARCH`; a unicast search names the device and carries no MX (section 1.3.2), but old stacks want MX there too. */
export function encodeSearch(target: string, host: string, mxSeconds = 1): Buffer {
  return Buffer.from(
    `M-SEARCH * HTTP/1.1\r\nHOST: ${host}\r\nST: ${target}\r\nMAN: "ssdp:discover"\r\nMX: ${mxSeconds}\r\n\r\n`,
    "latin1",
  );
}

/** Reads a datagram as SSDP; `undefined` for everything else. LF alone ends a line too, header names have any case. */
export function decodeSsdp(datagram: Uint8Array): SsdpMessage | undefined {
  if (datagram.length < 16 || datagram.length > MAX_MESSAGE) return undefined;
  const text = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length).toString("latin1");
  const lines = text.split("\n", MAX_HEADERS);
  const start = (lines[0] ?? "").trimEnd();
  let kind: SsdpMessage["kind"];
  if (/^HTTP\/1\.[01] 200(?: |$)/i.test(start)) kind = "response";
  else if (/^NOTIFY \* HTTP\/1\.[01]$/i.test(start)) kind = "notify";
  else if (/^M-SEARCH \* HTTP\/1\.[01]$/i.test(start)) kind = "search";
  else return undefined;
  const headers = new Map<string, string>();
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    if (colon < 1) continue;
    const name = line.slice(0, colon).trim().toLowerCase();
    if (!headers.has(name)) headers.set(name, line.slice(colon + 1).trim());
  }
  const boot = headers.get("bootid.upnp.org") ?? "";
  const nts = (headers.get("nts") ?? "").toLowerCase();
  return {
    kind,
    location: headers.get("location") ?? "",
    target: headers.get(kind === "notify" ? "nt" : "st") ?? "",
    usn: headers.get("usn") ?? "",
    server: headers.get("server") ?? "",
    nts: nts === "ssdp:alive" ? "alive" : nts === "ssdp:byebye" ? "byebye" : nts === "ssdp:update" ? "update" : "",
    bootId: /^\d{1,10}$/.test(boot) ? Number(boot) : undefined,
  };
}

/** Whether a message calls its sender an internet gateway, or names a service that only gateways have. */
export function namesGateway({ target }: SsdpMessage): boolean {
  return /InternetGatewayDevice|WAN(?:Connection)?Device|WANIPConnection|WANPPPConnection|WANIPv6FirewallControl/i.test(
    target,
  );
}

/** Whether a message may come from an internet gateway: its target could lead to a root description. */
export function mayBeGateway(message: SsdpMessage): boolean {
  return namesGateway(message) || /upnp:rootdevice|^uuid:|^ssdp:all$/i.test(message.target);
}
