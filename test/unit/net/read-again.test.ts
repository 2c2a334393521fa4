// What Windows does to a socket that reports an error of reading: libuv has stopped to read by then, and nobody starts it again.
import dgram from "node:dgram";
import { afterEach, expect, test, vi } from "vitest";
import type { UDPSocketError } from "../../../sdk/src/net/udp-error.ts";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";

const PLATFORM = Object.getOwnPropertyDescriptor(process, "platform") ?? {};
afterEach(() => {
  vi.restoreAllMocks();
  Object.defineProperty(process, "platform", PLATFORM);
});

type Handle = { recvStop: () => number; recvStart?: () => number };

/** A socket, Node's below it, and the handle below that. */
function open(): { socket: UDPSocket; below: dgram.Socket; handle: Handle; errors: UDPSocketError[] } {
  const create = vi.spyOn(dgram, "createSocket");
  const socket = UDPSocket.open({ address: "127.0.0.1" });
  const below = create.mock.results[0]?.value as dgram.Socket;
  const [symbol] = Object.getOwnPropertySymbols(below).filter(({ description }) => description === "state symbol");
  const { handle } = (below as unknown as Record<symbol, { handle: Handle }>)[symbol as symbol] as { handle: Handle };
  const errors: UDPSocketError[] = [];
  socket.onError = (error) => errors.push(error);
  return { socket, below, handle, errors };
}

/** As libuv's uv__process_udp_recv_req does it. */
function failReading(below: dgram.Socket, handle: Handle, code: string): void {
  handle.recvStop();
  below.emit("error", Object.assign(new Error(`recvmsg ${code}`), { code, syscall: "recvmsg" }));
}

test.for(["EHOSTUNREACH", "ENETDOWN", "ENOBUFS"])(
  "%s on Windows: what comes then, and since, is heard",
  async (code) => {
    Object.defineProperty(process, "platform", { value: "win32" });
    const { socket, below, handle, errors } = open();
    await using _socket = socket;
    await using peer = UDPSocket.open({ address: "127.0.0.1" });
    const heard: string[] = [];
    socket.onDatagram = (data) => void heard.push(String(data));
    failReading(below, handle, code);
    peer.send(Buffer.from("meanwhile"), socket.localPort, "127.0.0.1");
    await expect.poll(() => heard).toEqual(["meanwhile"]);
    peer.send(Buffer.from("since"), socket.localPort, "127.0.0.1");
    await expect.poll(() => heard).toEqual(["meanwhile", "since"]);
    expect(errors).toEqual([]);
  },
);

test("a runtime that cannot read again says that the socket is of no use any more", async () => {
  Object.defineProperty(process, "platform", { value: "win32" });
  const { socket, below, handle, errors } = open();
  await using _socket = socket;
  handle.recvStart = () => -1;
  failReading(below, handle, "ENETUNREACH");
  await expect.poll(() => errors.map(({ code }) => code)).toEqual(["ENETUNREACH"]);
});

test("a socket that was closed meanwhile is left alone", async () => {
  Object.defineProperty(process, "platform", { value: "win32" });
  vi.useFakeTimers();
  try {
    const { socket, below, handle, errors } = open();
    failReading(below, handle, "ENETUNREACH");
    const closed = socket.close();
    vi.runAllTimers();
    expect(errors).toEqual([]);
    await closed;
  } finally {
    vi.useRealTimers();
  }
});
