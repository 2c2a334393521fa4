import { type Interfaces, readInterfaces } from "./interfaces.ts";

/**
 * How an address names the interface that it is on (RFC 4007 section 11): by name, on Windows by number. Sockets take this one and
 * no other, and name senders so.
 */
export function zoneOf(
  interfaceName: string,
  interfaces: Interfaces = readInterfaces(),
  platform: NodeJS.Platform = process.platform,
): string {
  if (platform !== "win32") return interfaceName;
  for (const each of interfaces[interfaceName] ?? []) {
    // Link-local addresses alone have it.
    if (each.family === "IPv6" && each.scopeid !== 0) return String(each.scopeid);
  }
  return interfaceName;
}
