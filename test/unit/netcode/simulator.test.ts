import { beforeAll, expect, test } from "vitest";
import { readConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { CHALLENGE_BODY_BYTES, PacketCodec } from "../../../sdk/src/netcode/packet.ts";
import { getSlab, netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { NetcodeClientState } from "../../../sdk/src/netcode/types.ts";
import { CALM, MAX_LIFETIME, PROTOCOL_ID, type SimClient, transition, World } from "./world.ts";

beforeAll(netcodeReady);

const SEEDS = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000);
const FIRST_SEED = Number(process.env["SALLYPORT_SEED"] ?? 1);
const NOWHERE = { address: "203.0.113.9", port: 9 };
const ATTACKER = { address: "203.0.113.66", port: 666 };

/** An authentic packet of a wrong body, or a response to no challenge: only who holds a token can send it. */
function insiderPacket(world: World, insider: SimClient): Uint8Array | null {
  const token = insider.token && readConnectToken(insider.token);
  if (!token || typeof token === "string") return null;
  const slab = getSlab();
  const codec = new PacketCodec(PROTOCOL_ID);
  const key = slab.storeCell(token.clientToServerKey);
  const [type, length] = world.random.pick([
    [3, CHALLENGE_BODY_BYTES],
    [4, 7],
    [5, 1201],
    [6, 1],
  ] as const);
  const packet = slab.wireOutView(codec.seal(type, 5_000_000 + world.random.below(1e6), 0, key, length)).slice();
  slab.releaseCell(key);
  codec.release();
  return packet;
}

function mutate(world: World, data: Uint8Array): Uint8Array {
  const { random } = world;
  const kind = random.below(4);
  if (kind === 0) return data;
  if (kind === 1) return data.slice(0, random.below(data.length + 1));
  if (kind === 2) return Uint8Array.from([...data, ...random.bytes(1 + random.below(9))]);
  const flipped = data.slice();
  const at = random.below(flipped.length);
  flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
  return flipped;
}

/** One act of somebody who means harm, or of chance. */
function mischief(world: World): void {
  const { random } = world;
  const captured = world.captured.length > 0 ? random.pick(world.captured) : null;
  const client = random.pick(world.clients);
  const { server, endpoint } = random.pick(world.servers);
  switch (random.below(8)) {
    case 0:
      if (captured) world.deliver(captured.from, captured.to, mutate(world, captured.data));
      break;
    case 1:
      if (captured) world.deliver(ATTACKER, random.pick([captured.to, endpoint]), mutate(world, captured.data));
      break;
    case 2:
      world.deliver(random.pick([ATTACKER, client.endpoint]), endpoint, random.bytes(random.below(1400)));
      break;
    case 3: {
      const packet = insiderPacket(world, client);
      if (packet) world.deliver(client.endpoint, endpoint, packet);
      break;
    }
    case 4: {
      // A clock steps: of one client, or of one server; ahead or back.
      const victim = random.pick([client, random.pick(world.servers)]);
      victim.skew = Math.max(-900, victim.skew + random.pick([-700, -50, 50, 1500]));
      break;
    }
    case 5:
      if (captured?.data[0] === 0) {
        // Right in front, wrong inside.
        const forged = captured.data.slice();
        forged.set(random.bytes(500), 54);
        world.deliver(ATTACKER, captured.to, forged);
      }
      break;
    case 6: {
      const gone = random.pick([...server.clients, null]);
      if (gone) server.disconnect(gone, world.time);
      break;
    }
    default:
      if (random.chance(0.05)) server.start(world.time, world.unixSeconds());
  }
}

/** A client does what clients do; some of it is foolish. */
function live(world: World, client: SimClient): void {
  const { random } = world;
  const state = client.client.state;
  if (state === NetcodeClientState.connected) {
    world.speak(client);
    if (random.chance(0.02)) client.client.disconnect(world.time + client.skew);
    return;
  }
  if (state > 0 || !random.chance(0.3)) return;
  const addresses = [NOWHERE, ...world.servers.map(({ endpoint }) => endpoint)].filter(() => random.chance(0.6));
  if (addresses.length === 0) addresses.push(random.pick(world.servers).endpoint);
  if (random.chance(0.05)) world.connect(client, random.bytes(2048));
  else if (random.chance(0.1) && client.token) world.connect(client, client.token);
  else {
    // Sometimes another player's id, sometimes so short a life that it ends on the way.
    const id = random.chance(0.1) ? random.pick(world.clients).clientId : client.clientId;
    const timeout = random.pick([1, 1, 2, 0]);
    const lifetime = random.chance(0.2) ? 1 + random.below(3) : MAX_LIFETIME;
    // Payloads name the client by its id.
    client.clientId = id;
    world.connect(client, world.token(id, addresses, timeout, lifetime));
  }
}

const reached = new Set<string>();

test(`client and server survive ${SEEDS} seeds of loss, duplication, reordering, clock steps and malice`, {
  timeout: 0,
}, () => {
  for (let seed = FIRST_SEED; seed <= SEEDS; seed++) {
    const world = new World(seed);
    const { random } = world;
    try {
      for (let index = 0; index < 2; index++) world.addServer(2);
      for (let index = 0; index < 5; index++) world.addClient();
      world.weather = {
        loss: random.pick([0, 0.05, 0.5]),
        duplication: random.next() * 0.3,
        delay: 1 + random.below(120),
      };
      world.run(random.chance(0.5) ? 0 : 46_000);
      for (let step = 0; step < 80; step++) {
        if (random.chance(0.02)) world.weather = { ...world.weather, loss: random.pick([0, 0.2, 1]) };
        for (const client of world.clients) live(world, client);
        for (const { server } of world.servers) {
          for (const client of server.clients) {
            server.send(
              client,
              Buffer.from(`${seed}/${step}/${client.clientId}/${server === world.servers[0]?.server}`),
              world.time,
            );
          }
        }
        if (random.chance(0.7)) mischief(world);
        world.run(random.below(60));
      }
      heal(world);
    } catch (error) {
      throw new Error(`seed ${seed} at ${world.time} ms`, { cause: error });
    } finally {
      for (const name of world.transitions) reached.add(name);
      for (const { server, reasons } of world.servers) {
        for (const [counter, count] of Object.entries(server.counters)) if (count > 0) reached.add(counter);
        for (const reason of reasons) reached.add(`reason ${reason}`);
      }
      world.stop();
    }
    expect(getSlab().cellsInUse, `keys left by seed ${seed}`).toBe(0);
  }
});

/** Whatever happened: on a network that works again, with new tokens, everybody gets in and is heard. */
function heal(world: World): void {
  world.weather = CALM;
  for (const client of world.clients) client.client.disconnect(world.time + client.skew);
  // Without a timeout, a response that arrives after its client's disconnect holds a slot for good: wait for such.
  world.run(1000);
  for (const { server, skew } of world.servers) {
    for (const client of server.clients.slice()) server.disconnect(client, world.time + skew);
  }
  world.run(45_000);
  const players = world.clients.slice(0, 4);
  for (const [index, player] of players.entries()) {
    player.clientId = 1000n + BigInt(index);
    const server = world.servers[index % 2];
    if (server) world.connect(player, world.token(player.clientId, [server.endpoint], 5, 60));
  }
  world.run(100);
  const accepted = world.servers.map(({ server }) => server.counters.accepted);
  for (const player of players) {
    if (player.client.state !== NetcodeClientState.connected)
      throw new Error(`state ${player.client.state} in calm weather`);
    if (!world.speak(player)) throw new Error("a connected client cannot send");
  }
  world.run(50);
  for (const [index, { server }] of world.servers.entries()) {
    if (server.counters.accepted < (accepted[index] ?? 0) + 2) throw new Error("a payload was lost in calm weather");
  }
}

test("and reach every state, every error state and every refusal", () => {
  const { tokenExpired, invalidToken, connectionTimedOut, responseTimedOut, requestTimedOut, denied, disconnected } =
    NetcodeClientState;
  const { sendingRequest, sendingResponse, connected } = NetcodeClientState;
  const edges = [
    [disconnected, sendingRequest],
    [disconnected, invalidToken],
    [invalidToken, sendingRequest],
    [tokenExpired, sendingRequest],
    [connectionTimedOut, sendingRequest],
    [responseTimedOut, sendingRequest],
    [requestTimedOut, sendingRequest],
    [denied, sendingRequest],
    [sendingRequest, sendingResponse],
    [sendingRequest, denied],
    [sendingRequest, requestTimedOut],
    [sendingRequest, tokenExpired],
    [sendingRequest, disconnected],
    [sendingResponse, connected],
    [sendingResponse, sendingRequest],
    [sendingResponse, responseTimedOut],
    [sendingResponse, denied],
    [sendingResponse, tokenExpired],
    [connected, connectionTimedOut],
    [connected, disconnected],
  ] as const;
  const refusals = ["refusedSize", "refusedNoKey", "refusedType", "refusedReplay", "refusedForged", "refusedBody"];
  refusals.push("requestMalformed", "requestExpired", "requestPredatesStart", "requestForged", "requestOtherServer");
  refusals.push("requestConnected", "requestTokenUsed", "responseForged", "responseConnected");
  const events = ["challenged", "denied", "connected", "reason timeout", "reason client", "reason server"];
  const wanted = [...edges.map(([from, to]) => transition(from, to)), ...refusals, ...events];
  expect(wanted.filter((name) => !reached.has(name))).toEqual([]);
});
