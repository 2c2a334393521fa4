// Strangers and players against our TURN server, over real sockets: the table of SECURITY.md.
// `npx vitest run --project interop test/interop/turn-server-attacks.test.ts -u` writes it.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { StunErrorCode as Code, StunMethod } from "../../sdk/src/stun/constants.ts";
import { mintTurnCredentials, type TurnCredentials } from "../../sdk/src/turn/credentials.ts";
import { openTurnRelay } from "../../sdk/src/turn/open.ts";
import { TurnRelayServer, type TurnRelayServerOptions } from "../../sdk/src/turn/server/relay-server.ts";
import { replaceTable } from "../security-tables.ts";
import { until } from "../until.ts";
import { RawTurnClient } from "./turn/raw-client.ts";

const PAGE = new URL("../../SECURITY.md", import.meta.url);
const LOOPBACK = "127.0.0.1";
const SECRET = "s3cret";
/** Of each caller: an address of this machine's own loopback network. */
const callerAt = (n: number): string => `127.0.1.${1 + n}`;
/** Answers to strangers are not what is looked at. */
const MANY = { networkBurst: 1e6, networkPerSecond: 1e6, burst: 1e6, perSecond: 1e6 };
const AT_A_TIME = 32;
const rows: string[][] = [];
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
    ...options,
  });
  open.push(server);
  return server;
}

const credentialsOf = (label: string, ttlSeconds?: number): TurnCredentials =>
  mintTurnCredentials(SECRET, { label, ...(ttlSeconds === undefined ? {} : { ttlSeconds }) });

/** So many clients, each with a port of its own; how many get a relay. */
async function allocateMany(
  { port }: TurnRelayServer,
  count: number,
  who: (n: number) => { address: string; credentials: TurnCredentials },
): Promise<number> {
  let [next, granted] = [0, 0];
  const worker = async (): Promise<void> => {
    while (next < count) {
      const { address, credentials } = who(next++);
      await using client = new RawTurnClient(port, credentials, address);
      if ((await client.allocate())?.class === "success") granted++;
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
  return granted;
}

test("wrong, expired and replayed credentials open nothing", async () => {
  const server = await serve({ limits: { challenges: MANY } });
  const [wrong, expired] = [credentialsOf("ada"), credentialsOf("ada", -1)];
  const guess = (n: number): TurnCredentials => ({
    ...wrong,
    credential: Buffer.from(`guess ${n}`).toString("base64"),
  });
  const guessed = await allocateMany(server, 1000, (n) => ({ address: callerAt(n % 8), credentials: guess(n) }));
  const late = await allocateMany(server, 1000, (n) => ({ address: callerAt(n % 8), credentials: expired }));
  // Overheard: the very bytes of a request that was granted, and the same credentials with the same nonce.
  await using heard = new RawTurnClient(server.port, credentialsOf("ada"));
  expect((await heard.allocate())?.class).toBe("success");
  let replayed = 0;
  for (let n = 0; n < 200; n++) {
    await using thief = new RawTurnClient(server.port, heard.credentials, callerAt(n));
    if ((await thief.exchange(heard.lastRequest))?.class === "success") replayed++;
    thief.nonce = heard.nonce;
    if ((await thief.allocate())?.class === "success") replayed++;
  }
  expect([guessed, late, replayed, server.allocations]).toEqual([0, 0, 0, 1]);
  rows.push(
    [
      "1000 requests with guessed credentials, 1000 with expired ones",
      "0 relays",
      "HMAC of a secret, with its expiry in it",
    ],
    [
      "a granted request repeated from 200 other addresses, and its nonce",
      "0 relays",
      "a nonce is good at one address and port, for ten minutes",
    ],
  );
});

test("requests without credentials get so many answers, whose relays nobody opens", async () => {
  const server = await serve();
  const client = new RawTurnClient(server.port, credentialsOf("ada"));
  open.push(client);
  let [answers, bytesSent, bytesHeard] = [0, 0, 0];
  client.socket.tap((data) => {
    answers++;
    bytesHeard += data.length;
    return true;
  });
  const began = performance.now();
  const request = Buffer.from("000300082112a442000000000000000000000000001900041100000000", "hex").subarray(0, 28);
  for (let n = 0; n < 4000; n++) {
    request.writeUInt32BE(n, 8);
    client.raw(request);
    bytesSent += request.length;
    if (n % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await until(() => answers >= 1000, { what: "some are answered" });
  const seconds = (performance.now() - began) / 1000;
  expect(answers).toBeLessThanOrEqual(1024 + 128 * (seconds + 1));
  expect(bytesHeard).toBeLessThanOrEqual(3 * bytesSent);
  expect(server.allocations).toBe(0);
});

test("allocations by thousands: a caller, a user and the server have so many", async () => {
  const wide = { challenges: MANY };
  const one = await serve({ limits: wide });
  const ofCaller = await allocateMany(one, 1500, (n) => ({
    address: LOOPBACK,
    credentials: credentialsOf(`user ${n}`),
  }));
  const ofUser = await allocateMany(one, 1500, (n) => ({
    address: callerAt(n % 40),
    credentials: credentialsOf("eve"),
  }));
  await one.close();
  const other = await serve({ limits: wide });
  const inAll = await allocateMany(other, 1500, (n) => ({
    address: callerAt(n % 40),
    credentials: credentialsOf(`user ${n % 40}`),
  }));
  expect([ofCaller, ofUser, inAll]).toEqual([64, 128, 1024]);
  // Somebody who comes then is told so, and gets in when one has gone.
  await using late = new RawTurnClient(other.port, credentialsOf("late"), callerAt(99));
  expect((await late.allocate())?.errorCode()?.code).toBe(Code.INSUFFICIENT_CAPACITY);
  rows.push(
    ["1500 allocations with good credentials, from one address", `${ofCaller} relays`, "`allocationsPerCaller`"],
    ["1500 of one user, from 40 addresses", `${ofUser} relays`, "`allocationsPerUser`"],
    ["1500 of 40 users, from 40 addresses", `${inAll} relays, 9 kB each`, "`allocations`"],
  );
});

/** Networks that are somebody's own, this machine's neighbours and its provider's metadata among them (RFC 6890). */
const NOT_PUBLIC = [
  "10.0.0.1",
  "172.16.0.1",
  "192.168.1.1",
  "100.64.0.1",
  "127.0.0.2",
  "169.254.169.254",
  "192.0.0.1",
  "198.18.0.1",
  "0.0.0.0",
  "224.0.0.1",
  "255.255.255.255",
];

test("peers at home, on this machine and in its own network are not reached", async () => {
  const server = await serve();
  await using client = new RawTurnClient(server.port, credentialsOf("ada"));
  await client.allocate();
  const codes: (number | undefined)[] = [];
  for (const [n, address] of NOT_PUBLIC.entries()) {
    codes.push((await client.permit(address))?.errorCode()?.code);
    codes.push((await client.bind(0x4000 + n, address, 7000))?.errorCode()?.code);
  }
  expect(new Set(codes)).toEqual(new Set([Code.FORBIDDEN]));
  // Its own address may be permitted, for two players of one relay; a service that listens there hears nothing.
  await using service = UDPSocket.open({ address: LOOPBACK });
  await using neighbour = UDPSocket.open({ address: "127.0.0.2" });
  let heard = 0;
  for (const each of [service, neighbour]) each.onDatagram = () => heard++;
  expect((await client.bind(0x4fff, LOOPBACK, service.localPort))?.class).toBe("success");
  for (let n = 0; n < 500; n++) {
    client.indicate(LOOPBACK, service.localPort, Buffer.from("x"));
    client.indicate("127.0.0.2", neighbour.localPort, Buffer.from("x"));
    client.raw(Buffer.from([0x4f, 0xff, 0, 1, 0x78, 0, 0, 0]));
  }
  // A request that comes after them has been answered: they have been judged.
  await client.ask(StunMethod.REFRESH, () => undefined);
  expect([heard, server.counters.datagrams]).toEqual([0, 0]);
  rows.push([
    `permissions and channels for ${NOT_PUBLIC.length} kinds of private address; 1500 datagrams to this machine`,
    `${codes.length} refusals (403), ${heard} datagrams`,
    "public addresses alone, and of its own address relays alone",
  ]);
});

test("ChannelData for nobody goes nowhere, with and without an allocation", async () => {
  const server = await serve();
  await using client = new RawTurnClient(server.port, credentialsOf("ada"));
  const flood = (): void => {
    const frame = Buffer.from([0x40, 0, 0, 4, 1, 2, 3, 4]);
    for (let n = 0; n < 1000; n++) {
      frame.writeUInt16BE(0x4000 + n, 0);
      client.raw(frame);
    }
  };
  flood();
  await client.allocate();
  flood();
  let answers = 0;
  client.socket.tap(() => ++answers > 1);
  await client.ask(StunMethod.REFRESH, () => undefined);
  expect([server.counters.datagrams, answers]).toEqual([0, 1]);
  rows.push([
    "2000 ChannelData for channels that are not bound",
    "0 datagrams, no answer",
    "a channel is bound by a signed request",
  ]);
});

test("half-open TCP: one address has so many, and a player gets in meanwhile", async () => {
  const server = await serve();
  const sockets: Socket[] = [];
  open.push({ [Symbol.asyncDispose]: async () => sockets.forEach((socket) => socket.destroy()) });
  let closed = 0;
  // The first half of a STUN message, and nothing.
  const halves = [Buffer.from("000300082112a442", "hex"), Buffer.alloc(0)];
  for (let n = 0; n < 600; n++) {
    const socket = connect({ port: server.port, host: LOOPBACK, localAddress: callerAt(n % 2) });
    socket.on("error", () => undefined).on("close", () => closed++);
    sockets.push(socket);
    await once(socket, "connect");
    socket.write(halves[n % 2] ?? "");
  }
  await until(() => closed === 600 - 2 * 64, { what: "those beyond two shares are closed" });
  await using socket = UDPSocket.open({ address: LOOPBACK });
  const urls = `turn:${LOOPBACK}:${server.port}?transport=tcp`;
  await using relay = await openTurnRelay({ socket, servers: [{ urls, ...credentialsOf("ada") }] });
  expect([relay.transport, closed, server.allocations]).toEqual(["tcp", 472, 1]);
  rows.push([
    "600 TCP connections from two addresses that send half a message, or nothing",
    `${600 - closed} are held, for ten seconds`,
    "64 of one address, 512 of all without a relay",
  ]);
});

test("the table of SECURITY.md is what was seen", async () => {
  const page = readFileSync(PAGE, "utf8");
  const head = ["attack", "what it gets", "held by"];
  await expect(replaceTable(page, "turn-attacks", head, () => rows)).toMatchFileSnapshot(PAGE.pathname);
});
