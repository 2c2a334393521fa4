import { expect, test } from "vitest";
import { PlayerRelays, type RelayChange } from "../../../../../sdk/src/colyseus/server/relaying/player-relays.ts";
import type { ConnectivityManager } from "../../../../../sdk/src/connectivity/manager/manager.ts";
import { IceMux } from "../../../../../sdk/src/ice/mux.ts";
import { UDPSocket } from "../../../../../sdk/src/net/udp-socket.ts";
import { TurnRelayServer } from "../../../../../sdk/src/turn/server/relay-server.ts";

const LOOPBACK = "127.0.0.1";
const OFFER_BYTES = 1200;

function host(stack: AsyncDisposableStack): { relays: PlayerRelays; changes: RelayChange[] } {
  const socket = stack.use(UDPSocket.open({ address: LOOPBACK }));
  const ice = stack.use(new IceMux(socket));
  const reachability = { endpoints: [{ address: "8.8.4.4" }, { address: "192.168.1.10" }] };
  const relays = new PlayerRelays({ socket, ice, reachability } as unknown as ConnectivityManager);
  stack.defer(() => relays.close());
  const changes: RelayChange[] = [];
  relays.onChange = (change) => changes.push(change);
  return { relays, changes };
}

async function player(
  stack: AsyncDisposableStack,
): Promise<{ server: TurnRelayServer; offer: Parameters<PlayerRelays["offer"]>[1] }> {
  const secret = `${Math.random().toString(36).slice(2)}${"s".repeat(30)}`;
  const options = { port: 0, address: LOOPBACK, tcp: false, secret, relayAddresses: [LOOPBACK], mayReach: () => true };
  const server = stack.use(await TurnRelayServer.open(options));
  return { server, offer: { urls: [`turn:${LOOPBACK}:${server.port}?transport=udp`], secret } };
}

test("two of the offered relays are used, a third when one is taken back, and it is told what changes", async () => {
  await using stack = new AsyncDisposableStack();
  const { relays, changes } = host(stack);
  const players = await Promise.all([player(stack), player(stack), player(stack)]);
  const owners = players.map(() => ({}));
  players.forEach(({ offer }, i) => expect(relays.offer(owners[i] ?? {}, offer, OFFER_BYTES)).toBe(true));
  await expect.poll(() => relays.serving).toBe(2);
  expect(changes.map(({ add, remove }) => [add.length, remove.length])).toEqual([
    [1, 0],
    [1, 0],
  ]);
  // A guest's credentials name the addresses of this host that are public, and nobody else's.
  const access = relays.accessForGuest();
  expect(access.map(({ username }) => username.replace(/^\d+/, ""))).toEqual([":to 8.8.4.4", ":to 8.8.4.4"]);
  relays.withdraw(owners[0] ?? {});
  expect(changes.at(-1)).toMatchObject({ add: [], remove: [{ type: "relayed" }] });
  await expect.poll(() => relays.serving).toBe(2);
  await expect.poll(() => players.map(({ server }) => server.allocations)).toEqual([0, 1, 1]);
});

test("who offered in an introduction is known again by its session, whose end is the relay's", async () => {
  await using stack = new AsyncDisposableStack();
  const { relays } = host(stack);
  const { offer } = await player(stack);
  const [introduction, session] = [{}, {}];
  relays.offer(introduction, offer, OFFER_BYTES);
  relays.offer(session, offer, OFFER_BYTES);
  await expect.poll(() => relays.serving).toBe(1);
  relays.withdraw(introduction);
  expect(relays.serving).toBe(1);
  relays.withdraw(session);
  expect(relays.serving).toBe(0);
});

test("an address that is only named gets three bytes for one, and no name is kept for ever", async () => {
  await using stack = new AsyncDisposableStack();
  const { relays } = host(stack);
  const victim = stack.use(UDPSocket.open({ address: LOOPBACK }));
  const named = { urls: [`turn:${LOOPBACK}:${victim.localPort}?transport=udp`], secret: "s".repeat(43) };
  relays.offer({}, named, 200);
  await expect.poll(() => victim.counters.bytesIn, { timeout: 10_000 }).toBeGreaterThan(300);
  await new Promise((resolve) => setTimeout(resolve, 3000));
  expect(victim.counters.bytesIn).toBeLessThanOrEqual(3 * 200);
  const offers = Array.from({ length: 40 }, (_, i) =>
    relays.offer({}, { ...named, secret: `${i}`.padEnd(43, "s") }, 1),
  );
  expect(offers.filter(Boolean)).toHaveLength(15);
});
