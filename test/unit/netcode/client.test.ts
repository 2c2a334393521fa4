import { beforeAll, expect, test } from "vitest";
import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { NetcodeClientState } from "../../../sdk/src/netcode/types.ts";
import { World } from "./world.ts";

beforeAll(netcodeReady);

const NOWHERE = { address: "203.0.113.9", port: 9 };

/** One server that has run for long enough to accept tokens of any lifetime, and one client. */
function pair(maxClients = 4): {
  world: World;
  server: ReturnType<World["addServer"]>;
  player: ReturnType<World["addClient"]>;
} {
  const world = new World(1);
  const server = world.addServer(maxClients);
  const player = world.addClient();
  world.run(60_000);
  return { world, server, player };
}

test("each stage goes out at once: connected after two round trips, without a timer", () => {
  const { world, server, player } = pair();
  const begun = world.time;
  world.connect(player, world.token(1n, [server.endpoint], 5, 60));
  while (player.client.state !== NetcodeClientState.connected && world.time < begun + 1000) world.run(0.5);
  expect(world.time - begun).toBeLessThanOrEqual(5);
  expect(player.client.maxClients).toBe(4);
  expect(player.client.clientIndex).toBe(0);
  world.run(2);
  expect(server.server.client(0)?.confirmed).toBe(true);
});

test("the token's lifetime counts for the whole list of servers, not for each", () => {
  const { world, player } = pair();
  const begun = world.time;
  world.connect(player, world.token(1n, [NOWHERE, { ...NOWHERE, port: 10 }, { ...NOWHERE, port: 11 }], 2, 3));
  world.run(2500);
  expect(player.client.serverAddress?.port).toBe(10);
  world.run(499);
  expect(player.client.state).toBe(NetcodeClientState.sendingRequest);
  world.run(3);
  expect(player.client.state).toBe(NetcodeClientState.tokenExpired);
  expect(world.time - begun).toBeLessThan(3010);
});

test("a server that disconnects ends it, even if the token lists more servers", () => {
  const { world, server, player } = pair();
  const other = world.addServer(4);
  world.connect(player, world.token(1n, [server.endpoint, other.endpoint], 5, 60));
  world.run(20);
  const client = server.server.clientById(1n);
  if (!client) throw new Error("not connected");
  server.server.disconnect(client, world.time);
  world.run(5000);
  expect(player.client.state).toBe(NetcodeClientState.disconnected);
  expect(other.server.counters.received).toBe(0);
});

test("a full server gives way to the next, whose slot is taken", () => {
  const { world, server, player } = pair(1);
  const other = world.addServer(4);
  const first = world.addClient();
  world.connect(first, world.token(9n, [server.endpoint], 5, 60));
  world.run(46_000);
  world.connect(player, world.token(1n, [server.endpoint, other.endpoint], 5, 60));
  world.run(20);
  expect(player.client.state).toBe(NetcodeClientState.connected);
  expect(player.client.serverAddress).toEqual(other.endpoint);
  expect(server.server.counters.denied).toBe(1);
});

test("connecting again with the same token goes on counting, since the key has seen the sequences", () => {
  const world = new World(1);
  const sequences: number[] = [];
  const client = new NetcodeClient({
    send: (data) => {
      if ((data[0] ?? 0) !== 0) sequences.push(data[1] ?? 0);
    },
    stateChanged: () => {},
    payload: () => {},
  });
  const token = world.token(1n, [NOWHERE], 5, 60);
  for (let round = 0; round < 3; round++) {
    client.connect(token, 0);
    client.disconnect(0);
  }
  expect(new Set(sequences).size).toBe(30);
  client.connect(world.token(1n, [NOWHERE], 5, 60), 0);
  client.disconnect(0);
  expect(sequences.at(-10)).toBe(1);
});

test("a timeout of zero or less never ends it", () => {
  const { world, server, player } = pair();
  world.connect(player, world.token(1n, [server.endpoint], 0, 60));
  world.run(10);
  expect(player.client.state).toBe(NetcodeClientState.connected);
  world.weather = { loss: 1, duplication: 0, delay: 1 };
  world.run(100_000);
  expect(player.client.state).toBe(NetcodeClientState.connected);
  expect(server.server.clients.length).toBe(1);
});

test("a clock that jumps back an hour silences nobody, and does not hide who is silent", () => {
  const { world, server, player } = pair();
  world.connect(player, world.token(1n, [server.endpoint], 2, 60));
  world.run(10);
  player.skew -= 3_600_000;
  server.skew -= 3_600_000;
  const heard = server.server.counters.accepted;
  world.run(1000);
  expect(server.server.counters.accepted).toBeGreaterThanOrEqual(heard + 9);
  expect(player.client.lastReceiveTime).toBeGreaterThan(world.time + player.skew - 150);
  world.weather = { loss: 1, duplication: 0, delay: 1 };
  world.run(50);
  player.skew -= 3_600_000;
  server.skew -= 3_600_000;
  world.run(2100);
  expect(player.client.state).toBe(NetcodeClientState.connectionTimedOut);
  expect(server.server.clients.length).toBe(0);
});

test("bytes that are no token are refused with the reason, and nothing is sent", () => {
  const { world, player } = pair();
  expect(player.client.connect(new Uint8Array(2048), world.time)).toBe("version");
  expect(player.client.state).toBe(NetcodeClientState.invalidToken);
  expect(player.client.connect(new Uint8Array(3), world.time)).toBe("length");
  expect(world.captured).toEqual([]);
  expect(player.client.nextUpdate(world.time)).toBe(Number.POSITIVE_INFINITY);
});

test("sends only when connected, and only 1 to 1200 bytes", () => {
  const { world, server, player } = pair();
  expect(player.client.send(new Uint8Array(1), world.time)).toBe(false);
  world.connect(player, world.token(1n, [server.endpoint], 5, 60));
  expect(player.client.send(new Uint8Array(1), world.time)).toBe(false);
  world.run(10);
  expect(player.client.send(new Uint8Array(0), world.time)).toBe(false);
  expect(player.client.send(new Uint8Array(1201), world.time)).toBe(false);
  expect(player.client.send(Buffer.from(`1/${"x".repeat(1198)}`), world.time)).toBe(true);
  world.run(10);
  expect(world.payloads).toBe(1);
});

test("follows its server to another address when told so", () => {
  const { world, server, player } = pair();
  world.connect(player, world.token(1n, [server.endpoint], 2, 60));
  world.run(10);
  server.endpoint.port = 8888;
  player.client.rebind(server.endpoint.address, 8888);
  world.run(5000);
  expect(player.client.state).toBe(NetcodeClientState.connected);
});

test("a callback may connect anew, or disconnect, at any moment", () => {
  const { world, server } = pair();
  const endpoint = { address: "198.51.100.77", port: 7 };
  const states: number[] = [];
  const client: NetcodeClient = new NetcodeClient({
    send: (data, address, port) => world.post(endpoint, { address, port }, data),
    stateChanged: (state) => {
      states.push(state);
      if (state === NetcodeClientState.requestTimedOut)
        client.connect(world.token(5n, [server.endpoint], 5, 60), world.time);
      if (state === NetcodeClientState.sendingResponse) client.disconnect(world.time);
    },
    payload: () => {},
  });
  world.clients.push({ endpoint, client, clientId: 5n, skew: 0, token: null, connection: 0, sent: 0 });
  client.connect(world.token(5n, [NOWHERE], 1, 60), world.time);
  world.run(3000);
  expect(states).toEqual([1, -2, 1, 2, 0]);
});
