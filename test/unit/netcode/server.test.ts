import { beforeAll, expect, test } from "vitest";
import { readConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { REQUEST_BYTES } from "../../../sdk/src/netcode/constants.ts";
import { NetcodeError } from "../../../sdk/src/netcode/errors.ts";
import { CHALLENGE_BODY_BYTES, CLIENT_READS, PacketCodec } from "../../../sdk/src/netcode/packet.ts";
import { writeRequest } from "../../../sdk/src/netcode/request.ts";
import { NetcodeServer } from "../../../sdk/src/netcode/server.ts";
import { getSlab, netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { NetcodeClientState } from "../../../sdk/src/netcode/types.ts";
import { PROTOCOL_ID, type SimClient, type SimServer, World } from "./world.ts";

beforeAll(netcodeReady);

function lobby(maxClients: number, players: number): { world: World; host: SimServer; players: SimClient[] } {
  const world = new World(7);
  const host = world.addServer(maxClients);
  world.run(60_000);
  const added = Array.from({ length: players }, () => world.addClient());
  for (const player of added) world.connect(player, world.token(player.clientId, [host.endpoint], 5, 60));
  world.run(20);
  return { world, host, players: added };
}

function requestOf(token: Uint8Array): Uint8Array {
  const read = readConnectToken(token);
  if (typeof read === "string") throw new Error(read);
  return writeRequest(read);
}

const spoofed = (number: number): { address: string; port: number } => ({
  address: `203.0.${number >> 8}.${number & 255}`,
  port: 1024 + number,
});

test("each client gets the lowest free slot, and a slot that is freed is given again", () => {
  const { world, host, players } = lobby(4096, 300);
  expect(host.server.clients.map(({ index }) => index)).toEqual(players.map((_, index) => index));
  const gone = host.server.client(17);
  if (!gone) throw new Error("slot 17 is empty");
  host.server.disconnect(gone, world.time);
  expect(gone.connected).toBe(false);
  const late = world.addClient();
  world.connect(late, world.token(9999n, [host.endpoint], 5, 60));
  world.run(20);
  expect(host.server.client(17)?.clientId).toBe(9999n);
  expect(late.client.clientIndex).toBe(17);
  expect(late.client.maxClients).toBe(4096);
  expect(host.server.send(gone, new Uint8Array(1), world.time)).toBe(false);
  expect(host.server.rebind(gone, "192.0.2.9", 1, world.time)).toBe(false);
  world.stop();
});

test("thousands of half-open handshakes are bounded, cost no player anything, and go away", () => {
  const { world, host, players } = lobby(8, 4);
  const { server } = host;
  for (let number = 0; number < 3000; number++) {
    const request = requestOf(world.token(100_000n + BigInt(number), [host.endpoint], 5, 60));
    for (let repeat = 0; repeat < 2; repeat++) world.deliver(spoofed(number), host.endpoint, request);
    expect(server.pendingHandshakes).toBeLessThanOrEqual(1024);
  }
  // 1024 handshakes, 2048 tokens; the rest in silence. Repeats from the same address take no more room.
  expect(server.counters.challenged).toBe(2048 + players.length);
  expect(server.counters.requestOverload).toBe(6000 - 2048);
  for (const player of players) expect(world.speak(player)).toBe(true);
  world.run(10);
  expect(world.payloads).toBe(4);
  world.run(5200);
  expect(server.pendingHandshakes).toBe(0);
  expect(server.clients.length).toBe(4);
  world.run(60_000);
  const late = world.addClient();
  world.connect(late, world.token(9999n, [host.endpoint], 5, 60));
  world.run(20);
  expect(late.client.state).toBe(NetcodeClientState.connected);
  world.stop();
});

test("handshakes without a timeout make room once their tokens have expired", () => {
  const { world, host } = lobby(8, 0);
  const fill = (from: number): void => {
    for (let number = from; number < from + 1024; number++) {
      world.deliver(spoofed(number), host.endpoint, requestOf(world.token(BigInt(number), [host.endpoint], -1, 45)));
    }
  };
  fill(0);
  world.run(30_000);
  expect(host.server.pendingHandshakes).toBe(1024);
  world.deliver(spoofed(5000), host.endpoint, requestOf(world.token(5000n, [host.endpoint], -1, 45)));
  expect(host.server.counters.requestOverload).toBe(1);
  world.run(16_000);
  fill(6000);
  expect(host.server.counters.challenged).toBe(2048);
  expect(host.server.pendingHandshakes).toBe(1024);
  world.stop();
});

test("junk from anywhere leaves nothing behind and is not answered", () => {
  const { world, host, players } = lobby(8, 2);
  const before = world.captured.at(-1);
  for (let number = 0; number < 20_000; number++) {
    const data = world.random.bytes(world.random.below(1400));
    if (number % 3 === 0) data[0] = 0;
    const player = world.random.pick(players);
    world.deliver(number % 5 === 0 ? player.endpoint : spoofed(number & 0xffff), host.endpoint, data);
  }
  expect(host.server.pendingHandshakes).toBe(0);
  expect(host.server.counters.refusedForged).toBeGreaterThan(100);
  expect(host.server.counters.refusedNoKey).toBeGreaterThan(1000);
  expect(host.server.counters.requestMalformed).toBeGreaterThan(1000);
  expect(world.captured.at(-1)).toBe(before);
  for (const player of players) world.speak(player);
  world.run(10);
  expect(world.payloads).toBe(2);
  world.stop();
});

test("no answer is longer than 0.31 of its request, whatever is asked", () => {
  const world = new World(3);
  const host = world.addServer(1);
  world.run(60_000);
  let largest = 0;
  const ask = (number: number): void => {
    const request = requestOf(world.token(BigInt(number), [host.endpoint], 5, 60));
    const before = world.captured.length;
    world.deliver(spoofed(number), host.endpoint, request);
    const answers = world.captured.slice(before).reduce((sum, { data }) => sum + data.length, 0);
    largest = Math.max(largest, answers / request.length);
  };
  ask(1);
  const player = world.addClient();
  world.connect(player, world.token(player.clientId, [host.endpoint], 5, 60));
  world.run(20);
  ask(2);
  expect(host.server.counters.challenged).toBe(2);
  expect(host.server.counters.denied).toBe(1);
  expect(largest).toBeCloseTo(333 / REQUEST_BYTES, 5);
  expect(largest).toBeLessThanOrEqual(0.31);
  world.stop();
});

test("a used token admits nobody: not its own address, not another, not after the client left", () => {
  const { world, host, players } = lobby(8, 1);
  const [player] = players;
  if (!player?.token) throw new Error("no player");
  const request = requestOf(player.token);
  world.deliver(spoofed(1), host.endpoint, request);
  expect(host.server.counters.requestConnected).toBe(1);
  player.client.disconnect(world.time);
  world.run(20);
  expect(host.server.clients.length).toBe(0);
  world.deliver(player.endpoint, host.endpoint, request);
  world.deliver(spoofed(1), host.endpoint, request);
  expect(host.server.counters.requestTokenUsed).toBe(2);
  expect(host.server.counters.challenged).toBe(1);
  world.stop();
});

test("after a restart, tokens that may have been used before it are ignored; newer ones are not", () => {
  const { world, host, players } = lobby(8, 1);
  const [player] = players;
  if (!player?.token) throw new Error("no player");
  const unused = requestOf(world.token(2n, [host.endpoint], 5, 45));
  host.server.start(world.time, world.unixSeconds());
  expect(host.server.clients.length).toBe(0);
  world.run(1000);
  world.deliver(player.endpoint, host.endpoint, requestOf(world.token(1n, [host.endpoint], 5, 43)));
  expect(host.server.counters.requestPredatesStart).toBe(1);
  world.deliver(spoofed(2), host.endpoint, unused);
  expect(host.server.counters.challenged).toBe(2);
  world.stop();
});

test("a restart begins the global sequence at 2^63 again, under a new challenge key", () => {
  const world = new World(5);
  const host = world.addServer(8);
  world.run(60_000);
  const challenge = (number: number): Uint8Array => {
    world.deliver(spoofed(number), host.endpoint, requestOf(world.token(5n, [host.endpoint], 5, 45)));
    return (world.captured.at(-1) as { data: Uint8Array }).data;
  };
  expect([...challenge(1).subarray(0, 9)]).toEqual([0x82, 0, 0, 0, 0, 0, 0, 0, 0x80]);
  expect([...challenge(2).subarray(0, 9)]).toEqual([0x82, 1, 0, 0, 0, 0, 0, 0, 0x80]);
  host.server.start(world.time, world.unixSeconds());
  expect([...challenge(3).subarray(0, 9)]).toEqual([0x82, 0, 0, 0, 0, 0, 0, 0, 0x80]);
  world.stop();
});

test("a client is followed to a new address by its own authentic packet, and by nothing else", () => {
  const { world, host, players } = lobby(8, 2);
  const [player, other] = players;
  const client = host.server.clientById(1n);
  if (!player || !other || !client) throw new Error("not connected");
  world.speak(player);
  const old = (world.captured.at(-1) as { data: Uint8Array }).data;
  world.run(5);
  world.speak(player);
  const fresh = (world.captured.at(-1) as { data: Uint8Array }).data;

  const forged = fresh.slice();
  forged[20] = (forged[20] ?? 0) ^ 1;
  expect(host.server.receiveAs(client, forged)).toBe(false);
  expect(host.server.receiveAs(client, old)).toBe(false);
  expect(host.server.receiveAs(client, fresh)).toBe(true);
  expect(client.newest).toBe(true);
  expect(host.server.receiveAs(client, fresh)).toBe(false);

  world.speak(player);
  const late = (world.captured.at(-1) as { data: Uint8Array }).data;
  world.speak(player);
  const newest = (world.captured.at(-1) as { data: Uint8Array }).data;
  expect(host.server.receiveAs(client, newest)).toBe(true);
  expect(client.newest).toBe(true);
  expect(host.server.receiveAs(client, late)).toBe(true);
  expect(client.newest).toBe(false);

  expect(host.server.rebind(client, other.endpoint.address, other.endpoint.port, world.time)).toBe(false);
  player.endpoint.address = "198.51.100.200";
  expect(host.server.rebind(client, player.endpoint.address, player.endpoint.port, world.time)).toBe(true);
  expect(client.address).toBe("198.51.100.200");
  world.run(10_000);
  expect(player.client.state).toBe(NetcodeClientState.connected);
  const heard = world.payloads;
  world.speak(player);
  world.run(5);
  expect(world.payloads).toBe(heard + 1);
  // Whoever comes from where it was is a stranger.
  const strangers = host.server.counters.refusedNoKey;
  world.deliver({ address: "198.51.100.1", port: player.endpoint.port }, host.endpoint, fresh);
  expect(host.server.counters.refusedNoKey).toBe(strangers + 1);
  world.stop();
});

test("two handshakes for one id, or for the last slot: the first response wins", () => {
  const world = new World(9);
  const host = world.addServer(1);
  const twins = [world.addClient(), world.addClient(), world.addClient()];
  world.run(60_000);
  for (const [index, twin] of twins.entries()) {
    twin.clientId = index === 2 ? 2n : 1n;
    world.connect(twin, world.token(twin.clientId, [host.endpoint], 1, 60));
  }
  world.run(50);
  expect(twins.map(({ client }) => client.state)).toEqual([
    NetcodeClientState.connected,
    NetcodeClientState.sendingResponse,
    NetcodeClientState.denied,
  ]);
  expect(host.server.counters.responseConnected).toBeGreaterThan(0);
  expect(host.server.counters.denied).toBe(1);
  world.stop();
});

test("where tokens replace one another, 9500 of one client hold one place, and nobody else is kept out", () => {
  const world = new World(11);
  const host = world.addServer(8, { oneTokenPerClient: true });
  const { server } = host;
  world.run(60_000);
  const tokens = Array.from({ length: 9500 }, () => world.token(1n, [host.endpoint], 5, 60));
  for (const [number, token] of tokens.entries()) {
    world.deliver(spoofed(number % 4000), host.endpoint, requestOf(token));
    expect(server.pendingHandshakes).toBe(1);
  }
  expect(server.counters.requestOverload).toBe(0);
  const friend = world.addClient();
  world.connect(friend, world.token(2n, [host.endpoint], 5, 60));
  world.run(50);
  expect(friend.client.state).toBe(NetcodeClientState.connected);
  // The client itself gets in by its latest token, and by no other any more.
  const [first, latest] = [world.addClient(), world.addClient()];
  for (const player of [first, latest]) {
    player.clientId = 1n;
    world.connect(player, world.token(1n, [host.endpoint], 1, 60));
  }
  world.run(50);
  expect(latest.client.state).toBe(NetcodeClientState.connected);
  expect(first.client.state).toBe(NetcodeClientState.sendingResponse);
  world.stop();
});

/** A handshake from a spoofed address up to the response, which is left to the caller. */
function halfOpen(
  world: World,
  host: SimServer,
  number: number,
): { respond: (challenge?: Uint8Array) => void; challenge: Uint8Array } {
  const token = world.token(BigInt(number), [host.endpoint], 5, 60);
  const read = readConnectToken(token);
  if (typeof read === "string") throw new Error(read);
  world.deliver(spoofed(number), host.endpoint, requestOf(token));
  const slab = getSlab();
  const codec = new PacketCodec(PROTOCOL_ID);
  const key = slab.storeCell(read.serverToClientKey);
  expect(codec.open((world.captured.at(-1) as { data: Uint8Array }).data, key, null, CLIENT_READS)).toBe(2);
  slab.releaseCell(key);
  const challenge = slab.plainView(CHALLENGE_BODY_BYTES).slice();
  return {
    challenge,
    respond: (body = challenge) => {
      const sendKey = slab.storeCell(read.clientToServerKey);
      slab.u8.set(body, slab.body);
      const response = slab.wireOutView(codec.seal(3, 0, 0, sendKey, body.length)).slice();
      slab.releaseCell(sendKey);
      codec.release();
      world.deliver(spoofed(number), host.endpoint, response);
    },
  };
}

test("4096 clients fit, are all kept alive, and the next one is denied", () => {
  const { world, host } = lobby(4096, 0);
  for (let number = 0; number < 4096; number++) halfOpen(world, host, number).respond();
  expect(host.server.clients.length).toBe(4096);
  expect(host.server.client(4095)?.clientId).toBe(4095n);
  world.deliver(spoofed(5000), host.endpoint, requestOf(world.token(5000n, [host.endpoint], 5, 60)));
  expect(host.server.counters.denied).toBe(1);
  world.time += 100;
  host.server.update(world.time);
  expect(host.server.clients.every(({ lastSendTime }) => lastSendTime === world.time)).toBe(true);
  world.time += 5000;
  host.server.update(world.time);
  expect(host.server.counters.disconnectedTimeout).toBe(4096);
  world.stop();
  expect(getSlab().cellsInUse).toBe(0);
});

test("a response in time gets a slot, whose keep alive is due 100 ms later; one that is too late gets nothing", () => {
  const { world, host } = lobby(8, 0);
  const [prompt, late] = [halfOpen(world, host, 1), halfOpen(world, host, 2)];
  world.time += 5000;
  prompt.respond();
  expect(host.server.clients.length).toBe(1);
  expect(host.server.nextUpdate(world.time)).toBe(world.time + 1);
  world.time += 2;
  host.server.update(world.time);
  expect(host.server.pendingHandshakes).toBe(0);
  expect(host.server.nextUpdate(world.time)).toBe(world.time + 98);
  late.respond();
  expect(host.server.clients.length).toBe(1);
  const overdue = halfOpen(world, host, 3);
  world.time += 5001;
  overdue.respond();
  expect(host.server.clients.length).toBe(1);
  world.stop();
});

test("the first client of an idle server is kept alive", () => {
  const { world, host } = lobby(8, 0);
  halfOpen(world, host, 1).respond();
  expect(host.server.nextUpdate(world.time)).toBe(world.time + 100);
  world.stop();
});

test("a challenge that another client lends does not make one its name", () => {
  const { world, host } = lobby(8, 0);
  const [lender, borrower] = [halfOpen(world, host, 1), halfOpen(world, host, 2)];
  borrower.respond(lender.challenge);
  expect(host.server.clients.length).toBe(0);
  expect(host.server.counters.responseForged).toBe(1);
  lender.respond();
  expect(host.server.clientById(1n)?.address).toBe(spoofed(1).address);
  world.stop();
});

test("a server that stopped has wiped every key", () => {
  const { world, host, players } = lobby(8, 3);
  world.deliver(spoofed(1), host.endpoint, requestOf(world.token(77n, [host.endpoint], 5, 45)));
  const tokens = players.map(({ token }) => readConnectToken(token as Uint8Array));
  const keys = tokens.flatMap((token) =>
    typeof token === "string" ? [] : [token.clientToServerKey, token.serverToClientKey],
  );
  keys.push(world.privateKey);
  expect(keys.length).toBe(7);
  const holds = (key: Uint8Array): boolean => Buffer.from(getSlab().u8.buffer).includes(key);
  expect(keys.every(holds)).toBe(true);
  world.stop();
  expect(keys.some(holds)).toBe(false);
});

test("callbacks may disconnect, restart and stop", () => {
  const world = new World(11);
  const endpoint = { address: "192.0.2.50", port: 7777 };
  const happened: string[] = [];
  const server: NetcodeServer = new NetcodeServer(
    { protocolId: PROTOCOL_ID, privateKey: world.privateKey, address: endpoint, maxClients: 4 },
    {
      send: (data, address, port) => world.post(endpoint, { address, port }, data),
      clientConnected: (client) => {
        happened.push(`connected ${client.clientId}`);
        if (client.clientId === 1n) server.disconnect(client, world.time);
        if (client.clientId === 2n) server.start(world.time, world.unixSeconds());
      },
      clientDisconnected: (client, reason) => happened.push(`gone ${client.clientId} ${reason}`),
      payload: () => server.stop(world.time),
    },
  );
  server.start(0, 0);
  world.servers.push({ endpoint, server, skew: 0, reasons: new Set() });
  for (const id of [1n, 2n, 3n]) {
    const player = world.addClient();
    player.clientId = id;
    world.run(50_000);
    world.connect(player, world.token(id, [endpoint], 5, 60));
    world.run(50);
    if (id === 3n) world.speak(player);
    world.run(50);
  }
  expect(happened).toEqual([
    "connected 1",
    "gone 1 server",
    "connected 2",
    "gone 2 server",
    "connected 3",
    "gone 3 server",
  ]);
  expect(server.running).toBe(false);
  expect(server.receive(new Uint8Array(20), "192.0.2.1", 1, 0, 0)).toBe(false);
  expect(server.nextUpdate(5)).toBe(Number.POSITIVE_INFINITY);
});

test("options out of range are refused with a code", () => {
  const handler = { send: () => {}, clientConnected: () => {}, clientDisconnected: () => {}, payload: () => {} };
  const good = { protocolId: 1n, privateKey: new Uint8Array(32), address: { address: "::1", port: 1 }, maxClients: 1 };
  const make =
    (wrong: object): (() => NetcodeServer) =>
    () =>
      new NetcodeServer({ ...good, ...wrong }, handler);
  expect(make({})).not.toThrow();
  for (const wrong of [
    { privateKey: new Uint8Array(1) },
    { maxClients: 0 },
    { maxClients: 65_537 },
    { maxClients: 1.5 },
  ]) {
    expect(make(wrong)).toThrow(NetcodeError);
  }
  expect(make({ address: { address: "localhost", port: 1 } })).toThrow(
    expect.objectContaining({ code: "invalid-address" }),
  );
  expect(make({ maxTokenLifetimeSeconds: -1 })).toThrow(expect.objectContaining({ code: "invalid-option" }));
});

test("a client says how long its handshake took: a round trip, and what was lost on top", () => {
  const { world, host } = lobby(8, 0);
  const took = (lossyMs: number): number => {
    const player = world.addClient();
    world.connect(player, world.token(player.clientId, [host.endpoint], 5, 60));
    // The request has left; the challenge does not get through for a while.
    world.run(5);
    world.weather = { loss: lossyMs > 0 ? 1 : 0, duplication: 0, delay: 20 };
    world.run(lossyMs);
    world.weather = { loss: 0, duplication: 0, delay: 20 };
    world.run(400);
    return host.server.clientById(player.clientId)?.handshakeMs ?? Number.NaN;
  };
  const calm = took(0);
  expect(calm).toBeGreaterThanOrEqual(0);
  expect(calm).toBeLessThanOrEqual(40);
  expect(took(250)).toBeGreaterThan(100);
  world.stop();
});
