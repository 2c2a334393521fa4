import { matchMaker, Room } from "@colyseus/core";
import { beforeAll, describe, expect, test } from "vitest";
import { Admission } from "../../../../../sdk/src/colyseus/server/admission/admission.ts";
import {
  type AdmissionLimits,
  completeAdmissionLimits,
} from "../../../../../sdk/src/colyseus/server/admission/admission-limits.ts";
import { callerAt } from "../../../../../sdk/src/colyseus/server/admission/caller.ts";
import { localRoom } from "../../../../../sdk/src/colyseus/server/admission/local-room.ts";

const school = callerAt("192.0.2.1");
const stranger = callerAt("198.51.100.7");
const open = (limits: AdmissionLimits = {}): Admission => new Admission(completeAdmissionLimits(limits));

class Quiet extends Room {
  override autoDispose = false;
}

beforeAll(async () => {
  await matchMaker.setup();
  matchMaker.defineRoomType("quiet", Quiet);
});

async function createRoom(): Promise<Room> {
  const { roomId } = await matchMaker.createRoom("quiet", {});
  return localRoom(roomId) ?? expect.unreachable();
}

test.each([0, -1, Number.NaN])("%d is no limit", (seats) => {
  expect(() => completeAdmissionLimits({ seats })).toThrow(RangeError);
});

describe("players of one address", () => {
  test("are so many, those with a seat among them, and one comes when one has left", () => {
    const { limits, ...rest } = { limits: { playersPerAddress: 4 }, now: 0 };
    const admission = open(limits);
    const left = Array.from({ length: 3 }, () => admission.playerCame(school));
    expect(admission.askSeat(school, rest.now)).toBeUndefined();
    const seat = { roomId: "room", sessionId: "ann" };
    admission.reserved(school, seat, 15_000);
    expect(admission.askSeat(school, 0)).toEqual({
      status: 429,
      error: "As many players of your address are here as may be, 4: wait a second.",
      retryAfterMs: 1000,
    });
    admission.seatTaken(seat, 0);
    left.push(admission.playerCame(school));
    expect(admission.askSeat(school, 0)).toEqual({
      status: 429,
      error: "As many players of your address are here as may be, 4: come back when one has left.",
      retryAfterMs: undefined,
    });
    expect(admission.askSeat(stranger, 0)).toBeUndefined();
    for (let i = 0; i < 2; i++) left[0]?.();
    expect(admission.askSeat(school, 0)).toBeUndefined();
    expect(admission.askSeat(school, 0)).toMatchObject({ status: 429 });
  });
});

describe("rooms of one address", () => {
  test("are so many, as long as they exist", async () => {
    const admission = open({ roomsPerAddress: 2 });
    const rooms = [await createRoom(), await createRoom()];
    for (const room of rooms) {
      expect(admission.rooms.refuse(stranger)).toBeUndefined();
      admission.rooms.add(room, stranger);
      admission.rooms.add(room, school);
    }
    expect(admission.rooms.refuse(stranger)).toBe(
      "Your address has opened as many rooms as it may, 2: join one that is there.",
    );
    expect([admission.rooms.refuse(school), admission.rooms.refuse(undefined)]).toEqual([undefined, undefined]);
    await rooms[0]?.disconnect();
    expect(admission.rooms.refuse(stranger)).toBeUndefined();
  });

  test("that stand empty are so many of all together; who has none gets one", async () => {
    const admission = open({ emptyRooms: 3 });
    for (let i = 0; i < 3; i++) admission.rooms.add(await createRoom(), i === 0 ? stranger : undefined);
    expect(admission.rooms.refuse(stranger)).toMatch(/^Too many rooms stand empty/);
    expect(admission.rooms.refuse(undefined)).toMatch(/^Too many rooms stand empty/);
    expect(admission.rooms.refuse(school)).toBeUndefined();
    for (let i = 0; i < 3; i++) admission.rooms.add(await createRoom(), undefined);
    expect(admission.rooms.refuse(school)).toMatch(/^Too many rooms stand empty/);
  });
});
