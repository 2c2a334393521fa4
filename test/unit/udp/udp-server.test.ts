import { once } from "node:events";
import { afterEach, describe, expect, test } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { GodotError } from "../../../sdk/src/udp/godot-error.ts";
import { PacketPeerUDP } from "../../../sdk/src/udp/packet-peer-udp.ts";
import { UDPServer, type UDPServerOptions } from "../../../sdk/src/udp/udp-server.ts";
import { GodotFloat } from "../../../sdk/src/udp/variant.ts";
import { until } from "../../until.ts";

const { OK } = GodotError;
const opened: (UDPServer | PacketPeerUDP)[] = [];

afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each[Symbol.asyncDispose]()));
});

function createServer(options: UDPServerOptions = {}): UDPServer {
  const server = new UDPServer(options);
  opened.push(server);
  expect(server.listen(0, "127.0.0.1")).toBe(OK);
  return server;
}

function createClient(port: number): PacketPeerUDP {
  const client = new PacketPeerUDP();
  opened.push(client);
  expect(client.connectToHost("127.0.0.1", port)).toBe(OK);
  expect([client.isBound(), client.isSocketConnected()]).toEqual([true, true]);
  return client;
}

async function acceptConnection(server: UDPServer): Promise<PacketPeerUDP> {
  await until(() => server.poll() !== OK || server.isConnectionAvailable());
  const peer = server.takeConnection();
  if (peer === null) throw new Error("no connection available");
  expect([peer.isBound(), peer.isSocketConnected()]).toEqual([true, true]);
  return peer;
}

describe("the cases of Godot's tests/core/io/test_udp_server", () => {
  test("instantiation", () => {
    const server = new UDPServer();
    expect([server.isListening(), server.isConnectionAvailable()]).toEqual([false, false]);
    expect([server.getMaxPendingConnections(), server.maxPendingConnections]).toEqual([16, 16]);
  });

  test("accept a connection and receive and send data", async () => {
    const server = createServer();
    const client = createClient(server.getLocalPort());
    expect(client.putVar("Hello World!")).toBe(OK);
    const peer = await acceptConnection(server);
    expect(peer.getVar()).toBe("Hello World!");
    expect(peer.putVar(3.1415)).toBe(OK);
    await until(() => client.getAvailablePacketCount() > 0);
    expect([client.poll(), client.getVar(), client.getPacketError()]).toEqual([OK, 3.1415, OK]);
    client.close();
    server.stop();
    expect(server.isListening()).toBe(false);
  });

  test("handle multiple clients at the same time", async () => {
    const server = createServer();
    const clients = Array.from({ length: 5 }, () => createClient(server.getLocalPort()));
    clients.forEach((client, i) => {
      expect(client.putVar(`Hello ${i}`)).toBe(OK);
    });
    for (let i = 0; i < clients.length; i++) {
      const peer = await acceptConnection(server);
      expect(peer.getVar()).toBe(`Hello ${i}`);
      expect(peer.putVar(3.1415 + i)).toBe(OK);
    }
    for (const [i, client] of clients.entries()) {
      await until(() => client.getAvailablePacketCount() > 0);
      expect(client.getVar()).toBe(3.1415 + i);
    }
  });

  test("when stopped does not accept new connections", async () => {
    const server = createServer();
    const port = server.getLocalPort();
    const client = createClient(port);
    client.putVar("Hello World!");
    expect((await acceptConnection(server)).getVar()).toBe("Hello World!");
    client.close();
    server.stop();
    expect(server.isListening()).toBe(false);
    const another = createClient(port);
    expect(another.putVar("Hello World!")).toBe(OK);
    expect([server.poll(), server.isConnectionAvailable()]).toEqual([GodotError.UNCONFIGURED, false]);
    expect(another.getAvailablePacketCount()).toBeLessThanOrEqual(0);
  });

  test("pending connections are gone after stop", async () => {
    const server = createServer();
    createClient(server.getLocalPort()).putVar("Hello World!");
    await until(() => server.isConnectionAvailable());
    server.stop();
    expect([server.isListening(), server.isConnectionAvailable(), server.takeConnection()]).toEqual([
      false,
      false,
      null,
    ]);
  });

  test("disconnects its clients", async () => {
    const server = createServer();
    const client = createClient(server.getLocalPort());
    client.putVar("Hello World!");
    const peer = await acceptConnection(server);
    expect(peer.getVar()).toBe("Hello World!");
    server.stop();
    expect([peer.isBound(), peer.isSocketConnected()]).toEqual([false, false]);
    expect(client.putVar("Hello World!")).toBe(OK);
    expect(client.getAvailablePacketCount()).toBeLessThanOrEqual(0);
  });

  test("drops new connections when the maximum is pending", async () => {
    const server = createServer();
    server.setMaxPendingConnections(3);
    const clients = Array.from({ length: 5 }, () => createClient(server.getLocalPort()));
    clients.forEach((client, i) => client.putVar(`Hello ${i}`));
    await until(() => server.socket?.counters.datagramsIn === 5);
    for (let i = 0; i < 3; i++) expect((await acceptConnection(server)).getVar()).toBe(`Hello ${i}`);
    expect([server.poll(), server.isConnectionAvailable(), server.takeConnection()]).toEqual([OK, false, null]);
  });

  test("waiting for packets", async () => {
    const server = createServer();
    const client = createClient(server.getLocalPort());
    const waiting = client.wait();
    client.putPacket(Buffer.from("x"));
    (await acceptConnection(server)).putPacket(Buffer.from("y"));
    expect([await waiting, client.getPacket().toString()]).toEqual([OK, "y"]);
    const closing = client.wait();
    client.close();
    expect(await closing).toBe(GodotError.FAILED);
  });
});

describe("UDPServer", () => {
  test("listen's errors", async () => {
    const server = createServer();
    expect(server.listen(0)).toBe(GodotError.ALREADY_IN_USE);
    const second = new UDPServer();
    expect(second.listen(server.getLocalPort(), "127.0.0.1")).toBe(GodotError.UNAVAILABLE);
    expect(second.lastSocketError?.code).toBe("EADDRINUSE");
    expect([second.listen(0, "nowhere"), second.listen(70_000), second.listen(-1)]).toEqual([31, 31, 31]);
    server.stop();
    expect([server.getLocalPort(), server.listen(0), server.isListening()]).toEqual([0, OK, true]);
  });

  test("zero pending connections refuses all, and known peers stay", async () => {
    const server = createServer();
    const client = createClient(server.getLocalPort());
    client.putPacket(Buffer.from("1"));
    const peer = await acceptConnection(server);
    server.maxPendingConnections = 0;
    createClient(server.getLocalPort()).putPacket(Buffer.from("new"));
    client.putPacket(Buffer.from("2"));
    await until(() => peer.getAvailablePacketCount() === 2);
    expect(server.isConnectionAvailable()).toBe(false);
    server.setMaxPendingConnections(-1);
    expect(server.maxPendingConnections).toBe(0);
  });

  test("changing the limit keeps the oldest pending peers", async () => {
    const server = createServer();
    for (let i = 0; i < 4; i++) createClient(server.getLocalPort()).putVar(i);
    await until(() => server.socket?.counters.datagramsIn === 4);
    server.setMaxPendingConnections(100);
    server.setMaxPendingConnections(2);
    expect([server.takeConnection()?.getVar(), server.takeConnection()?.getVar(), server.takeConnection()]).toEqual([
      0,
      1,
      null,
    ]);
  });

  test("pending peers expire", async () => {
    let time = 0;
    const server = createServer({ pendingTimeoutMs: 1000, maxPendingConnections: 1, now: () => time });
    createClient(server.getLocalPort()).putVar("first");
    await until(() => server.isConnectionAvailable());
    time = 999;
    expect(server.isConnectionAvailable()).toBe(true);
    time = 1000;
    createClient(server.getLocalPort()).putVar("second");
    await until(() => server.socket?.counters.datagramsIn === 2);
    expect(server.takeConnection()?.getVar()).toBe("second");
    expect(server.takeConnection()).toBeNull();
  });

  test("a taken peer that closes is new with its next packet", async () => {
    const server = createServer();
    const client = createClient(server.getLocalPort());
    client.putVar(1);
    const first = await acceptConnection(server);
    first.close();
    expect([first.isBound(), first.getAvailablePacketCount(), first.putVar("late")]).toEqual([false, -1, 3]);
    client.putVar(2);
    const second = await acceptConnection(server);
    expect([second === first, second.getVar()]).toEqual([false, 2]);
  });

  test("peers beyond maxPeers are dropped, and a place that is left is free", async () => {
    const server = createServer({ maxPeers: 1 });
    const [a, b] = [createClient(server.getLocalPort()), createClient(server.getLocalPort())];
    a.putVar("a");
    const peer = await acceptConnection(server);
    b.putVar("b");
    await until(() => server.socket?.counters.datagramsIn === 2);
    expect(server.isConnectionAvailable()).toBe(false);
    peer.close();
    b.putVar("b again");
    expect((await acceptConnection(server)).getVar()).toBe("b again");
  });

  test("a full ring drops the newest", async () => {
    const server = createServer({ recvBufSize: 64 });
    const client = createClient(server.getLocalPort());
    for (const text of ["one", "two", "six"]) client.putPacket(Buffer.from(text));
    await until(() => server.socket?.counters.datagramsIn === 3);
    const peer = await acceptConnection(server);
    expect([peer.getAvailablePacketCount(), peer.getPacket().toString(), peer.getPacket().toString()]).toEqual([
      2,
      "one",
      "two",
    ]);
    peer.getPacket();
    expect(peer.getPacketError()).toBe(GodotError.UNAVAILABLE);
  });

  test("events: connection with the first packet, packets in order, close", async () => {
    const server = createServer();
    const client = createClient(server.getLocalPort());
    const packets: string[] = [];
    const three = new Promise<PacketPeerUDP>((resolve) => {
      server.on("connection", (peer) => {
        peer.on("packet", (data, address, port) => {
          expect([address, port]).toEqual(["127.0.0.1", client.getLocalPort()]);
          if (packets.push(data.toString()) === 3) resolve(peer);
        });
      });
    });
    for (const text of ["1", "2", "3"]) client.putPacket(Buffer.from(text));
    const peer = await three;
    expect(packets).toEqual(["1", "2", "3"]);
    const closed = Promise.all([once(peer, "close"), once(server, "close")]);
    server.stop();
    await closed;
  });

  test("a listener that comes late gets who waits", async () => {
    const server = createServer();
    createClient(server.getLocalPort()).putVar("early");
    await until(() => server.isConnectionAvailable());
    const [peer] = (await once(server, "connection")) as [PacketPeerUDP];
    const [packet] = (await once(peer, "packet")) as [Buffer];
    expect(packet.subarray(8, 13).toString()).toBe("early");
  });

  test("async iteration over peers and packets ends when the server stops", async () => {
    const server = createServer();
    const clients = Array.from({ length: 3 }, () => createClient(server.getLocalPort()));
    clients.forEach((client, i) => client.putPacket(Buffer.from(`a${i}`)));
    const texts: string[] = [];
    const readers: Promise<void>[] = [];
    const read = async (peer: PacketPeerUDP): Promise<void> => {
      for await (const packet of peer) {
        texts.push(packet.toString());
        peer.putPacket(packet);
        if (texts.length === 3) server.stop();
      }
    };
    for await (const peer of server) readers.push(read(peer));
    await Promise.all(readers);
    expect(texts.sort()).toEqual(["a0", "a1", "a2"]);
  });

  test("over a shared socket it leaves the socket open, and stops with it", async () => {
    await using socket = UDPSocket.open({ address: "127.0.0.1" });
    socket.tap((data) => data[0] === 0x01);
    const server = UDPServer.fromSocket(socket);
    expect([server.isListening(), server.getLocalPort(), server.socket === socket]).toEqual([
      true,
      socket.localPort,
      true,
    ]);
    expect(server.listen(0)).toBe(GodotError.ALREADY_IN_USE);
    const client = createClient(socket.localPort);
    client.putPacket(Buffer.of(0x01));
    client.putPacket(Buffer.from("game"));
    expect((await acceptConnection(server)).getPacket().toString()).toBe("game");
    server.stop();
    expect([socket.closed, socket.onDatagram]).toEqual([false, null]);
    const again = UDPServer.fromSocket(socket);
    const stopped = once(again, "close");
    await socket.close();
    await stopped;
    expect(again.isListening()).toBe(false);
  });
});

describe("PacketPeerUDP", () => {
  test("bind's and connectToHost's errors", () => {
    const peer = new PacketPeerUDP();
    opened.push(peer);
    expect([peer.bind(-1), peer.bind(65536), peer.bind(0, "x"), peer.bind(0, "*", 0)]).toEqual([31, 31, 31, 31]);
    expect([peer.connectToHost("x", 1), peer.connectToHost("127.0.0.1", 0)]).toEqual([31, 31]);
    expect([peer.bind(0, "127.0.0.1"), peer.bind(0)]).toEqual([OK, GodotError.ALREADY_IN_USE]);
    const other = new PacketPeerUDP();
    expect(other.bind(peer.getLocalPort(), "127.0.0.1")).toBe(GodotError.UNAVAILABLE);
    expect(peer.connectToHost("::1", 9)).toBe(GodotError.FAILED);
    expect([peer.isBound(), peer.getLocalPort()]).toEqual([false, 0]);
  });

  test("an accepted peer is locked", async () => {
    const server = createServer();
    createClient(server.getLocalPort()).putVar(1);
    const peer = await acceptConnection(server);
    expect([
      peer.connectToHost("127.0.0.1", 9),
      peer.setDestAddress("127.0.0.1", 9),
      peer.setBroadcastEnabled(true),
      peer.joinMulticastGroup("239.1.1.1", ""),
      peer.leaveMulticastGroup("239.1.1.1", ""),
    ]).toEqual([23, 23, 23, 23, 23]);
    expect(peer.bind(0)).toBe(GodotError.ALREADY_IN_USE);
    expect(peer.getLocalPort()).toBe(server.getLocalPort());
  });

  test("packets and destinations", async () => {
    const [a, b] = [new PacketPeerUDP(), new PacketPeerUDP()];
    opened.push(a, b);
    expect([a.putPacket(Buffer.from("x")), a.getAvailablePacketCount(), a.poll()]).toEqual([3, -1, 1]);
    a.getPacket();
    expect(a.getPacketError()).toBe(GodotError.FAILED);
    expect([b.bind(0, "127.0.0.1"), a.setDestAddress("no address", 1), a.setDestAddress("127.0.0.1", 0)]).toEqual([
      0, 26, 31,
    ]);
    expect(await a.resolveDestAddress("localhost", b.getLocalPort())).toBe(OK);
    expect(a.setDestAddress("localhost", b.getLocalPort())).toBe(OK);
    expect([a.putPacket(Buffer.alloc(0)), a.isBound(), a.putPacket(Buffer.from("x")), a.isBound()]).toEqual([
      0,
      false,
      0,
      true,
    ]);
    expect(a.putPacket(Buffer.alloc(65508))).toBe(GodotError.FAILED);
    expect(await b.wait()).toBe(OK);
    expect([b.getPacket().toString(), b.getPacketIp(), b.getPacketPort()]).toEqual([
      "x",
      "127.0.0.1",
      a.getLocalPort(),
    ]);
    b.setDestAddress(b.getPacketIp(), b.getPacketPort());
    b.putPacket(Buffer.from("not a variant"));
    await a.wait();
    expect([a.getVar(), a.getPacketError()]).toEqual([null, GodotError.INVALID_DATA]);
    expect(a.putVar((() => 1) as never)).toBe(GodotError.INVALID_PARAMETER);
  });

  test("a connected peer hears its host alone, and connecting empties the queue", async () => {
    const [peer, host, stranger] = [new PacketPeerUDP(), new PacketPeerUDP(), new PacketPeerUDP()];
    opened.push(peer, host, stranger);
    for (const each of [peer, host, stranger]) each.bind(0, "127.0.0.1");
    for (const each of [host, stranger]) each.setDestAddress("127.0.0.1", peer.getLocalPort());
    stranger.putPacket(Buffer.from("before"));
    await peer.wait();
    expect(peer.connectToHost("127.0.0.1", host.getLocalPort())).toBe(OK);
    expect(peer.getAvailablePacketCount()).toBe(0);
    expect(peer.setDestAddress("127.0.0.1", 9)).toBe(GodotError.LOCKED);
    stranger.putPacket(Buffer.from("stranger"));
    host.putPacket(Buffer.from("host"));
    await peer.wait();
    expect([peer.getPacket().toString(), peer.getAvailablePacketCount()]).toEqual(["host", 0]);
  });

  test("IPv6 in any spelling", async (context) => {
    const host = new PacketPeerUDP();
    opened.push(host);
    if (host.bind(0, "::1") !== OK) context.skip("IPv6 is off on this machine");
    const peer = new PacketPeerUDP();
    opened.push(peer);
    expect(peer.connectToHost("0:0:0:0:0:0:0:1", host.getLocalPort())).toBe(OK);
    peer.putPacket(Buffer.from("six"));
    await host.wait();
    host.getPacket();
    host.setDestAddress(host.getPacketIp(), host.getPacketPort());
    host.putPacket(Buffer.from("back"));
    await peer.wait();
    expect(peer.getPacket().toString()).toBe("back");
  });

  test("the size that a Variant may have, and floats that stay floats", async () => {
    const [a, b] = [new PacketPeerUDP(), new PacketPeerUDP()];
    opened.push(a, b);
    expect([a.encodeBufferMaxSize, a.getEncodeBufferMaxSize()]).toEqual([8_388_608, 8_388_608]);
    for (const refused of [1023, 2 ** 28 + 1, Number.NaN]) a.encodeBufferMaxSize = refused;
    expect(a.encodeBufferMaxSize).toBe(8_388_608);
    a.setEncodeBufferMaxSize(1025);
    expect(a.getEncodeBufferMaxSize()).toBe(2048);
    b.bind(0, "127.0.0.1");
    a.connectToHost("127.0.0.1", b.getLocalPort());
    expect([a.putVar("x".repeat(2041)), a.putVar("x".repeat(2040))]).toEqual([GodotError.OUT_OF_MEMORY, OK]);
    await b.wait();
    expect(b.getVar()).toBe("x".repeat(2040));
    a.putVar([5, new GodotFloat(5)]);
    await b.wait();
    expect(b.getVar({ keepFloats: true })).toEqual([5, new GodotFloat(5)]);
  });

  test("multicast and broadcast settings", () => {
    const peer = new PacketPeerUDP();
    opened.push(peer);
    expect(peer.setBroadcastEnabled(true)).toBe(OK);
    expect(peer.leaveMulticastGroup("239.1.2.3", "")).toBe(GodotError.UNCONFIGURED);
    expect(peer.joinMulticastGroup("no address", "")).toBe(GodotError.INVALID_PARAMETER);
    expect(peer.joinMulticastGroup("239.1.2.3", "no such interface")).toBe(GodotError.INVALID_PARAMETER);
    expect(peer.isBound()).toBe(false);
    expect(peer.bind(0, "0.0.0.0")).toBe(OK);
    expect(peer.joinMulticastGroup("127.0.0.1", "")).toBe(GodotError.FAILED);
  });
});
