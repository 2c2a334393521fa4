import dgram from "node:dgram";
import { once } from "node:events";
import { describe, expect, test, vi } from "vitest";

import { UDPSocketError } from "../../../sdk/src/net/udp-error.ts";
import { type DatagramHandler, UDPSocket } from "../../../sdk/src/net/udp-socket.ts";

type Datagram = Parameters<DatagramHandler>;

function next(socket: UDPSocket): Promise<Datagram> {
  return new Promise((resolve) => {
    socket.onDatagram = (...datagram) => {
      resolve(datagram);
    };
  });
}

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("opening", () => {
  test("binds within the call, to all addresses by default", async () => {
    await using socket = UDPSocket.open();
    expect(socket.localPort).toBeGreaterThan(0);
    expect(["::", "0.0.0.0"]).toContain(socket.localAddress);
  });

  test("a taken port is a typed error that says what to do", async () => {
    await using first = UDPSocket.open({ address: "127.0.0.1" });
    const error = thrownBy(() => UDPSocket.open({ address: "127.0.0.1", port: first.localPort }));
    expect(error).toBeInstanceOf(UDPSocketError);
    expect(error).toMatchObject({ code: "EADDRINUSE", message: expect.stringContaining("choose another port") });
  });

  test.each([
    [{ address: "203.0.113.1" }, "EADDRNOTAVAIL"],
    [{ address: "no address" }, "EINVAL"],
    [{ port: 65536 }, "EINVAL"],
    [{ port: -1 }, "EINVAL"],
    [{ port: 1.5 }, "EINVAL"],
  ])("%j is refused with %s", (options, code) => {
    expect(thrownBy(() => UDPSocket.open(options))).toMatchObject({ name: "UDPSocketError", code });
  });

  test("buffer sizes are wishes", async () => {
    await using socket = UDPSocket.open({ receiveBufferSize: 2 ** 31 - 1, sendBufferSize: 1 << 20 });
    expect(socket.closed).toBe(false);
  });
});

describe("datagrams", () => {
  test("an IPv4 peer of a dual-stack socket has its plain name, and is answered by it", async () => {
    await using dual = UDPSocket.open();
    await using four = UDPSocket.open({ address: "127.0.0.1" });
    const arrived = next(dual);
    expect(four.send(Buffer.from("ping"), dual.localPort, "127.0.0.1")).toBe(true);
    const [data, address, port] = await arrived;
    expect([data.toString(), address, port]).toEqual(["ping", "127.0.0.1", four.localPort]);
    const answered = next(four);
    expect(dual.send(Buffer.from("pong"), port, address)).toBe(true);
    expect((await answered)[0].toString()).toBe("pong");
    expect(dual.counters).toEqual({ datagramsIn: 1, datagramsOut: 1, bytesIn: 4, bytesOut: 4 });
  });

  test("IPv6 peers too", async (context) => {
    await using dual = UDPSocket.open();
    if (!dual.dualStack) context.skip("IPv6 is off on this machine");
    await using six = UDPSocket.open({ address: "::1" });
    const arrived = next(dual);
    expect(six.send(Buffer.from("six"), dual.localPort, "::1")).toBe(true);
    expect(await arrived).toEqual([Buffer.from("six"), "::1", six.localPort]);
  });

  test("they leave inside the call, and the buffer may be reused at once", async () => {
    await using receiver = UDPSocket.open({ address: "127.0.0.1" });
    await using sender = UDPSocket.open({ address: "127.0.0.1" });
    const texts: string[] = [];
    const all = new Promise<void>((resolve) => {
      receiver.onDatagram = (data) => {
        if (texts.push(data.toString()) === 3) resolve();
      };
    });
    const buffer = Buffer.alloc(3);
    for (const text of ["one", "two", "six"]) {
      buffer.write(text);
      sender.send(buffer, receiver.localPort, "127.0.0.1");
    }
    buffer.fill(0);
    await all;
    expect(texts).toEqual(["one", "two", "six"]);
  });

  test.each([0, 1, 2047, 2048, 2049, 65507])("%i bytes arrive whole", async (length) => {
    await using receiver = UDPSocket.open({ address: "127.0.0.1" });
    await using sender = UDPSocket.open({ address: "127.0.0.1" });
    const arrived = next(receiver);
    const sent = Buffer.alloc(length, 0x5a);
    expect(sender.send(sent, receiver.localPort, "127.0.0.1")).toBe(true);
    expect((await arrived)[0].equals(sent)).toBe(true);
  });

  test("what cannot be sent is false, never a throw", async () => {
    await using four = UDPSocket.open({ address: "127.0.0.1" });
    const data = Buffer.from("x");
    for (const port of [0, -1, 65536, 1.5, Number.NaN]) expect(four.send(data, port, "127.0.0.1")).toBe(false);
    for (const address of ["", "::1", "localhost", "1.2.3", "::ffff:1.2.3.4"]) {
      expect(four.send(data, 9, address)).toBe(false);
    }
    expect(four.send(Buffer.alloc(65508), 9, "127.0.0.1")).toBe(false);
    expect(four.counters.datagramsOut).toBe(0);
    await four.close();
    expect(four.send(data, 9, "127.0.0.1")).toBe(false);
  });

  test("a port where nobody listens does not end the socket", async () => {
    await using socket = UDPSocket.open({ address: "127.0.0.1" });
    let failed = false;
    socket.onError = () => {
      failed = true;
    };
    const gone = UDPSocket.open({ address: "127.0.0.1" });
    await gone.close();
    for (let i = 0; i < 3; i++) expect(socket.send(Buffer.from("x"), gone.localPort, "127.0.0.1")).toBe(true);
    const arrived = next(socket);
    socket.send(Buffer.from("self"), socket.localPort, "127.0.0.1");
    expect((await arrived)[0].toString()).toBe("self");
    expect(failed).toBe(false);
  });
});

describe("while the system's buffer is full", () => {
  test("what waits is not overwritten, and no more waits than was allowed", async () => {
    await using socket = UDPSocket.open({ address: "127.0.0.1", maxQueuedBytes: 3000 });
    // Loopback is never full, so dgram is made to say so: libuv then holds pointers to what it was given.
    const queue: Uint8Array[] = [];
    const send = vi.spyOn(dgram.Socket.prototype, "send").mockImplementation((data: unknown) => {
      queue.push(data as Uint8Array);
    });
    const count = vi.spyOn(dgram.Socket.prototype, "getSendQueueCount").mockImplementation(() => queue.length);
    const size = vi
      .spyOn(dgram.Socket.prototype, "getSendQueueSize")
      .mockImplementation(() => queue.reduce((sum, data) => sum + data.length, 0));
    try {
      const data = Buffer.alloc(1000);
      const sent = [1, 2, 3, 4].map((fill) => socket.send(data.fill(fill), 9, "127.0.0.1"));
      expect(sent).toEqual([true, true, true, false]);
      expect(queue.map((waiting) => waiting[999])).toEqual([1, 2, 3]);
      expect(socket.queuedBytes).toBe(3000);
      queue.length = 0;
      expect(socket.send(data.fill(5), 9, "127.0.0.1")).toBe(true);
    } finally {
      for (const spy of [send, count, size]) spy.mockRestore();
    }
  });
});

test("what the system refuses to send (EACCES, EINVAL) harms nobody", async () => {
  await using socket = UDPSocket.open({ address: "127.0.0.1" });
  const told: string[] = [];
  socket.onError = ({ code }) => told.push(code);
  const arrived = next(socket);
  // A broadcast without permission, an address to which loopback leads nowhere.
  for (const address of ["255.255.255.255", "203.0.113.1"]) socket.send(Buffer.from("lost"), 9, address);
  socket.send(Buffer.from("heard"), socket.localPort, "127.0.0.1");
  expect((await arrived)[0].toString()).toBe("heard");
  expect([told, socket.closed]).toEqual([[], false]);
});

describe("errors that the system reports on receiving", () => {
  test.each([
    ["ECONNREFUSED", "an ICMP message about one peer", false],
    ["ENOBUFS", "a lack of buffers for the moment", false],
    ["ENOMEM", "a lack of memory for the moment", false],
    ["EBADF", "the end of the socket", true],
  ])("%s is %s", async (code, _what, isTold) => {
    const make = vi.spyOn(dgram, "createSocket");
    await using socket = UDPSocket.open({ address: "127.0.0.1" });
    const inner = make.mock.results[0]?.value as dgram.Socket;
    make.mockRestore();
    const told: string[] = [];
    socket.onError = (error) => told.push(error.code);
    inner.emit("error", Object.assign(new Error(`recvmsg ${code}`), { code }));
    expect(told).toEqual(isTold ? [code] : []);
  });
});

describe("taps", () => {
  test("see datagrams first, in order, and may take them or leave", async () => {
    await using socket = UDPSocket.open({ address: "127.0.0.1" });
    const seen: string[] = [];
    const removeFirst = socket.tap((data) => {
      seen.push(`a ${data.toString()}`);
      return false;
    });
    const removeSecond = socket.tap((data) => {
      seen.push(`b ${data.toString()}`);
      if (data.toString() !== "1") return false;
      removeSecond();
      return true;
    });
    const done = new Promise<void>((resolve) => {
      socket.onDatagram = (data) => {
        seen.push(`game ${data.toString()}`);
        if (data.toString() === "3") resolve();
        removeFirst();
      };
    });
    for (const text of ["1", "2", "3"]) socket.send(Buffer.from(text), socket.localPort, "127.0.0.1");
    await done;
    expect(seen).toEqual(["a 1", "b 1", "a 2", "game 2", "game 3"]);
  });
});

describe("closing", () => {
  test("is idempotent, frees the port and tells", async () => {
    const socket = UDPSocket.open({ address: "127.0.0.1" });
    let told = 0;
    socket.onClose(() => told++);
    socket.onClose(() => told++)();
    await Promise.all([socket.close(), socket.close()]);
    await socket[Symbol.asyncDispose]();
    expect([socket.closed, told]).toEqual([true, 1]);
    socket.ref().unref();
    const again = dgram.createSocket("udp4").bind(socket.localPort, "127.0.0.1");
    await once(again, "listening");
    again.close();
  });

  test("configuring a closed socket is a typed error", async () => {
    const socket = UDPSocket.open({ address: "127.0.0.1" });
    await socket.close();
    expect(thrownBy(() => socket.addMembership("239.1.2.3"))).toBeInstanceOf(UDPSocketError);
    expect(thrownBy(() => socket.setBroadcast(true))).toBeInstanceOf(UDPSocketError);
  });
});

test("multicast reaches members on the loopback interface", async (context) => {
  await using socket = UDPSocket.open({ address: "0.0.0.0" });
  try {
    socket.addMembership("239.83.65.76", "127.0.0.1");
    socket.setMulticastInterface("127.0.0.1");
    socket.setMulticastTTL(0);
  } catch {
    context.skip("no multicast on the loopback interface of this machine");
  }
  const arrived = next(socket);
  socket.send(Buffer.from("all"), socket.localPort, "239.83.65.76");
  expect((await arrived)[0].toString()).toBe("all");
  socket.dropMembership("239.83.65.76", "127.0.0.1");
});
