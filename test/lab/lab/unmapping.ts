/** Takes a mapping away from the program that made it: by its own protocol, in the name of its machine. */
import { endianness } from "node:os";
import type { Host } from "./machine.ts";
import { type Mapping, NAT_PMP_PORT } from "./miniupnpd.ts";

/** Sends one datagram (bytes in hexadecimal) and waits for the reply. */
const REQUEST = `
const [address, port, hex] = process.argv.slice(1);
const socket = require("node:dgram").createSocket("udp4");
const timer = setTimeout(() => process.exit(1), 2000);
socket.once("message", () => { clearTimeout(timer); socket.close(); });
socket.send(Buffer.from(hex, "hex"), Number(port), address);
`;

/** Asks the gateway as the mapping's owner would. Whether it has obeyed is for the caller to read back. */
export async function unmap(host: Host, mapping: Mapping, descriptionUrl: string): Promise<string> {
  const request = pcpDelete(host.address, mapping) ?? natPmpDelete(mapping);
  const command =
    request === undefined
      ? ["upnpc", "-u", descriptionUrl, "-d", String(mapping.externalPort), mapping.protocol]
      : [process.execPath, "-e", REQUEST, host.router, String(NAT_PMP_PORT), request];
  return (await host.exec(command)).output;
}

/** RFC 6887 section 11.1 with lifetime 0. miniupnpd keeps the nonce in the description, as three numbers of this machine. */
function pcpDelete(client: string, mapping: Mapping): string | undefined {
  const [, words] = /^PCP MAP ([0-9a-f]{24})$/.exec(mapping.description ?? "") ?? [];
  if (words === undefined) return undefined;
  const bytes = Buffer.from(words, "hex");
  const nonce = (endianness() === "LE" ? bytes.swap32() : bytes).toString("hex");
  const mapped = "00".repeat(10) + "ffff";
  const header = `0201000000000000${mapped}${Buffer.from(client.split(".").map(Number)).toString("hex")}`;
  const protocol = mapping.protocol === "udp" ? "11" : "06";
  const ports = hex16(mapping.internalPort) + hex16(mapping.externalPort);
  return `${header}${nonce}${protocol}000000${ports}${mapped}00000000`;
}

/** RFC 6886 section 3.4: lifetime 0 and no external port. */
function natPmpDelete(mapping: Mapping): string | undefined {
  if (mapping.description?.startsWith("NAT-PMP ") !== true) return undefined;
  return `00${mapping.protocol === "udp" ? "01" : "02"}0000${hex16(mapping.internalPort)}000000000000`;
}

function hex16(value: number): string {
  return value.toString(16).padStart(4, "0");
}
