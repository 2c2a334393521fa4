import { matchMaker, type Room } from "@colyseus/core";

/** What every object has by inheritance: Colyseus keeps its rooms in a plain one. */
export function isNoRoomId(roomId: string): boolean {
  return Object.hasOwn(Object.prototype, roomId);
}

/** The room of this process that has this id. */
export function localRoom(roomId: string): Room | undefined {
  return isNoRoomId(roomId) ? undefined : matchMaker.getLocalRoomById(roomId);
}
