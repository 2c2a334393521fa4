import { getMessageBytes, Protocol, SchemaSerializer } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { Room } from "@colyseus/sdk";
import { describe, expect, test } from "vitest";
import {
  readSequence,
  UnreliableSequence,
} from "../../../../../sdk/src/colyseus/server/clients/unreliable-sequence.ts";

const patch = (sequence: number): Uint8Array => new Uint8Array([0x4f, sequence & 0xff, sequence >>> 8, 1, 2, 3]);
const fullState = new Uint8Array([14, 1, 2, 3]);

test("counts every client from its own full state", () => {
  const sequence = new UnreliableSequence();
  const numbers = (...room: number[]) =>
    room.map((number) => {
      const frame = patch(number);
      expect(sequence.renumber(frame)).toBe(number);
      expect([...frame.subarray(3)]).toEqual([1, 2, 3]);
      return readSequence(frame);
    });
  sequence.reliable(fullState);
  expect(numbers(40_000, 40_001, 40_005)).toEqual([1, 2, 6]);
  expect(numbers(65_535, 0, 1)).toEqual([25_536, 25_537, 25_538]);
  sequence.reliable(new Uint8Array([0x8e, 0, 0]));
  expect(numbers(9, 10)).toEqual([1, 2]);
});

test("lets all other frames alone", () => {
  const sequence = new UnreliableSequence();
  expect(
    [patch(1), new Uint8Array([13, 1, 2]), new Uint8Array([0x4f, 1]), new Uint8Array(0)].map((f) =>
      sequence.concerns(f),
    ),
  ).toEqual([true, false, false, false]);
});

// What the work-around is for. When the first test fails, Colyseus has mended it, and the work-around can go.
describe("Colyseus' own client", () => {
  const State = schema({ x: t.number().unreliable() }, "State");

  function joinAt(roomSequence: number, send: (frame: Uint8Array, reliable: boolean) => Uint8Array): number {
    const state = new State();
    state.x = 0;
    const serializer = new SchemaSerializer();
    serializer.reset(state);
    Object.assign(serializer, { unreliableSeq: roomSequence });
    const room = new Room<unknown, InstanceType<typeof State>>("room");
    Object.assign(room, { roomId: "id", connection: { send() {} } });
    const receive = (frame: Uint8Array, reliable: boolean) =>
      room["onMessageCallback"]({ data: send(Uint8Array.from(frame), reliable) } as MessageEvent);
    const client = {
      state: 1,
      raw: (frame: Uint8Array) => receive(frame, true),
      rawUnreliable: (frame: Uint8Array) => receive(frame, false),
    };
    receive(getMessageBytes[Protocol.JOIN_ROOM]("token", "schema", serializer.handshake()), true);
    receive(serializer.getFullState(client as never), true);
    serializer.applyPatches([], state);
    state.x = 5;
    serializer.applyUnreliablePatches([client as never]);
    return room.state.x;
  }

  test("is deaf to unreliable patches when it joins while the room's number is above 32767", () => {
    expect(joinAt(10, (frame) => frame)).toBe(5);
    expect(joinAt(40_000, (frame) => frame)).toBe(0);
  });

  test.each([10, 32_767, 40_000, 65_535])("hears them when they are counted from its own join (room at %i)", (at) => {
    const sequence = new UnreliableSequence();
    const x = joinAt(at, (frame, reliable) => {
      if (reliable) sequence.reliable(frame);
      else if (sequence.concerns(frame)) sequence.renumber(frame);
      return frame;
    });
    expect(x).toBe(5);
  });
});
