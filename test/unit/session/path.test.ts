// Sessions on a path that was found otherwise, as by ICE: who follows a client there, and who answers what the server asks.
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { generateConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { NetcodeServer } from "../../../sdk/src/netcode/server.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { type SessionPath } from "../../../sdk/src/session/path.ts";
import { SESSION_PROTOCOL_ID } from "../../../sdk/src/session/protocol.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { type Session } from "../../../sdk/src/session/types.ts";
import { HOME, Network, SERVER } from "./network.ts";

beforeAll(netcodeReady);
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());
const run = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

const TRIP_MS = 10;

/** Both ends of a path, in the same process. */
class End implements SessionPath {
  onData: SessionPath["onData"] = null;
  onPath: SessionPath["onPath"] = null;
  readonly path: { kind: "punched"; remote: Endpoint };
  readonly strayed = vi.fn();
  closed = false;
  /** Sees what leaves; false keeps it. */
  onSend: ((data: Buffer) => boolean) | null = null;
  other: End | undefined;

  constructor(remote: Endpoint) {
    this.path = { kind: "punched", remote };
  }

  send(data: Uint8Array): boolean {
    const copy = Buffer.from(data);
    if (this.onSend?.(copy) === false) return true;
    setTimeout(() => this.other?.onData?.(copy), TRIP_MS);
    return true;
  }

  close(): void {
    this.closed = true;
  }
}

function newPath(): { client: End; server: End } {
  const [client, server] = [new End(SERVER), new End(HOME)];
  client.other = server;
  server.other = client;
  return { client, server };
}

test("a client on a path is not taken off it: the path is told, and closed with its session", async () => {
  const network = new Network();
  const machine = network.machine(SERVER);
  const host = await UDPSessionServer.open(machine.socket);
  const { client, server } = newPath();
  host.addPath(server);
  const accepted = new Promise<Session>((resolve) => {
    host.onSession = resolve;
  });
  const token = host.createToken({ clientId: 1n, addresses: [SERVER], userData: new Uint8Array(0), timeoutSeconds: 2 });
  const connecting = connectSession(token, { path: client });
  await run(200);
  const [here, there] = [await connecting, await accepted];
  here.send(Buffer.from("hello"), "reliable");
  await run(100);

  // Its NAT has another port now, of which the path knows nothing yet.
  const sent: Buffer[] = [];
  client.onSend = (data) => sent.push(data) < 0;
  await run(300);
  const away = { address: "203.0.113.9", port: 4444 };
  const last = sent.at(-1) as Buffer;
  network.post(last, away, SERVER);
  await run(50);
  expect(server.strayed.mock.calls).toEqual([[away.address, away.port, last.length]]);
  expect(there.remote).toEqual(HOME);
  expect(network.bytesTo(away)).toBe(0);

  const ended = vi.fn();
  there.onClose = ended;
  await run(3000);
  expect(ended).toHaveBeenCalled();
  expect(server.closed).toBe(true);
  here.close();
  const closing = host.close();
  await run(100);
  await closing;
});

test.each(["path", "socket"] as const)("a client answers each question once, the way it came: %s", async (way) => {
  const network = new Network();
  const machine = network.machine(SERVER);
  const ends = newPath();
  const answers: string[] = [];
  const privateKey = new Uint8Array(32).fill(3);
  const seconds = (): number => Math.floor(Date.now() / 1000);
  const server: NetcodeServer = new NetcodeServer(
    { protocolId: SESSION_PROTOCOL_ID, privateKey, address: SERVER, maxClients: 1 },
    {
      send: (data, address, port) => {
        if (way === "path") ends.server.send(data);
        else machine.send(data, port, address);
      },
      clientConnected: () => undefined,
      clientDisconnected: () => undefined,
      payload: (_client, data) => {
        if ((data[0] ?? 0) >= 0xc0) answers.push(Buffer.from(data).toString("hex"));
      },
    },
  );
  server.start(performance.now(), seconds());
  const receive = (data: Buffer): boolean =>
    server.receive(data, HOME.address, HOME.port, performance.now(), seconds());
  machine.onDatagram = receive;
  ends.server.onData = receive;
  const token = generateConnectToken({
    protocolId: SESSION_PROTOCOL_ID,
    privateKey,
    clientId: 1n,
    publicAddresses: [SERVER],
    timeoutSeconds: 5,
    expireSeconds: 30,
    unixSeconds: seconds(),
  });
  const options = way === "path" ? { path: ends.client } : { socket: network.machine(HOME).socket };
  const connecting = connectSession(token, options);
  await run(200);
  const session = await connecting;
  const [client] = server.clients;
  if (!client) throw new Error("nobody is connected");
  const ask = (hex: string): boolean => server.send(client, Buffer.from(hex, "hex"), performance.now());
  for (const question of ["c00102030405060708", "c0ffffffffffffffff"]) ask(question);
  // None of these is one: too short, too long, an answer, a later version's.
  for (const other of ["c0", "c001020304050607", "c0010203040506070809", "c10102030405060708", "c20102030405060708"])
    ask(other);
  await run(200);
  expect(answers).toEqual(["c10102030405060708", "c1ffffffffffffffff"]);
  // Nothing of it was the channel's, which would have taken it for nonsense.
  expect(session.open).toBe(true);
  expect(session.stats.packetsIn).toBe(0);
  session.close();
  await run(6000);
});
