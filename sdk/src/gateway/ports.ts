import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { readInterfaces } from "../net/interfaces.ts";

/** Alternatives are registered ports: below them stand services, above them the ephemeral ports (RFC 6335 section 6). */
const FIRST = 20_000;
const LAST = 49_151;

/** How many ports are tried on one gateway before it is given up. */
const MAX_CANDIDATES = 10;

/** Something that stays the same on this machine and differs on the next. */
export function machineId(): string {
  for (const path of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
    try {
      const id = readFileSync(path, "utf8").trim();
      if (id) return `${id} ${hostname()}`;
    } catch {
      // Not a systemd system.
    }
  }
  const hardware = Object.values(readInterfaces()).flatMap((list) => list?.map(({ mac }) => mac) ?? []);
  return `${hostname()} ${hardware.find((mac) => mac !== "00:00:00:00:00:00") ?? ""}`;
}

/**
 * The external ports to try: the wish, then alternatives that are the same at every start of the same application on
 * the same machine behind the same gateway, and others for everybody else.
 */
export function candidatePorts(
  wish: number,
  internalPort: number,
  seed: { machine: string; application: string; gateway: string },
): number[] {
  const ports = [wish];
  if (internalPort !== wish && internalPort >= 1024) ports.push(internalPort);
  const hash = createHash("sha256")
    .update(JSON.stringify([seed.machine, seed.application, seed.gateway, internalPort, wish]))
    .digest();
  for (let i = 0; ports.length < MAX_CANDIDATES && i < 16; i++) {
    const port = FIRST + (hash.readUInt16BE(i * 2) % (LAST - FIRST + 1));
    if (!ports.includes(port)) ports.push(port);
  }
  return ports;
}
