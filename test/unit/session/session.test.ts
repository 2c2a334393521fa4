import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { SessionError } from "../../../sdk/src/session/errors.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { type Session } from "../../../sdk/src/session/types.ts";
import { until } from "../../until.ts";

const LOOPBACK = "127.0.0.1";

interface Host extends AsyncDisposable {
  socket: UDPSocket;
  server: UDPSessionServer;
  token(userData?: Uint8Array, more?: { timeoutSeconds?: number; port?: number }): Uint8Array;
}

async function openServer(options?: ConstructorParameters<typeof UDPSessionServer>[1]): Promise<Host> {
  const socket = UDPSocket.open({ address: LOOPBACK });
  const server = await UDPSessionServer.open(socket, options);
  let clientId = 0n;
  return {
    socket,
    server,
    token: (userData = new Uint8Array(0), { timeoutSeconds = 5, port = socket.localPort } = {}) =>
      server.createToken({ clientId: ++clientId, addresses: [{ address: LOOPBACK, port }], userData, timeoutSeconds }),
    async [Symbol.asyncDispose]() {
      await server.close();
      await socket.close();
    },
  };
}

const closed = (session: Session): Promise<[string, number, string]> =>
  new Promise((resolve) => {
    session.onClose = (reason, code, text) => resolve([reason, code, text]);
  });

function collect(session: Session, count: number): Promise<string[]> {
  const messages: string[] = [];
  return new Promise((resolve) => {
    session.onMessage = (data) => {
      messages.push(Buffer.from(data).toString());
      if (messages.length === count) resolve(messages);
    };
  });
}

describe("a session over loopback", () => {
  let host: Host;
  const sessions: Session[] = [];

  beforeEach(async () => {
    host = await openServer();
  });

  afterEach(async () => {
    for (const session of sessions.splice(0)) session.close();
    await host[Symbol.asyncDispose]();
  });

  async function join(token = host.token()): Promise<{ client: Session; server: Session }> {
    const accepted = new Promise<Session>((resolve) => {
      host.server.onSession = resolve;
    });
    const client = await connectSession(token);
    const server = await accepted;
    sessions.push(client, server);
    return { client, server };
  }

  test("carries user data, messages both ways and of any size, in order", async () => {
    const { client, server } = await join(host.token(Buffer.from("seat 7")));
    expect(Buffer.from(server.userData.subarray(0, 6)).toString()).toBe("seat 7");
    const atServer = collect(server, 3);
    const large = "x".repeat(300_000);
    client.send(Buffer.from("first"), "reliable");
    client.send(Buffer.from(large), "reliable");
    client.send(Buffer.from("last"), "reliable");
    expect(await atServer).toEqual(["first", large, "last"]);
    const atClient = collect(client, 1);
    server.send(Buffer.from("position"), "unreliable");
    expect(await atClient).toEqual(["position"]);
    expect(client.remote).toEqual({ address: LOOPBACK, port: host.socket.localPort });
  });

  test("the sender may reuse its buffer at once", async () => {
    const { client, server } = await join();
    const received = collect(server, 2);
    const buffer = Buffer.from("one");
    client.send(buffer, "reliable");
    buffer.write("two");
    client.send(buffer, "reliable");
    expect(await received).toEqual(["one", "two"]);
  });

  test("messages of one tick leave in one datagram", async () => {
    const { client, server } = await join();
    const before = client.stats.packetsOut;
    const received = collect(server, 20);
    for (let index = 0; index < 20; index++) client.send(Buffer.from(`message ${index}`), "reliable");
    await Promise.resolve();
    await Promise.resolve();
    expect(client.stats.packetsOut - before).toBe(1);
    await received;
  });

  test("close carries code and text, behind all that was sent before", async () => {
    const { client, server } = await join();
    const messages = collect(client, 2);
    const end = closed(client);
    server.send(Buffer.from("a".repeat(50_000)), "reliable");
    server.send(Buffer.from("goodbye"), "reliable");
    server.close(4002, "kicked");
    expect((await messages)[1]).toBe("goodbye");
    expect(await end).toEqual(["remote", 4002, "kicked"]);
    expect(server.open).toBe(false);
    expect(server.send(Buffer.from("late"), "reliable")).toBe(false);
  });

  test("a closed session frees its place on the server", async () => {
    const { client, server } = await join();
    const end = closed(server);
    client.close(4000, "consented");
    expect(await end).toEqual(["remote", 4000, "consented"]);
    await expect.poll(() => host.server.sessions.size).toBe(0);
  });

  test("a server that closes says so", async () => {
    const { client } = await join();
    const end = closed(client);
    await host.server.close();
    expect(await end).toEqual(["remote", 1001, "server closed"]);
  });

  test("a token is good for one session", async () => {
    const token = host.token(undefined, { timeoutSeconds: 1 });
    const { client } = await join(token);
    client.close();
    await expect(connectSession(token)).rejects.toMatchObject({ code: "timeout" });
  });

  test("junk on the port disturbs nobody", async () => {
    const { client, server } = await join();
    await using junk = UDPSocket.open({ address: LOOPBACK });
    for (let index = 0; index < 500; index++) {
      const bytes = Buffer.alloc(1 + ((index * 7) % 1300), index);
      junk.send(bytes, host.socket.localPort, LOOPBACK);
    }
    const received = collect(server, 1);
    client.send(Buffer.from("still here"), "reliable");
    expect(await received).toEqual(["still here"]);
  });
});

describe("a client whose address changes in mid-game", () => {
  afterEach(() => vi.restoreAllMocks());

  /** A NAT between client and host whose outer port can be changed. */
  async function throughNat(host: Host): Promise<{
    client: Session;
    server: Session;
    rebind(): Promise<void>;
    /** What the client sends from now on gets no further, until it says `false`. */
    block(blocked: boolean): void;
    sent: Buffer[];
    close(): Promise<void>;
  }> {
    const inside = UDPSocket.open({ address: LOOPBACK });
    const sent: Buffer[] = [];
    let player = 0;
    let blocked = false;
    let outside: UDPSocket;
    const open = (): void => {
      outside = UDPSocket.open({ address: LOOPBACK });
      outside.onDatagram = (data) => void inside.send(data, player, LOOPBACK);
    };
    open();
    inside.onDatagram = (data, _address, port) => {
      player = port;
      if (blocked) return;
      sent.push(data);
      outside.send(data, host.socket.localPort, LOOPBACK);
    };
    const accepted = new Promise<Session>((resolve) => {
      host.server.onSession = resolve;
    });
    const client = await connectSession(host.token(undefined, { port: inside.localPort }));
    return {
      client,
      server: await accepted,
      sent,
      block: (now) => void (blocked = now),
      async rebind() {
        const old = outside;
        open();
        await old.close();
      },
      async close() {
        client.close();
        await inside.close();
        await outside.close();
      },
    };
  }

  test("plays on, with nothing reliable lost or doubled", async () => {
    await using host = await openServer();
    const { client, server, rebind, close } = await throughNat(host);
    const before = server.remote.port;
    const numbers = Array.from({ length: 300 }, (_, index) => String(index));
    const received = collect(server, numbers.length);
    const back = collect(client, numbers.length);
    const moved = new Promise<void>((resolve) => {
      server.onPath = () => resolve();
    });
    for (const [index, number] of numbers.entries()) {
      client.send(Buffer.from(number), "reliable");
      server.send(Buffer.from(number), "reliable");
      if (index === 150) await rebind();
      if (index % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await received).toEqual(numbers);
    expect(await back).toEqual(numbers);
    await moved;
    expect(server.remote.port).not.toBe(before);
    await close();
  });

  test("old packets from elsewhere move nobody", async () => {
    await using host = await openServer();
    const { client, server, sent, block, close } = await throughNat(host);
    const received = collect(server, 1);
    client.send(Buffer.from("hello"), "reliable");
    await received;
    const before = server.remote;
    await using thief = UDPSocket.open({ address: LOOPBACK });
    const replay = collect(server, 1);
    let stolen = 0;
    host.socket.tap((_data, _address, port) => {
      if (port === thief.localPort) stolen++;
      return false;
    });
    // The client is taken for silent: by now somebody elsewhere could be it. Every datagram that it ever sent comes again.
    block(true);
    const clock = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => clock() + 1000);
    for (const data of sent) thief.send(data, host.socket.localPort, LOOPBACK);
    await until(() => stolen === sent.length);
    expect(server.remote).toEqual(before);
    block(false);
    client.send(Buffer.from("still me"), "reliable");
    expect(await replay).toEqual(["still me"]);
    await close();
  });
});

test("messages that come before anybody listens are kept, in order", async () => {
  await using host = await openServer();
  host.server.onSession = (session) => {
    for (const text of ["first", "second"]) session.send(Buffer.from(text), "reliable");
  };
  const client = await connectSession(host.token());
  await expect.poll(() => client.stats.packetsIn).toBeGreaterThan(0);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await collect(client, 2)).toEqual(["first", "second"]);
  client.close();
});

test("of several addresses the one that answers is taken", async () => {
  await using host = await openServer();
  await using silent = UDPSocket.open({ address: LOOPBACK });
  const addresses = [silent, host.socket].map(({ localPort }) => ({ address: LOOPBACK, port: localPort }));
  const token = host.server.createToken({ clientId: 1n, addresses, userData: new Uint8Array(0) });
  const client = await connectSession(token);
  expect(client.remote).toEqual({ address: LOOPBACK, port: host.socket.localPort });
  client.close();
});

test("a full server says so", async () => {
  await using host = await openServer({ maxClients: 1 });
  const first = await connectSession(host.token());
  await expect(connectSession(host.token())).rejects.toMatchObject({ code: "full" });
  first.close();
});

test("no server: a timeout that says what to look at", async () => {
  await using host = await openServer();
  await using silent = UDPSocket.open({ address: LOOPBACK });
  const token = host.token(undefined, { timeoutSeconds: 1, port: silent.localPort });
  const error = await connectSession(token).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(SessionError);
  expect(String(error)).toMatch(/No answer came over UDP.*firewall/);
});

test("an attempt can be given up, and its socket goes with it", async () => {
  await using host = await openServer();
  await using silent = UDPSocket.open({ address: LOOPBACK });
  const controller = new AbortController();
  const attempt = connectSession(host.token(undefined, { port: silent.localPort }), {
    signal: controller.signal,
    onProgress: () => controller.abort(),
  });
  await expect(attempt).rejects.toMatchObject({ code: "aborted" });
});

test("a damaged token is refused before anything is sent", async () => {
  await expect(connectSession(new Uint8Array(2048))).rejects.toMatchObject({ code: "invalid-token" });
  await expect(connectSession(new Uint8Array(7))).rejects.toMatchObject({ code: "invalid-token" });
});

test("a client that vanishes is let go after the token's timeout", async () => {
  await using host = await openServer();
  const accepted = new Promise<Session>((resolve) => {
    host.server.onSession = resolve;
  });
  const socket = UDPSocket.open({ address: LOOPBACK });
  await connectSession(host.token(undefined, { timeoutSeconds: 1 }), { socket });
  const server = await accepted;
  const end = closed(server);
  await socket.close();
  expect(await end).toEqual(["timeout", 1006, ""]);
});

test("ends that both look for longer packets find them, and a datagram of 1400 bytes goes in one", async () => {
  await using host = await openServer({ maxPacketBytes: 1427 });
  const accepted = new Promise<Session>((resolve) => {
    host.server.onSession = resolve;
  });
  const client = await connectSession(host.token(), { maxPacketBytes: 1427 });
  const server = await accepted;
  const sizes = new Set<number>();
  host.socket.tap((data: Buffer) => {
    sizes.add(data.length);
    return false;
  });
  let arrived = 0;
  server.onMessage = (data) => {
    if (data.length === 1403) arrived++;
  };
  await until(() => {
    client.send(Buffer.alloc(10), "reliable");
    return client.stats.maxPacketBytes === 1427;
  });
  sizes.clear();
  for (let n = 0; n < 50; n++) {
    await until(() => {
      client.send(Buffer.alloc(1403), "unreliable");
      return arrived > n;
    });
  }
  // Whole, and never a second part.
  const long = [...sizes].filter((size) => size > 200);
  expect(Math.min(...long)).toBeGreaterThan(1403);
  expect(Math.max(...long)).toBeLessThanOrEqual(1452);
  client.close();
});

test("an end that does not look for them drops what is longer, and the other keeps to 1200", async () => {
  await using host = await openServer();
  const accepted = new Promise<Session>((resolve) => {
    host.server.onSession = resolve;
  });
  const client = await connectSession(host.token(), { maxPacketBytes: 1427 });
  const server = await accepted;
  const all = collect(server, 200);
  for (let n = 0; n < 200; n++) {
    client.send(Buffer.from(`${n}`.padEnd(1000)), "reliable");
    if (n % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(await all).toHaveLength(200);
  expect(client.stats.maxPacketBytes).toBe(1200);
  client.close();
});
