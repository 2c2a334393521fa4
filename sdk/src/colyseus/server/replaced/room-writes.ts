import { type IRoomCache, matchMaker } from "@colyseus/core";
import { replaceMethod } from "./methods.ts";

/**
 * Calls `prepare` with each room of this process before the matchmaker's driver stores it.
 *
 * Colyseus 0.18 takes a room's `publicAddress` from the options of its `Server`, once: an address that is learnt later, or that
 * changes, has no other way into the store.
 * @returns undoes it
 */
export function prepareStoredRooms(prepare: (room: IRoomCache) => void): () => void {
  const undo = (["insert", "persist"] as const).map((method) =>
    replaceMethod(matchMaker.driver, method, (original) => (...parameters) => {
      const room = parameters[0] as IRoomCache;
      if (room.processId === matchMaker.processId) prepare(room);
      return original(...parameters);
    }),
  );
  return () => {
    for (const each of undo) each();
  };
}
