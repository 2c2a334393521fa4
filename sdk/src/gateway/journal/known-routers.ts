import { readFileSync } from "node:fs";
import { join } from "node:path";
import { writeWhole } from "./files.ts";

/** Where a router's description was, the last time that it was read. */
export interface KnownRouter {
  /** The interface through which it was met, since many routers of many networks are 192.168.1.1. */
  readonly interfaceName: string;
  /** Its address on the LAN. */
  readonly address: string;
  /** LOCATION, as it was told. */
  readonly location: string;
}

/** A laptop knows home, work and some friends. */
const MAX_ROUTERS = 16;
const MAX_LOCATION = 512;
const MAX_FILE = 64 * 1024;

/**
 * Routers met before, for all processes of this user: with them a start need not wait for an answer to its search. An entry is
 * only a hint: the router is asked, its answer counts, and the search goes on at the same time. Processes may overwrite each
 * other's file, which does no harm.
 */
export class KnownRouters {
  readonly #file: string;

  constructor(directory: string) {
    this.#file = join(directory, "routers.json");
  }

  /** The one met last comes first. */
  all(): KnownRouter[] {
    try {
      const text = readFileSync(this.#file, "utf8");
      if (text.length > MAX_FILE) return [];
      const content: unknown = JSON.parse(text);
      return Array.isArray(content) ? content.filter(isKnownRouter).slice(0, MAX_ROUTERS) : [];
    } catch {
      return [];
    }
  }

  /** Does not write if it is known already. */
  remember({ interfaceName, address, location }: KnownRouter): void {
    const router: KnownRouter = { interfaceName, address, location };
    const before = this.all();
    const isSame = (each: KnownRouter): boolean => each.interfaceName === interfaceName && each.address === address;
    if (!isKnownRouter(router) || before.find(isSame)?.location === location) return;
    writeWhole(this.#file, [router, ...before.filter((each) => !isSame(each))].slice(0, MAX_ROUTERS));
  }
}

function isKnownRouter(value: unknown): value is KnownRouter {
  if (typeof value !== "object" || value === null) return false;
  const { interfaceName, address, location } = value as Record<keyof KnownRouter, unknown>;
  return (
    [interfaceName, address, location].every((text) => typeof text === "string" && text.length <= MAX_LOCATION) &&
    (location as string).startsWith("http://") &&
    URL.canParse(location as string)
  );
}
