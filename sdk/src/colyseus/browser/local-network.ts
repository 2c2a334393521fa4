import { type AddressScope, addressScope } from "../../net/scope.ts";

/**
 * What browsers keep pages from: Local Network Access (WICG), by which a page from the internet reaches the player's own network or
 * machine over fetch and WebSocket only where the player has allowed it, which only a secure page can ask for; and mixed content, by
 * which a secure page reaches no plain http or ws but there. WebRTC is kept from neither at present.
 */

type Space = "loopback" | "local" | "public";

/** The permission's names, of which a browser knows some: first one for both spaces, later one for each. */
const PERMISSIONS: Readonly<Record<Exclude<Space, "public">, readonly string[]>> = {
  local: ["local-network", "local-network-access"],
  loopback: ["loopback-network", "local-network-access"],
};
const LOCAL: ReadonlySet<AddressScope> = new Set(["private", "carrier-grade", "link-local"]);
/** From the nearest to the furthest: a page reaches freely what is as far as itself, or further. */
const ORDER: readonly Space[] = ["loopback", "local", "public"];

/** Where a page or a server is, as far as its name tells. A browser knows it from the address that it dialed. */
export function spaceOf(hostname: string): Space {
  const bare = hostname.replace(/^\[|\]$/g, "");
  if (bare === "localhost" || bare.endsWith(".localhost")) return "loopback";
  const scope = addressScope(bare);
  if (scope === "loopback") return "loopback";
  return LOCAL.has(scope) || bare.endsWith(".local") ? "local" : "public";
}

export interface Page {
  protocol: string;
  hostname: string;
}

/**
 * What keeps the page from a server, as a sentence for the player; undefined where nothing does, as far as can be told.
 * @param permission whether the player allows the page its own network: `granted`, `denied`, or `prompt` where it was never asked
 */
export function obstacleTo(server: URL, page: Page, permission: PermissionState | undefined): string | undefined {
  const isSecure = page.protocol === "https:";
  const isPlain = server.protocol === "http:" || server.protocol === "ws:";
  const space = spaceOf(server.hostname);
  const isNearer = ORDER.indexOf(space) < ORDER.indexOf(spaceOf(page.hostname));
  if (!isNearer) {
    if (!isSecure || !isPlain || space !== "public") return undefined;
    return `This page is secure (https), and browsers keep such a page from ${server.host}, which is not.`;
  }
  if (permission === "granted" && isSecure) return undefined;
  const where = space === "loopback" ? "on this machine" : "on your own network";
  const what = `The game is ${where} (${server.host}), and browsers keep pages from the internet out of there`;
  if (!isSecure) return `${what}. Open http://${server.host} itself, join by invite over WebRTC, or use a game client.`;
  if (permission === "denied") {
    return `${what}. You have not allowed it to this page: allow "local network" in the settings of the page, beside its address.`;
  }
  return `${what} unless you allow it: allow "local network" when the browser asks, or in the settings of the page.`;
}

/** Whether the player allows this page that part of the network; undefined where the browser asks nobody, or does not tell. */
export async function permissionFor(server: URL): Promise<PermissionState | undefined> {
  const space = spaceOf(server.hostname);
  if (space === "public" || typeof navigator === "undefined" || navigator.permissions === undefined) return undefined;
  for (const name of PERMISSIONS[space]) {
    try {
      // Newer than the types of TypeScript.
      return (await navigator.permissions.query({ name: name as PermissionName })).state;
    } catch {
      // A name that this browser does not know.
    }
  }
  return undefined;
}

/** {@link obstacleTo} this page. */
export async function obstacleHere(server: URL): Promise<string | undefined> {
  if (typeof location === "undefined") return undefined;
  return obstacleTo(server, location, await permissionFor(server));
}
