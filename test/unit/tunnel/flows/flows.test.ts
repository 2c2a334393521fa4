/** Flows between programs on loopback, through a session that is a function. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { UDPSocket } from "../../../../sdk/src/net/udp-socket.ts";
import { DatagramLine } from "../../../../sdk/src/tunnel/flows/datagram-line.ts";
import { GuestFlows } from "../../../../sdk/src/tunnel/flows/guest-flows.ts";
import { FLOW_IDLE_MS, HostFlows, MAX_HOST_FLOWS } from "../../../../sdk/src/tunnel/flows/host-flows.ts";
import { TunnelWriter } from "../../../../sdk/src/tunnel/wire/protocol.ts";
import { until } from "../../../until.ts";

let now: number;
let sockets: UDPSocket[];
let program: UDPSocket;
/** Who sent what to the program. */
let heard: { from: string; text: string }[];
let guestLine: DatagramLine;
let hostLine: DatagramLine;
let guest: GuestFlows;
let host: HostFlows;
let mayOpen: boolean;

function open(address = "127.0.0.1"): UDPSocket {
  const socket = UDPSocket.open({ address });
  sockets.push(socket);
  return socket;
}

const session = (deliver: (message: Uint8Array) => void) => ({
  stats: { maxPacketBytes: 1200 } as never,
  send: (data: Uint8Array) => {
    const copy = Buffer.from(data);
    setImmediate(() => deliver(copy));
    return true;
  },
});

beforeEach(() => {
  now = 0;
  sockets = [];
  heard = [];
  mayOpen = true;
  program = open();
  program.onDatagram = (data, address, port) => {
    heard.push({ from: `${address}:${port}`, text: data.toString() });
    program.send(Buffer.from(`re: ${data.toString()}`), port, address);
  };
  const clock = (): number => now;
  guestLine = new DatagramLine(new TunnelWriter(), clock);
  hostLine = new DatagramLine(new TunnelWriter(), clock);
  guest = new GuestFlows(guestLine, clock);
  host = new HostFlows({
    line: hostLine,
    target: (port) => (port === 1 ? { address: "127.0.0.1", port: program.localPort } : undefined),
    source: "127.9.8.7",
    now: clock,
    mayOpen: () => mayOpen,
  });
  guestLine.session = session((message) => host.receive(message));
  hostLine.session = session((message) => guest.receive(message));
});

afterEach(async () => {
  host.close();
  await Promise.all(sockets.map((socket) => socket.close()));
});

function listen(): UDPSocket {
  const socket = open();
  guest.listen(socket)(1);
  return socket;
}

async function exchange(from: UDPSocket, to: UDPSocket, text: string): Promise<string> {
  const answer = new Promise<string>((resolve) => {
    from.onDatagram = (data) => resolve(data.toString());
  });
  from.send(Buffer.from(text), to.localPort, "127.0.0.1");
  return await answer;
}

test("each program at the guest is one at the host's: same address, other port; answers find their way", async () => {
  const local = listen();
  const [first, second] = [open(), open()];
  expect(await exchange(first, local, "one")).toBe("re: one");
  expect(await exchange(second, local, "two")).toBe("re: two");
  expect(await exchange(first, local, "three")).toBe("re: three");
  const [one, two, three] = heard.map(({ from }) => from);
  expect(one).toBe(three);
  expect(two).not.toBe(one);
  for (const each of [one, two]) expect(each).toMatch(/^127\.9\.8\.7:/);
  expect([guest.size, host.size]).toEqual([2, 2]);
});

test("nobody but the program speaks to the guest through a flow's socket", async () => {
  const local = listen();
  const player = open();
  await exchange(player, local, "hello");
  const [address = "", port = ""] = heard[0]?.from.split(":") ?? [];
  const stranger = open();
  const got: string[] = [];
  player.onDatagram = (data) => got.push(data.toString());
  stranger.send(Buffer.from("forged"), Number(port), address);
  await exchange(open(), local, "later");
  expect(got).toEqual([]);
});

test("a port that is not shared, and a message without a header, open nothing", () => {
  host.receive(Uint8Array.of(0, 1, 0, 9));
  host.receive(Uint8Array.of(2, 1, 0, 9));
  host.receive(Uint8Array.of(1, 1));
  host.receive(new Uint8Array(0));
  expect(host.size).toBe(0);
  expect(hostLine.counters.dropped).toBe(2);
});

test("a guest has 64 flows: busy ones give no room, and then the one that was silent longest does", () => {
  const datagram = (flow: number): Uint8Array => Uint8Array.of(1, flow, 0, 9);
  for (let flow = 0; flow < MAX_HOST_FLOWS + 10; flow++) {
    now += 1;
    host.receive(datagram(flow));
  }
  expect(host.size).toBe(MAX_HOST_FLOWS);
  expect(hostLine.counters.dropped).toBe(10);
  now += 5000;
  host.receive(datagram(200));
  expect(host.size).toBe(MAX_HOST_FLOWS);
  expect(hostLine.counters.dropped).toBe(10);
  mayOpen = false;
  now += 10;
  host.receive(datagram(201));
  expect(host.size).toBe(MAX_HOST_FLOWS);
});

test("a flow ends after two minutes of silence, on both sides", async () => {
  const local = listen();
  const player = open();
  await exchange(player, local, "hello");
  now = FLOW_IDLE_MS;
  guest.prune();
  host.prune();
  expect([guest.size, host.size]).toEqual([1, 1]);
  now += 1;
  guest.prune();
  host.prune();
  expect([guest.size, host.size]).toEqual([0, 0]);
  expect(await exchange(player, local, "again")).toBe("re: again");
});

test("many programs at the guest: the one that was silent longest ends", async () => {
  const local = listen();
  const first = open();
  await exchange(first, local, "first");
  for (let n = 0; n < 256; n++) {
    now++;
    local.onDatagram?.(Buffer.from("x"), "127.0.0.1", 10_000 + n);
  }
  expect(guest.size).toBe(256);
});

test("datagrams longer than a packet are counted as fragmented; RakNet's probes of that length are dropped", () => {
  guestLine.send(1, 1, new Uint8Array(1154));
  expect(guestLine.counters.fragmented).toBe(0);
  guestLine.send(1, 1, new Uint8Array(1155));
  expect(guestLine.counters).toMatchObject({ datagramsOut: 2, fragmented: 1, dropped: 0 });
  const magic = Buffer.from("0500ffff00fefefefefdfdfdfd12345678", "hex");
  guestLine.send(1, 1, Buffer.concat([magic, Buffer.alloc(1200)]));
  expect(guestLine.counters.dropped).toBe(1);
  guestLine.send(1, 1, Buffer.concat([magic, Buffer.alloc(1000)]));
  expect(guestLine.counters).toMatchObject({ datagramsOut: 3, dropped: 1 });
});

test("without a session datagrams are lost, and counted", () => {
  guestLine.session = undefined;
  guestLine.send(1, 1, new Uint8Array(10));
  expect(guestLine.counters).toMatchObject({ datagramsOut: 0, dropped: 1 });
});

test("an offer that has the port no more sends nothing", async () => {
  const socket = open();
  const setIndex = guest.listen(socket);
  setIndex(undefined);
  open().send(Buffer.from("x"), socket.localPort, "127.0.0.1");
  await until(() => socket.counters.datagramsIn === 1, { timeoutMs: 10_000 });
  expect(guestLine.counters).toMatchObject({ datagramsOut: 0, dropped: 0 });
  expect(guest.size).toBe(0);
});
