import type { Server } from "@colyseus/core";
import { expect, test } from "vitest";
import { limitGracefulShutdown } from "../../../../../sdk/src/colyseus/server/replaced/graceful-shutdown.ts";

/** A server whose rooms end when the test says so. */
class SlowServer {
  calls = 0;
  readonly rooms: PromiseWithResolvers<void> = Promise.withResolvers();

  gracefullyShutdown(): Promise<void> {
    this.calls++;
    return this.rooms.promise;
  }
}

const limit = (server: SlowServer, timeoutMs: number, abandon = async (): Promise<void> => {}) =>
  limitGracefulShutdown(server as unknown as Server, { timeoutMs, abandon });

test("a second shutdown joins the first, also when the transport closes in its midst", async () => {
  const server = new SlowServer();
  const undo = limit(server, 0);
  const first = server.gracefullyShutdown();
  undo();
  const second = server.gracefullyShutdown();
  expect(server.calls).toBe(1);
  server.rooms.resolve();
  await Promise.all([first, second]);
  expect(server.gracefullyShutdown).toBe(SlowServer.prototype.gracefullyShutdown);
});

test("rooms that do not end in time are abandoned, once", async () => {
  const server = new SlowServer();
  let abandoned = 0;
  limit(server, 1, async () => void abandoned++);
  await Promise.all([server.gracefullyShutdown(), server.gracefullyShutdown()]);
  expect(abandoned).toBe(1);
});
