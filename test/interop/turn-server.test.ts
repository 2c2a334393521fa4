// Our TURN server, spoken to by our own client and by other people's: coturn's, werift's, libjuice's.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { promisify } from "node:util";
import { afterEach, describe, expect, test } from "vitest";
import { Candidate, Connection } from "werift-ice";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { stunBindingOverTCP } from "../../sdk/src/stun/binding-tcp.ts";
import { stunBinding } from "../../sdk/src/stun/client.ts";
import { mintTurnCredentials } from "../../sdk/src/turn/credentials.ts";
import { openTurnRelay } from "../../sdk/src/turn/open.ts";
import type { TurnRelay } from "../../sdk/src/turn/relay.ts";
import { TurnRelayServer, type TurnRelayServerOptions } from "../../sdk/src/turn/server/relay-server.ts";
import { StreamClients } from "../../sdk/src/turn/server/stream-clients.ts";
import { until } from "../until.ts";
import { hasChromium, openChromium } from "./page-chromium.ts";
import { Conversation } from "./turn/conversation.ts";
import { coturnPresent } from "./turn/coturn.ts";

const LOOPBACK = "127.0.0.1";
/** Another machine's address: the server's own is not reached, but for its relays. */
const PEER = "127.0.0.2";
const SECRET = "s3cret";
const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function serve(options: Partial<TurnRelayServerOptions> = {}): Promise<TurnRelayServer> {
  const server = await TurnRelayServer.open({
    port: 0,
    address: LOOPBACK,
    secret: SECRET,
    relayAddresses: [LOOPBACK],
    mayReach: (address) => address === PEER,
    ...options,
  });
  open.push(server);
  return server;
}

async function relayAt(server: TurnRelayServer, transport: "udp" | "tcp"): Promise<TurnRelay> {
  const socket = UDPSocket.open({ address: LOOPBACK });
  const urls = `turn:${LOOPBACK}:${server.port}?transport=${transport}`;
  const relay = await openTurnRelay({ socket, servers: [{ urls, ...mintTurnCredentials(SECRET, { label: "K7Q2" }) }] });
  open.push(socket, relay);
  return relay;
}

test.each([
  ["udp", "udp"],
  ["udp", "tcp"],
  ["tcp", "tcp"],
] as const)("two of our relays over %s and %s talk to each other", async (one, other) => {
  const server = await serve();
  const [a, b] = [await relayAt(server, one), await relayAt(server, other)];
  expect([a.transport, a.relayed.address, a.mapped?.address, server.allocations]).toEqual([one, LOOPBACK, LOOPBACK, 2]);
  const talk = new Conversation(a, b);
  for (const bytes of [0, 1, 2, 3, 4, 200, 1201, 5000]) expect(await talk.ask(bytes)).toBe(bytes);
  await Promise.all([a.close(), b.close()]);
  await until(() => server.allocations === 0, { what: "both relays are given back" });
});

test("a peer outside is reached from the relayed address, and answers to it", async () => {
  const server = await serve();
  const relay = await relayAt(server, "udp");
  const peer = UDPSocket.open({ address: PEER });
  open.push(peer);
  peer.onDatagram = (data, address, port) => peer.send(Buffer.concat([data, Buffer.from("!")]), port, address);
  relay.permit(PEER);
  const heard = new Promise<string>((resolve) => {
    relay.onData = (data, address, port) => resolve(`${data.toString()} from ${address}:${port}`);
  });
  const again = setInterval(() => relay.send(Buffer.from("hello"), PEER, peer.localPort), 50);
  expect(await heard).toBe(`hello! from ${PEER}:${peer.localPort}`);
  clearInterval(again);
});

test("it answers STUN on the same port, over UDP and TCP", async () => {
  const server = await serve();
  const socket = UDPSocket.open({ address: LOOPBACK });
  open.push(socket);
  const [outcome] = await stunBinding(socket, [`${LOOPBACK}:${server.port}`]);
  expect(outcome?.mapped).toEqual({ address: LOOPBACK, port: socket.localPort });
  const overTCP = await stunBindingOverTCP({ address: LOOPBACK, port: server.port });
  expect(overTCP.mapped.address).toBe(LOOPBACK);
});

test.skipIf(!coturnPresent)("coturn's client loses nothing: channels, indications, TCP, two of its own", async () => {
  const server = await serve({ mayReach: () => true });
  const reserved = UDPSocket.open({ address: PEER });
  const port = reserved.localPort;
  await reserved.close();
  const peer = spawn("turnutils_peer", ["-L", PEER, "-p", `${port}`], { stdio: "ignore" });
  const run = promisify(execFile);
  const own = ["-c", "-W", SECRET, "-p", `${server.port}`, "-n", "10", "-m", "4"];
  const toPeer = ["-e", PEER, "-r", `${port}`];
  try {
    const outputs = await Promise.all(
      [toPeer, [...toPeer, "-s"], [...toPeer, "-t"], ["-y"]].map((args) =>
        run("turnutils_uclient", [...own, ...args, LOOPBACK]),
      ),
    );
    for (const { stdout } of outputs) expect(stdout).toMatch(/tot_send_msgs=40, tot_recv_msgs=40/);
    expect(server.counters.datagrams).toBeGreaterThanOrEqual(160);
  } finally {
    peer.kill("SIGKILL");
    await once(peer, "exit");
  }
});

test("werift's ICE connects through it, by relays alone", async () => {
  const server = await serve();
  const { username, credential } = mintTurnCredentials(SECRET);
  const agents = [true, false].map(
    (controlling) =>
      new Connection(controlling, {
        turnServer: [LOOPBACK, server.port],
        turnUsername: username,
        turnPassword: credential,
        forceTurn: true,
        useIpv4: false,
        useIpv6: false,
        interfaceAddresses: { udp4: LOOPBACK },
        additionalHostAddresses: [LOOPBACK],
      }),
  ) as [Connection, Connection];
  const [a, b] = agents;
  for (const agent of agents) await agent.gatherCandidates();
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.setRemoteParams({ iceLite: false, usernameFragment: other.localUsername, password: other.localPassword });
    const relayed = other.localCandidates.filter(({ type }) => type === "relay");
    expect(relayed.map(({ host }) => host)).toEqual([LOOPBACK]);
    for (const { host, port, foundation, priority } of relayed) {
      await one.addRemoteCandidate(Candidate.fromSdp(`${foundation} 1 udp ${priority} ${host} ${port} typ relay`));
    }
    await one.addRemoteCandidate(undefined);
  }
  await Promise.all(agents.map((agent) => agent.connect()));
  const heard = new Promise<string>((resolve) => b.onData.subscribe((data) => resolve(data.toString())));
  await a.send(Buffer.from("through the relay"));
  expect(await heard).toBe("through the relay");
  await Promise.all(agents.map((agent) => agent.close()));
});

test("libjuice, in node-datachannel, opens a channel through it, by relays alone", async () => {
  const { default: datachannel } = await import("node-datachannel");
  const server = await serve();
  const { username, credential } = mintTurnCredentials(SECRET);
  const ice = { hostname: LOOPBACK, port: server.port, username, password: credential, relayType: "TurnUdp" as const };
  const peers = ["one", "other"].map(
    (name) => new datachannel.PeerConnection(name, { iceServers: [ice], iceTransportPolicy: "relay" }),
  );
  const [one, other] = peers as [(typeof peers)[0], (typeof peers)[0]];
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.onLocalDescription((sdp, type) => to.setRemoteDescription(sdp, type));
    from.onLocalCandidate((candidate, mid) => {
      expect(candidate).toContain("typ relay");
      to.addRemoteCandidate(candidate, mid);
    });
  }
  const heard = new Promise<unknown>((resolve) => other.onDataChannel((channel) => channel.onMessage(resolve)));
  const channel = one.createDataChannel("game");
  channel.onOpen(() => channel.sendMessage("through the relay"));
  expect(await heard).toBe("through the relay");
  for (const peer of peers) peer.close();
});

describe.runIf(hasChromium)("Chromium", () => {
  test.each(["udp", "tcp"] as const)("opens a channel through it over %s, by relays alone", async (transport) => {
    const server = await serve();
    const browser = await openChromium(["--allow-loopback-in-peer-connection"]);
    open.push({ [Symbol.asyncDispose]: () => browser.close() });
    const page = await browser.newPage();
    const urls = `turn:${LOOPBACK}:${server.port}?transport=${transport}`;
    const answer = await page.evaluate(talkThrough, { urls, ...mintTurnCredentials(SECRET) });
    expect(answer).toEqual({ heard: "through the relay", kinds: ["relay"] });
    expect([server.allocations, server.counters.datagrams > 10]).toEqual([2, true]);
  });
});

/** In the page: one peer connection says something to another, both by this server alone. */
async function talkThrough(server: RTCIceServer): Promise<{ heard: string; kinds: string[] }> {
  const settings: RTCConfiguration = { iceServers: [server], iceTransportPolicy: "relay" };
  const [one, other] = [new RTCPeerConnection(settings), new RTCPeerConnection(settings)];
  const kinds = new Set<string>();
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.type) kinds.add(candidate.type);
      if (candidate) void to.addIceCandidate(candidate);
    });
  }
  const heard = new Promise<string>((resolve) => {
    other.addEventListener("datachannel", ({ channel }) => {
      channel.addEventListener("message", ({ data }) => resolve(String(data)));
    });
  });
  const channel = one.createDataChannel("game");
  channel.addEventListener("open", () => channel.send("through the relay"));
  await one.setLocalDescription(await one.createOffer());
  await other.setRemoteDescription(one.localDescription as RTCSessionDescription);
  await other.setLocalDescription(await other.createAnswer());
  await one.setRemoteDescription(other.localDescription as RTCSessionDescription);
  return { heard: await heard, kinds: [...kinds] };
}

describe("over TCP", () => {
  async function dial(port: number): Promise<Socket> {
    const socket = connect(port, LOOPBACK);
    open.push({ [Symbol.asyncDispose]: async () => void socket.destroy() });
    socket.on("error", () => undefined);
    await once(socket, "connect");
    return socket;
  }

  test("what is no STUN is closed", async () => {
    const socket = await dial((await serve()).port);
    // A TLS client's hello.
    socket.write(Buffer.from("160301020001000001fc0303", "hex"));
    await once(socket, "close");
  });

  test("who asks for nothing is closed after ten seconds, and one address has only so many", async () => {
    const closed: unknown[] = [];
    const clients = new StreamClients({
      total: 8,
      unallocated: 8,
      perCaller: 3,
      hasAllocation: () => false,
      receive: () => undefined,
      closed: (client) => closed.push(client),
    });
    const reserved = UDPSocket.open({ address: LOOPBACK });
    const port = reserved.localPort;
    await reserved.close();
    await clients.listen(port, LOOPBACK);
    open.push({ [Symbol.asyncDispose]: () => clients.close() });
    for (let i = 0; i < 5; i++) await dial(port);
    await until(() => closed.length === 2, { what: "two connections beyond the share are closed" });
    clients.sweep(performance.now() + 5000);
    await dial(port);
    await until(() => closed.length === 3);
    clients.sweep(performance.now() + 10_500);
    await until(() => closed.length === 6, { what: "the silent ones are closed" });
  });

  test("an allocation ends with its connection", async () => {
    const server = await serve();
    const relay = await relayAt(server, "tcp");
    expect(server.allocations).toBe(1);
    await relay.close();
    await until(() => server.allocations === 0);
  });
});
