/** What other runtimes' dgram lacks: Deno counts no queue, Bun binds later than it is asked to. */
import dgram from "node:dgram";
import { afterEach, describe, expect, test, vi } from "vitest";
import { UDPSocketError } from "../../../sdk/src/net/udp-error.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";

const LOOPBACK = "127.0.0.1";
const { createSocket } = dgram;

/** From now on sockets are as another runtime makes them. */
function runtimeWhose(change: (socket: dgram.Socket) => void): void {
  const create = (options: dgram.SocketOptions): dgram.Socket => {
    const socket = createSocket(options);
    change(socket);
    return socket;
  };
  vi.spyOn(dgram, "createSocket").mockImplementation(create);
}

afterEach(() => void vi.restoreAllMocks());

describe("a runtime that counts no queue", () => {
  const withoutCounts = (): void =>
    runtimeWhose((socket) => Object.assign(socket, { getSendQueueCount: undefined, getSendQueueSize: undefined }));

  test("sends what it was given, though the next datagram is written into the same memory", async () => {
    withoutCounts();
    await using from = UDPSocket.open({ address: LOOPBACK });
    await using to = UDPSocket.open({ address: LOOPBACK });
    const heard = new Promise<string[]>((resolve) => {
      const texts: string[] = [];
      to.onDatagram = (data) => {
        texts.push(data.toString());
        if (texts.length === 3) resolve(texts.sort());
      };
    });
    const memory = Buffer.alloc(5);
    for (const text of ["one..", "two..", "three"]) {
      memory.write(text);
      expect(from.send(memory, to.localPort, LOOPBACK)).toBe(true);
    }
    memory.fill(0);
    expect([await heard, from.queuedBytes]).toEqual([["one..", "three", "two.."], 0]);
  });

  test("has sessions both ways", async () => {
    withoutCounts();
    await using socket = UDPSocket.open({ address: LOOPBACK });
    await using server = await UDPSessionServer.open(socket);
    server.onSession = (session) => {
      session.onMessage = (data) => void session.send(data, "reliable");
    };
    const addresses = [{ address: LOOPBACK, port: socket.localPort }];
    const session = await connectSession(server.createToken({ clientId: 1n, addresses, userData: new Uint8Array(0) }));
    const echoed = new Promise<string>((resolve) => {
      session.onMessage = (data) => resolve(Buffer.from(data).toString());
    });
    session.send(Buffer.from("hello"), "reliable");
    expect(await echoed).toBe("hello");
    session.close();
  });
});

describe("a runtime that binds later than it is asked to", () => {
  const binding = {
    "says so": () => {
      throw Object.assign(new Error("getsockname EBADF"), { code: "EBADF" });
    },
    "knows no port yet": () => ({ address: "0.0.0.0", port: 0, family: "IPv4" }),
  };

  test.each(Object.entries(binding))(
    "and %s: opening fails with one sentence, and leaves nothing open",
    (_, address) => {
      let open = 0;
      runtimeWhose((socket) => {
        open++;
        socket.once("close", () => open--);
        Object.assign(socket, { address });
      });
      for (const options of [{}, { address: LOOPBACK }, { port: 0 }]) {
        expect(() => UDPSocket.open(options)).toThrow(UDPSocketError);
      }
      expect(() => UDPSocket.open()).toThrow(
        "This JavaScript runtime opens UDP sockets later than it is asked to: use Node 22.19 or newer for UDP.",
      );
      return expect.poll(() => open).toBe(0);
    },
  );
});
