import type { AuthContext } from "@colyseus/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { callerAt } from "../../../../../sdk/src/colyseus/server/admission/caller.ts";
import { doorLimits } from "../../../../../sdk/src/colyseus/server/admission/limits.ts";
import { type Asked, Wait } from "../../../../../sdk/src/colyseus/server/entrances/seat-endpoint.ts";
import { WebRTCEndpoint } from "../../../../../sdk/src/colyseus/server/webrtc/endpoint.ts";
import { WebRTCHost, type WebRTCHostOptions } from "../../../../../sdk/src/colyseus/server/webrtc/host.ts";
import { parseWebRTCRequest } from "../../../../../sdk/src/colyseus/server/webrtc/request.ts";
import type { ConnectEndpoint } from "../../../../../sdk/src/colyseus/wire/connect-request.ts";
import type { Endpoint } from "../../../../../sdk/src/net/endpoint.ts";
import { fakeLibrary } from "./fake-library.ts";
import { CHROMIUM } from "./offers.ts";

const from = (address: string | undefined): Pick<Asked, "context" | "caller"> => {
  return { context: {} as AuthContext, caller: address === undefined ? undefined : callerAt(address) };
};
const way = { asker: "192.0.2.9", asked: ["192.0.2.2"] };
let fake: ReturnType<typeof fakeLibrary>;
let taken: Set<number>;
let now: number;
let endpoints: ConnectEndpoint[];
let mapped: Endpoint | undefined;
let entered: { roomId: string; sessionId: string }[];
let host: WebRTCHost;

const settings = (): WebRTCHostOptions => ({
  limits: doorLimits(4096),
  maxOffers: 128,
  timeoutMs: 9000,
  endpoints: () => endpoints,
  announced: () => announced,
  mapExtraPort: () => () => mapped,
  onSession: (_session, { roomId, sessionId }) => entered.push({ roomId, sessionId }),
});
const parts = () => ({
  load: () => Promise.resolve(fake.library),
  now: () => now,
  isFree: (port: number) => Promise.resolve(!taken.has(port)),
});
let announced: { addresses: string[]; port: number | undefined };
const request = (sessionId: string, offer = CHROMIUM) =>
  parseWebRTCRequest({ roomId: "room", sessionId, offer }) ?? expect.unreachable();
const accept = (sessionId: string, offer?: string, address?: string) =>
  host.accept(request(sessionId, offer), from(address), way);

beforeEach(() => {
  vi.useFakeTimers();
  fake = fakeLibrary();
  taken = new Set();
  now = 0;
  endpoints = [];
  mapped = undefined;
  announced = { addresses: [], port: undefined };
  entered = [];
  host = new WebRTCHost(settings(), parts());
});
afterEach(() => vi.useRealTimers());

/** So many seconds pass, with their ticks. */
async function seconds(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    now += 1000;
    await vi.advanceTimersByTimeAsync(1000);
  }
}

test("takes a port far from the game's, or the next free one, or the one that is asked for", async () => {
  taken.add(17777);
  await host.open(7777, "*");
  expect([host.port, fake.held]).toEqual([17778, [17778]]);
  const last = new WebRTCHost(settings(), parts());
  await last.open(65535, "*");
  expect(last.port).toBe(55535);
  await expect(new WebRTCHost({ ...settings(), port: 17777 }, parts()).open(1, "*")).rejects.toThrow(/UDP port 17777/);
});

test("nobody is let in before it is open, nor after it was closed", async () => {
  expect(await accept("s")).toBeNull();
  await host.open(7777, "*");
  await host.close();
  expect(await accept("s")).toBeNull();
  expect(fake.held).toEqual([]);
});

test("a seat is taken when the browser says so, once; all share one port", async () => {
  await host.open(7777, "192.0.2.2");
  expect(await accept("s")).toMatchObject({ protocol: 2, timeoutMs: 9000 });
  const [connection] = fake.connections;
  expect(connection?.config).toMatchObject({
    enableIceUdpMux: true,
    portRangeBegin: 17777,
    portRangeEnd: 17777,
    bindAddress: "192.0.2.2",
  });
  expect(entered).toEqual([]);
  connection?.join();
  connection?.join();
  expect(entered).toEqual([{ roomId: "room", sessionId: "s" }]);
});

async function told(asked: string[]): Promise<string[]> {
  const reply = await host.accept(request("s"), from(undefined), { asker: "192.0.2.9", asked });
  const answer = reply && typeof reply === "object" && "answer" in reply ? reply.answer : "";
  return [...answer.matchAll(/UDP \d+ (\S+) (\d+) typ (\w+)/g)].map(([, address, port]) => `${address} ${port}`);
}

test.each([
  { what: "a host", addresses: ["1.2.3.4"], port: undefined, first: ["1.2.3.4 17777", "172.17.0.2 17777"] },
  { what: "a port", addresses: [], port: 30_001, first: ["172.17.0.2 30001", "5.6.7.8 30001", "172.17.0.2 17777"] },
  { what: "both", addresses: ["1.2.3.4", "2a00::1"], port: 30_001, first: ["1.2.3.4 30001", "2a00::1 30001"] },
])("$what that is announced is told first", async ({ addresses, port, first }) => {
  await host.open(7777, "*");
  announced = { addresses, port };
  expect((await told(["172.17.0.2", "5.6.7.8"])).slice(0, first.length)).toEqual(first);
});

test("what the answer tells: where it was asked, the router's port, and the ladder's addresses with our port", async () => {
  await host.open(7777, "*");
  mapped = { address: "1.2.3.4", port: 40000 };
  endpoints = [
    { kind: "host", address: "192.0.2.2", port: 7777 },
    { kind: "host", address: "192.0.2.3", port: 7777 },
    { kind: "mapped", address: "1.2.3.4", port: 7777 },
    { kind: "relayed", address: "1.1.1.1", port: 1 },
  ];
  expect(await told(["192.0.2.2", "5.6.7.8"])).toEqual([
    "192.0.2.2 17777",
    "5.6.7.8 17777",
    "1.2.3.4 40000",
    "192.0.2.2 40000",
    "5.6.7.8 40000",
    "192.0.2.3 17777",
  ]);
  // Nobody else's interfaces are probed from here.
  expect(fake.connections[0]?.offer).toContain("1.2.3.4 54321");
  expect(fake.connections[0]?.offer).not.toContain("192.168.1.5");
});

test("STUN servers are asked only where no router forwards the port", async () => {
  await host.open(7777, "*");
  host.useStunServers(["stun:stun.example:3478", "stuns:stun.example:5349"]);
  const waits = accept("a");
  await seconds(1);
  await waits;
  mapped = { address: "1.2.3.4", port: 1 };
  await accept("b");
  expect(fake.connections.map(({ config }) => config.iceServers)).toEqual([["stun:stun.example:3478"], []]);
});

test("a page that is loaded again makes a new offer; the old one is given up, and not for ever", async () => {
  await host.open(7777, "*");
  await accept("s");
  await accept("s");
  expect(fake.connections.map(({ closed }) => closed)).toEqual([true, false]);
  fake.connections[0]?.join();
  expect(entered).toEqual([]);
  await accept("s");
  await accept("s");
  expect(await accept("s")).toMatchObject({
    refusal: { status: 429, error: "Too many offers for this seat: wait 10 seconds." },
  });
  expect(fake.connections.length).toBe(4);
  fake.connections[3]?.join();
  expect(entered.length).toBe(1);
});

test("who does not come within ten seconds is forgotten", async () => {
  await host.open(7777, "*");
  await accept("s");
  await seconds(9);
  expect(fake.connections[0]?.closed).toBe(false);
  await seconds(2);
  expect(fake.connections[0]?.closed).toBe(true);
  fake.connections[0]?.join();
  expect(entered).toEqual([]);
});

test("so many are on their way in at once, and no more; who is in does not count", async () => {
  await host.open(7777, "*");
  for (let i = 0; i < 128; i++) expect(await accept(`s${i}`)).toMatchObject({ protocol: 2 });
  const refused = await accept("late");
  expect(refused).toBeInstanceOf(Wait);
  expect((refused as Wait).refusal).toMatchObject({ status: 503, error: expect.stringMatching(/wait a second/) });
  expect(fake.connections.length).toBe(128);
  fake.connections[0]?.join();
  expect(await accept("late")).toMatchObject({ protocol: 2 });
});

test("who takes all places gives the oldest to who has none, and none to itself", async () => {
  await host.open(7777, "*");
  for (let i = 0; i < 128; i++) await accept(`s${i}`, CHROMIUM, "192.0.2.1");
  expect(await accept("more", CHROMIUM, "192.0.2.1")).toBeInstanceOf(Wait);
  expect(await accept("friend", CHROMIUM, "198.51.100.7")).toMatchObject({ protocol: 2 });
  expect(fake.connections.map(({ closed }) => closed).indexOf(false)).toBe(1);
  for (const connection of fake.connections) connection.join();
  expect(entered).toContainEqual({ roomId: "room", sessionId: "friend" });
  expect(entered).not.toContainEqual({ roomId: "room", sessionId: "s0" });
});

test("an offer that the library does not take is refused in words, and leaves nothing behind", async () => {
  await host.open(7777, "*");
  const reply = await accept("s", CHROMIUM.replace("ice-ufrag:Wd6G", "ice-ufrag:BAD0"));
  expect(reply).toBe("This offer cannot be answered: as asked");
  expect(fake.connections[0]?.closed).toBe(true);
});

test("an error in what it calls never gets back to the library, where it would end the process", async () => {
  const log = vi.spyOn(console, "error").mockReturnValue();
  const broken = { ...settings(), onSession: () => expect.unreachable("as asked") };
  host = new WebRTCHost(broken, parts());
  await host.open(7777, "*");
  await accept("s");
  expect(() => fake.connections[0]?.join()).not.toThrow();
  log.mockRestore();
});

test("channels that nobody agreed on are closed", async () => {
  await host.open(7777, "*");
  await accept("s");
  const [connection] = fake.connections;
  const extra = connection?.createDataChannel();
  if (extra) connection?.opened(extra);
  expect(extra?.closed).toBe(true);
});

test("a silent browser is given up; a connection that ends is let go of", async () => {
  await host.open(7777, "*");
  await accept("silent");
  await accept("gone");
  const [silent, gone] = fake.connections;
  silent?.join();
  gone?.join();
  gone?.state("closed");
  expect(gone?.closed).toBe(true);
  await seconds(9);
  expect(silent?.closed).toBe(false);
  await seconds(1);
  expect(silent?.closed).toBe(true);
});

test("closing says goodbye, waits a moment for it to be heard, and gives the port back", async () => {
  await host.open(7777, "*");
  await accept("in");
  await accept("waiting");
  const [inside, waiting] = fake.connections;
  inside?.join();
  const closing = host.close();
  expect(waiting?.closed).toBe(true);
  expect(Buffer.from(inside?.channels[0]?.sent.at(-1) ?? []).toString("latin1")).toMatch(/the server shuts down$/);
  expect([inside?.closed, fake.held]).toEqual([false, [17777]]);
  inside?.state("closed");
  await closing;
  expect([inside?.closed, fake.held]).toEqual([true, []]);
});

test("what is missing is said once: to who needs it by an error, to who would like it by the reply", async () => {
  const missing = { ...parts(), load: () => Promise.reject(new Error("npm install node-datachannel")) };
  const options = settings();
  await expect(new WebRTCEndpoint(true, options, missing).open(1, "*")).rejects.toThrow(/npm install node-datachannel/);
  const optional = new WebRTCEndpoint("auto", options, missing);
  await optional.open(1, "*");
  const asked = { ...from(undefined), http: { socket: {} } as Asked["http"] };
  expect(await optional.issue(request("s"), asked)).toEqual({
    protocol: 2,
    unavailable: "this server offers none (npm install node-datachannel)",
  });
  const off = new WebRTCEndpoint(false, options, missing);
  await off.open(1, "*");
  expect(await off.issue(request("s"), asked)).toMatchObject({
    unavailable: expect.stringMatching(/webrtc is off/),
  });
  expect([optional.port, off.port]).toEqual([undefined, undefined]);
});
