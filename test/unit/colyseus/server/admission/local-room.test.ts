import { createAuthContext, ErrorCode, matchMaker, Room } from "@colyseus/core";
import { beforeAll, expect, test } from "vitest";
import { localRoom } from "../../../../../sdk/src/colyseus/server/admission/local-room.ts";
import { type JoiningClient, joinRoom } from "../../../../../sdk/src/colyseus/server/clients/join.ts";

const INHERITED = Object.getOwnPropertyNames(Object.prototype);
let roomId: string;

beforeAll(async () => {
  await matchMaker.setup();
  matchMaker.defineRoomType("quiet", Room);
  ({ roomId } = await matchMaker.createRoom("quiet", {}));
});

test("a room is found by its id, and nothing by what every object has", () => {
  expect(localRoom(roomId)).toBeInstanceOf(Room);
  for (const name of ["", "nowhere", ...INHERITED]) expect(localRoom(name)).toBeUndefined();
});

test.each(INHERITED)("a session for %s, however it got its token, is told that there is no seat", async (name) => {
  const told: [code: number, message: string | undefined][] = [];
  let left: number | undefined;
  const client = {
    sessionId: name,
    error: (code: number, message?: string, callback?: () => void) => {
      told.push([code, message]);
      callback?.();
    },
    leave: (code?: number) => {
      left = code;
    },
  } as unknown as JoiningClient;
  for (const room of [name, roomId]) {
    for (const reconnectionToken of ["", name]) {
      const context = createAuthContext({ headers: {} });
      expect(await joinRoom(room, client, context, { reconnectionToken, skipHandshake: false })).toBe(false);
    }
  }
  expect(told).toEqual(Array.from({ length: 4 }, () => [ErrorCode.MATCHMAKE_EXPIRED, "seat reservation expired."]));
  expect(left).toBeGreaterThan(4000);
});
