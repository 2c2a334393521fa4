/** Every kind of home that the grids try, and the table of who reaches whom. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { GatewayOptions, Host, Lab } from "./lab/index.ts";

const DOCUMENT = fileURLToPath(new URL("../../docs/traversal-grid.md", import.meta.url));

export type Home =
  | "public"
  | "full cone"
  | "address-restricted"
  | "port-restricted"
  | "symmetric"
  | "carrier-grade"
  | "UDP blocked";

export const HOMES: readonly Home[] = [
  "public",
  "full cone",
  "address-restricted",
  "port-restricted",
  "symmetric",
  "carrier-grade",
  "UDP blocked",
];

const GATEWAYS: Partial<Record<Home, GatewayOptions>> = {
  "full cone": { nat: "full-cone" },
  "address-restricted": { nat: "address-restricted" },
  "port-restricted": { nat: "port-restricted" },
  symmetric: { nat: "symmetric" },
  "UDP blocked": { nat: "port-restricted", blockUdp: true },
};

/** A machine in such a home, which no other shares. */
export async function machineIn(lab: Lab, home: Home): Promise<Host> {
  if (home === "public") return await lab.host();
  if (home !== "carrier-grade") return await (await lab.gateway(GATEWAYS[home])).host();
  const carrier = await lab.gateway({ nat: "port-restricted", carrierGrade: true });
  return await (await lab.gateway({ nat: "port-restricted", behind: carrier })).host();
}

/** What RFC 4787's behaviours allow without guessing ports. */
export function canBeDirect(host: Home, client: Home): boolean {
  const homes = [host, client];
  if (homes.includes("UDP blocked")) return false;
  const strict = (home: Home): boolean =>
    home === "port-restricted" || home === "symmetric" || home === "carrier-grade";
  // A symmetric NAT's port towards the peer is not the one that STUN saw: a filter by port never opens for it.
  return !(homes.includes("symmetric") && strict(host) && strict(client));
}

export interface GridReport extends Record<string, unknown> {
  connected: boolean;
  path: string | null;
  connectMs: number | null;
  upgrades: number;
  lost: number;
  received: number;
  reason: string | null;
}

/** @param results by host and player, `symmetric|public` */
export function gridTable(results: ReadonlyMap<string, GridReport>): string {
  const cell = (host: Home, client: Home): string => {
    const report = results.get(`${host}|${client}`);
    if (!report?.connected) return "none";
    return `${report.path} ${report.connectMs} ms${report.upgrades > 0 ? ` (${report.upgrades} upgrade)` : ""}`;
  };
  const rows = HOMES.map((host) => `| **${host}** | ${HOMES.map((client) => cell(host, client)).join(" | ")} |`);
  return `| host \\ player | ${HOMES.join(" | ")} |
|---|${HOMES.map(() => "---|").join("")}
${rows.join("\n")}
`;
}

/** Writes one grid into the page, between its marks. */
export async function writeGrid(name: "lobby", table: string): Promise<void> {
  const page = await readFile(DOCUMENT, "utf8");
  const [begin, end] = [`<!-- grid ${name} -->\n`, "<!-- end -->"];
  const from = page.indexOf(begin) + begin.length;
  const to = page.indexOf(end, from);
  if (from < begin.length || to < 0) throw new Error(`no grid ${name} in ${DOCUMENT}`);
  await writeFile(DOCUMENT, page.slice(0, from) + table + page.slice(to));
}
