import { type IRoomCache, matchMaker } from "@colyseus/core";
import type { LiveCodes } from "./live-codes.ts";
import { sharedPresence } from "./shared-entries.ts";

type Driver = typeof matchMaker.driver;
type FindOne = Driver["findOne"];

const indexed = new WeakSet<Driver>();

/**
 * Has the driver find a game by its invite without reading all games. Redis' driver of Colyseus 0.18 reads and parses the rooms of
 * all processes for every request that names no room; `codes` know which room an invite leads to. The local driver stays as it is.
 */
export function findByInvite(codes: LiveCodes): void {
  const { driver } = matchMaker;
  if (indexed.has(driver) || sharedPresence() === undefined) return;
  indexed.add(driver);
  const original = driver.findOne.bind(driver);
  driver.findOne = (async (conditions: Readonly<Record<string, unknown>>, order?: Parameters<FindOne>[1]) => {
    const { invite, roomId } = conditions;
    const all = (): ReturnType<FindOne> => original(conditions, order);
    if (typeof invite !== "string" || roomId !== undefined) return await all();
    const rooms = await codes.roomsOf(invite);
    if (rooms === undefined) return await all();
    for (const room of (await driver.findByIds(rooms)).values()) if (matches(room, conditions)) return room;
    return undefined;
  }) as FindOne;
}

/** As the drivers' own queries have it. */
function matches(room: IRoomCache, conditions: Readonly<Record<string, unknown>>): boolean {
  const own = room as unknown as Record<string, unknown>;
  const metadata = room.metadata as Record<string, unknown> | undefined;
  return Object.entries(conditions).every(([name, value]) =>
    Object.hasOwn(own, name) ? own[name] === value : metadata?.[name] === value,
  );
}
