import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { UDPSocket } from "../../sdk/src/net/udp-socket.ts";
import { stunBindingOverTCP } from "../../sdk/src/stun/binding-tcp.ts";
import { stunBinding } from "../../sdk/src/stun/client.ts";
import { connectTurnStream, connectUDP } from "../../sdk/src/turn/connection.ts";
import { mintTurnCredentials } from "../../sdk/src/turn/credentials.ts";
import { TurnError } from "../../sdk/src/turn/errors.ts";
import { TurnKeeper } from "../../sdk/src/turn/keeper.ts";
import { type OpenTurnRelayOptions, openTurnRelay, type TurnProgress } from "../../sdk/src/turn/open.ts";
import { TurnRelay } from "../../sdk/src/turn/relay.ts";
import { until } from "../until.ts";
import { Conversation } from "./turn/conversation.ts";
import { Coturn, type CoturnOptions, CREDENTIALS, coturnPresent } from "./turn/coturn.ts";

const LOOPBACK = "127.0.0.1";
const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function coturnWith(options: CoturnOptions = {}): Promise<Coturn> {
  const coturn = await Coturn.start(options);
  open.push(coturn);
  return coturn;
}

function udpSocket(address: string = LOOPBACK): UDPSocket {
  const socket = UDPSocket.open({ address });
  open.push(socket);
  return socket;
}

async function relayAt(url: string, options: Partial<OpenTurnRelayOptions> = {}): Promise<TurnRelay> {
  const relay = await openTurnRelay({ socket: udpSocket(), servers: [{ urls: url, ...CREDENTIALS }], ...options });
  open.push(relay);
  return relay;
}

async function failureOf(promise: Promise<unknown>): Promise<TurnError> {
  const error: unknown = await promise.then(
    () => new Error("it succeeded"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof TurnError)) throw error;
  return error;
}

function heardBy(relay: TurnRelay): Promise<[string, string, number]> {
  return new Promise((resolve) => {
    relay.onData = (data, address, port) => resolve([data.toString(), address, port]);
  });
}

describe.skipIf(!coturnPresent)("coturn", () => {
  test.each(["udp", "tcp", "tls"] as const)("two relays over %s talk to each other", async (transport) => {
    const coturn = await coturnWith({ tls: transport === "tls" });
    const url =
      transport === "tls"
        ? `turns:localhost:${coturn.tlsPort}`
        : `turn:${LOOPBACK}:${coturn.port}?transport=${transport}`;
    const tls = transport === "tls" ? { tls: { ca: coturn.ca } } : {};
    const [a, b] = [await relayAt(url, tls), await relayAt(url, tls)];
    expect([a.transport, a.relayed.address, a.mapped?.address]).toEqual([transport, LOOPBACK, LOOPBACK]);
    const talk = new Conversation(a, b);
    // Odd sizes are padded over streams; one is larger than the memory that is used again.
    for (const bytes of [0, 1, 2, 3, 4, 200, 1201, 5000]) expect(await talk.ask(bytes)).toBe(bytes);
    // Beyond the first packets both go over channels.
    await coturn.logged(/CHANNEL_BIND processed, success/g, 2);
    await a.close();
    expect([await a.ended, a.send(Buffer.from("x"), LOOPBACK, 9)]).toEqual([null, false]);
    await coturn.logged(/refreshed, .*lifetime=0/g);
  });

  test("short-lived credentials from the shared secret are taken until they expire", async () => {
    const secret = "s3cret";
    const coturn = await coturnWith({ secret });
    const servers = (ttlSeconds: number, from = secret) => [
      { urls: `turn:${LOOPBACK}:${coturn.port}`, ...mintTurnCredentials(from, { label: "K7Q2", ttlSeconds }) },
    ];
    const talk = new Conversation(
      await relayAt("", { servers: servers(60) }),
      await relayAt("", { servers: servers(60) }),
    );
    expect(await talk.ask(10)).toBe(10);
    // Of three clocks two can be compared with each other here, and are.
    for (const [wrong, sentence] of [
      [servers(-60), /its credentials ended at .*Z, and this computer's clock says .*Z: the clock of the lobby/],
      [
        servers(60, "other"),
        /good until .*Z, and this computer's clock says .*Z: the TURN server's clock is ahead, or/,
      ],
    ] as const) {
      const error = await failureOf(relayAt("", { servers: wrong }));
      expect([error.failure, error.stunCode]).toEqual(["unauthorized", 401]);
      expect(error.message).toMatch(sentence);
    }
  });

  test("a wrong password and none at all are said clearly", async () => {
    const coturn = await coturnWith();
    const urls = `turn:${LOOPBACK}:${coturn.port}`;
    const wrong = await failureOf(relayAt("", { servers: [{ urls, username: "me", credential: "wrong" }] }));
    expect([wrong.failure, wrong.stunCode]).toEqual(["unauthorized", 401]);
    // Names that say no time have to do with no clock.
    expect(wrong.message).toContain("have expired: get fresh ones");
    expect((await failureOf(relayAt("", { servers: [{ urls }] }))).failure).toBe("unauthorized");
  });

  test("a session outlives permission, channel, nonce and allocation without losing a packet", async () => {
    const args = ["--max-allocate-lifetime=4", "--channel-lifetime=4", "--permission-lifetime=3", "--stale-nonce=3"];
    const coturn = await coturnWith({ args });
    const timing = { permissionLifetimeMs: 3000, channelLifetimeMs: 4000, idleMs: 2500 };
    const url = `turn:${LOOPBACK}:${coturn.port}`;
    const [a, b] = [await relayAt(url, { timing }), await relayAt(`${url}?transport=tcp`, { timing })];
    const lost: TurnError[] = [];
    for (const relay of [a, b]) relay.onLost = (error) => lost.push(error);
    const talk = new Conversation(a, b);
    await talk.ask(10);
    const { repeated } = talk;
    // Until all has been renewed so often that each lifetime is crossed, by coturn's own clock. (coturn 4.6 gives the second
    // lifetime of an allocation no such limit.)
    const begun = performance.now();
    let asked = 0;
    const crossed = (): boolean =>
      performance.now() - begun > 5000 &&
      asked > 100 &&
      coturn.count(/438: (Stale|Wrong) nonce/gi) >= 4 &&
      coturn.count(/REFRESH processed, success/g) >= 2 &&
      coturn.count(/CHANNEL_BIND processed, success/g) >= 8 &&
      coturn.count(/CREATE_PERMISSION processed, success/g) >= 8;
    while (!crossed() && lost.length === 0) {
      // What comes late on a busy machine is not lost.
      expect(await talk.ask(100, 3000)).toBe(100);
      asked++;
      // As often as a game would.
      await sleep(20);
    }
    expect([talk.repeated - repeated, lost]).toEqual([0, []]);
  });

  test("what is idle lapses, and is there again when it is used", async () => {
    const args = ["--channel-lifetime=2", "--permission-lifetime=2"];
    const coturn = await coturnWith({ args });
    const timing = { permissionLifetimeMs: 2000, channelLifetimeMs: 2000, idleMs: 500 };
    const url = `turn:${LOOPBACK}:${coturn.port}`;
    const [a, b] = [await relayAt(url, { timing }), await relayAt(url, { timing })];
    const talk = new Conversation(a, b);
    for (let i = 0; i < 5; i++) await talk.ask(10);
    await coturn.logged(/peer 127.0.0.1 deleted/g, 2);
    b.permit(a.relayed.address);
    expect(await talk.ask(10)).toBe(10);
  });

  test("a server that dies or restarts is noticed, and why", async () => {
    const coturn = await coturnWith();
    const url = `turn:${LOOPBACK}:${coturn.port}`;
    const timing = { keepAliveMs: 300, silenceMs: 600 };
    const [udp, tcp] = [await relayAt(url, { timing }), await relayAt(`${url}?transport=tcp`)];
    const lost = new Promise<TurnError>((resolve) => {
      udp.onLost = resolve;
    });
    await coturn.kill();
    expect((await tcp.ended)?.failure).toBe("disconnected");
    const error = await lost;
    expect([error.failure, udp.closed, udp.send(Buffer.from("x"), LOOPBACK, 9)]).toEqual(["timeout", true, false]);
    expect(error.message).toMatch(/has been silent for \d+ s/);

    await coturn.start();
    const again = await relayAt(url, { timing: { keepAliveMs: 300 } });
    await coturn.kill();
    await coturn.start();
    const reason = await again.ended;
    expect([reason?.failure, reason?.stunCode]).toEqual(["expired", 437]);
  });

  test("the keeper makes another relay when one is lost", async () => {
    const coturn = await coturnWith();
    const servers = [{ urls: `turn:${LOOPBACK}:${coturn.port}?transport=tcp`, ...CREDENTIALS }];
    const events: string[] = [];
    let next = Promise.withResolvers<void>();
    const keeper = new TurnKeeper({
      servers: () => servers,
      backoffMs: 100,
      onRelay: () => {
        events.push("relay");
        next.resolve();
      },
      onLost: ({ failure }) => events.push(failure),
    });
    open.push(keeper);
    await next.promise;
    next = Promise.withResolvers();
    await coturn.kill();
    await keeper.relay?.ended;
    await coturn.start();
    await next.promise;
    const { relay } = keeper;
    await keeper.close();
    expect([events[0], events[1], events.at(-1), relay?.closed]).toEqual(["relay", "disconnected", "relay", true]);
  });

  test.each(["udp", "tcp"])("a server that sends us to another is followed over %s", async (transport) => {
    const other = await coturnWith();
    const first = await coturnWith({ args: [`--alternate-server=${LOOPBACK}:${other.port}`] });
    const progress: TurnProgress[] = [];
    const relay = await relayAt(`turn:${LOOPBACK}:${first.port}?transport=${transport}`, {
      onProgress: (step) => progress.push(step),
    });
    expect(relay.server).toEqual({ address: LOOPBACK, port: other.port });
    expect(progress.map(({ step }) => step)).toContain("redirected");
  });

  test("a quota is said clearly; another server serves meanwhile, and the slower one is given back", async () => {
    const full = await coturnWith({ args: ["--user-quota=1"] });
    const url = `turn:${LOOPBACK}:${full.port}`;
    await relayAt(url);
    const error = await failureOf(relayAt(url));
    expect([error.failure, error.stunCode]).toEqual(["refused", 486]);
    const free = await coturnWith();
    const relay = await relayAt("", {
      servers: [
        {
          urls: [url, `turn:${LOOPBACK}:${free.port}`, `turn:${LOOPBACK}:${free.port}?transport=tcp`, "nonsense"],
          ...CREDENTIALS,
        },
      ],
      streamDelayMs: 0,
    });
    expect(relay.server.port).toBe(free.port);
    // Each allocation that was made and not used is ended again.
    const alive = (): number => free.count(/: new, realm/g) - free.count(/refreshed, .*lifetime=0/g);
    await until(() => alive() === 1);
    expect(relay.closed).toBe(false);
  });

  test("an allocation that the socket still has from a former life is replaced", async () => {
    const coturn = await coturnWith();
    const socket = udpSocket();
    const connection = connectUDP(socket, { address: LOOPBACK, port: coturn.port });
    const crashed = await TurnRelay.allocate(connection, {
      transport: "udp",
      credentials: CREDENTIALS,
      signal: new AbortController().signal,
    });
    connection.onClosed?.(new TurnError("disconnected", "as if the process had died"));
    const relay = await relayAt(`turn:${LOOPBACK}:${coturn.port}`, { socket });
    await coturn.logged(/error 437/g);
    expect([(await crashed.ended)?.failure, relay.closed]).toEqual(["disconnected", false]);
  });

  test("only permitted addresses come in, and a refused one is reported", async () => {
    const coturn = await coturnWith({ args: ["--denied-peer-ip=127.0.0.3"] });
    const relay = await relayAt(`turn:${LOOPBACK}:${coturn.port}`, { dontFragment: true });
    const [known, stranger] = [udpSocket("127.0.0.2"), udpSocket("127.0.0.4")];
    const heard = heardBy(relay);
    relay.permit("127.0.0.2");
    await coturn.logged(/CREATE_PERMISSION processed, success/g);
    stranger.send(Buffer.from("let me in"), relay.relayed.port, LOOPBACK);
    known.send(Buffer.from("hello"), relay.relayed.port, LOOPBACK);
    expect(await heard).toEqual(["hello", "127.0.0.2", known.localPort]);
    const refused = new Promise((resolve) => {
      relay.onRefused = (address, { failure, stunCode }) => resolve([address, failure, stunCode]);
    });
    relay.permit("127.0.0.3");
    expect(await refused).toEqual(["127.0.0.3", "refused", 403]);
    expect(relay.send(Buffer.from("x"), "127.0.0.3", 9)).toBe(false);
    expect(relay.send(Buffer.from("x"), "::1", 9)).toBe(false);
  });

  test("the socket still serves the game, and Binding on the same server", async () => {
    const coturn = await coturnWith();
    const [socket, peer] = [udpSocket(), udpSocket()];
    const relay = await relayAt(`turn:${LOOPBACK}:${coturn.port}`, { socket });
    const server = `${LOOPBACK}:${coturn.port}`;
    const [outcome] = await stunBinding(socket, [server]);
    expect(outcome?.mapped).toEqual({ address: LOOPBACK, port: socket.localPort });
    expect(relay.mapped).toEqual(outcome?.mapped);
    const game = new Promise<string>((resolve) => {
      socket.onDatagram = (data) => resolve(data.toString());
    });
    // It begins as ChannelData does, but comes from elsewhere.
    peer.send(Buffer.from("@\0\0\u0004game"), socket.localPort, LOOPBACK);
    expect(await game).toBe("@\0\0\u0004game");
    const overTCP = await stunBindingOverTCP({ address: LOOPBACK, port: coturn.port });
    expect(overTCP.mapped.address).toBe(LOOPBACK);
  });

  test("a certificate that is not trusted or of another name is refused", async () => {
    const coturn = await coturnWith({ tls: true });
    const untrusted = await failureOf(relayAt(`turns:localhost:${coturn.tlsPort}`));
    expect([untrusted.failure, untrusted.message]).toEqual([
      "unreachable",
      expect.stringContaining("DEPTH_ZERO_SELF_SIGNED_CERT"),
    ]);
    const tls = { ca: coturn.ca };
    const named = await failureOf(
      connectTurnStream(
        { address: LOOPBACK, port: coturn.tlsPort },
        {
          tls: { ...tls, servername: "turn.example.org" },
          signal: new AbortController().signal,
        },
      ),
    );
    expect([named.failure, named.message]).toEqual(["unreachable", expect.stringContaining("ALTNAME_INVALID")]);
    expect((await relayAt(`turns:${LOOPBACK}:${coturn.tlsPort}`, { tls })).transport).toBe("tls");
  });
});
