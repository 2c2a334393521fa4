import { type IRoomCache, matchMaker } from "@colyseus/core";
import { replaceMethod } from "./methods.ts";

/**
 * Keeps `publicAddress` out of what `matchMaker.query()` finds, hence out of LobbyRoom; seats are made of `findOne()`, which still
 * has it. SallyportTransport does so where it runs; this is for a lobby process of a fleet that has another transport. Call it when
 * the matchmaker is ready, after `listen()` at the latest.
 *
 * Colyseus 0.18 hands out whole room caches, and LobbyRoom sends them to every client as they are.
 * @returns undoes it
 */
export function hidePublicAddresses(driver: typeof matchMaker.driver = matchMaker.driver): () => void {
  const hide = (rooms: IRoomCache[]): IRoomCache[] =>
    rooms.map((room) => {
      if (room.publicAddress === undefined) return room;
      // A copy: the local driver's rooms are the rooms' own.
      const { publicAddress: _, ...listed } = room;
      return listed;
    });
  // The local driver answers at once, and counts on that.
  return replaceMethod(driver, "query", (original) => (...parameters) => {
    const rooms = original(...parameters) as IRoomCache[] | Promise<IRoomCache[]>;
    return Array.isArray(rooms) ? hide(rooms) : rooms.then(hide);
  });
}
