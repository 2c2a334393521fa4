/** A runtime whose UDP is of no use (Bun's sockets bind later than they are asked to): the game goes on over WebSocket, and says why. */
import dgram from "node:dgram";
import type { AddressInfo } from "node:net";
import { logger, Server } from "@colyseus/core";
import { afterEach, expect, test, vi } from "vitest";
import { SallyportClient } from "../../../sdk/src/colyseus/client/client.ts";
import { SallyportTransport } from "../../../sdk/src/colyseus/server/transport.ts";
import { ArenaRoom } from "./rooms.ts";

const { createSocket } = dgram;
afterEach(() => void vi.restoreAllMocks());

test.each([{ connectivity: false as const }, { connectivity: { via: [] } }])(
  "a server with %o listens, and players play",
  async (options) => {
    vi.spyOn(dgram, "createSocket").mockImplementation((socketOptions: dgram.SocketOptions) => {
      const socket = createSocket(socketOptions);
      socket.address = () => {
        throw Object.assign(new Error("getsockname EBADF"), { code: "EBADF" });
      };
      return socket;
    });
    const warned: unknown[] = [];
    vi.spyOn(logger, "warn").mockImplementation((text: unknown) => void warned.push(text));
    await using transport = new SallyportTransport({ lan: false, ...options });
    const server = new Server({ transport, greet: false, gracefullyShutdown: false });
    server.define("arena", ArenaRoom);
    await server.listen(0, "127.0.0.1");
    expect(warned).toEqual([
      "Sallyport: This JavaScript runtime opens UDP sockets later than it is asked to: use Node 22.19 or newer for UDP. " +
        "Players come in over WebSocket.",
    ]);
    const { port } = transport.server.address() as AddressInfo;
    const room = await new SallyportClient(`http://127.0.0.1:${port}`).joinOrCreate("arena", { name: "ann" });
    room.onMessage("welcome", () => {});
    expect(room.path.kind).toBe("websocket");
    expect(room.path.reason).toMatch(/^UDP: /);
    const echoed = new Promise((resolve) => room.onMessage("echo", resolve));
    room.send("echo", 7);
    expect(await echoed).toBe(7);
    await room.leave();
  },
);
