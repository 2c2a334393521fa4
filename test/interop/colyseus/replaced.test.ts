import { LocalDriver, matchMaker, Room, Server } from "@colyseus/core";
import { expect, test } from "vitest";
import { type MethodOwner, REPLACED_METHODS } from "../../../sdk/src/colyseus/server/replaced/methods.ts";
import { startServer } from "./harness.ts";

test("every method of Colyseus that a transport replaces is Colyseus' own again after its shutdown", async () => {
  // As Colyseus' monitor does when it is imported.
  (Room.prototype as unknown as Record<string, unknown>)["getInspectData"] = async () => ({});
  const owners: Record<MethodOwner, () => object> = {
    Server: () => Server.current ?? Server.prototype,
    driver: () => matchMaker.driver ?? LocalDriver.prototype,
    controller: () => matchMaker.controller,
    Room: () => Room.prototype,
    monitor: () => Room.prototype,
  };
  const current = (): Map<string, unknown> =>
    new Map(
      Object.entries(REPLACED_METHODS).map(([method, { owner }]) => {
        return [method, (owners[owner]() as Record<string, unknown>)[method]];
      }),
    );
  const before = current();
  const arena = await startServer();
  const during = current();
  await arena[Symbol.asyncDispose]();
  const after = current();
  for (const [method, own] of before) {
    expect(own, method).toBeTypeOf("function");
    expect(after.get(method), method).toBe(own);
    // The driver's shutdown is held only while the transport closes.
    if (method !== "shutdown") expect(during.get(method), method).not.toBe(own);
  }
});
