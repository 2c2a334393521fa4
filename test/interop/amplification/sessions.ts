/** By the game's port and by connect tokens, on a simulated network: needs fake timers. */
import { vi } from "vitest";
import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { generateConnectToken, readConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { writeRequest } from "../../../sdk/src/netcode/request.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import type { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { HOME, Network, SERVER, simulateSession } from "../../unit/session/network.ts";
import type { Row } from "./row.ts";

const VICTIM: Endpoint = { address: "203.0.113.200", port: 53 };
const TOKEN_IN_BASE64 = 2732;

const run = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const same = (a: Endpoint, b: Endpoint): boolean => a.address === b.address && a.port === b.port;

function requestOf(server: UDPSessionServer, clientId: bigint): Buffer {
  const token = readConnectToken(
    server.createToken({ clientId, addresses: [SERVER], userData: new Uint8Array(0), timeoutSeconds: 10 }),
  );
  if (typeof token === "string") throw new Error(token);
  return Buffer.from(writeRequest(token));
}

const between = (network: Network): Pick<Row, "said" | "got"> => ({
  said: network.bytesFrom(VICTIM),
  got: network.bytesTo(VICTIM),
});

/** Requests with good tokens whose source is forged; nobody there takes the challenge up. */
async function requests(isFull: boolean): Promise<Row> {
  const network = new Network();
  const { host, client } = await simulateSession(network, isFull ? { server: { maxClients: 1 } } : {});
  const request = requestOf(host, 2n);
  for (let n = 0; n < 20; n++) {
    network.post(request, VICTIM, SERVER);
    await run(500);
  }
  client.close();
  const closing = host.close();
  await run(1_000);
  await closing;
  return {
    what: `netcode request with a good token${isFull ? ", to a full server" : ""}`,
    ...between(network),
    held: "a token binds to the first address that shows it",
  };
}

/** A player's packets from a forged source, in a room that says much: so many, after a silence. */
async function roaming(packets: number, bytes: number): Promise<Row> {
  const network = new Network();
  const { host, client, server } = await simulateSession(network);
  const patches = setInterval(() => server.send(new Uint8Array(300), "unreliable"), 50);
  await run(500);
  network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
  await run(300);
  for (let n = 0; n < packets; n++) {
    let isDone = false;
    network.onSend = ({ data, from }) => {
      if (!same(from, HOME)) return undefined;
      if (!isDone) network.post(data, VICTIM, SERVER);
      isDone = true;
      return false;
    };
    if (bytes > 0) client.send(new Uint8Array(bytes), "unreliable");
    await run(100);
  }
  network.onSend = ({ from }) => (same(from, HOME) ? false : undefined);
  await run(20_000);
  clearInterval(patches);
  client.close();
  const closing = host.close();
  await run(10_000);
  await closing;
  return {
    what: "a player's packets from a forged source (address change)",
    ...between(network),
    held: "challenges alone, 3 bytes for one (PROTOCOL 3.1.1)",
  };
}

const most = (rows: readonly Row[]): Row => rows.reduce((a, b) => (b.got / b.said > a.got / a.said ? b : a));

/** A hostile host's token, whose 32 addresses are others'. */
async function token(): Promise<Row> {
  const network = new Network();
  const victims = Array.from({ length: 32 }, (_, n) => ({ address: `203.0.113.${n + 1}`, port: 53 }));
  const bytes = generateConnectToken({
    protocolId: 1n,
    privateKey: new Uint8Array(32),
    clientId: 1n,
    publicAddresses: victims,
    expireSeconds: 30,
    timeoutSeconds: 15,
    unixSeconds: Math.floor(Date.now() / 1000),
  });
  const { socket } = network.machine(HOME);
  const attempt = connectSession(bytes, { socket, dialed: SERVER.address, timeoutMs: 2_500 }).catch(() => undefined);
  await run(3_000);
  await attempt;
  const got = victims.reduce((sum, victim) => sum + network.bytesTo(victim), 0);
  return {
    what: "addresses in a hostile host's connect token, to its player",
    said: TOKEN_IN_BASE64,
    got,
    held: "seven requests together; private addresses not at all",
  };
}

export async function sessionRows(): Promise<Row[]> {
  return [
    await requests(false),
    await requests(true),
    most([await roaming(1, 0), await roaming(1, 1), await roaming(2, 8), await roaming(10, 40), await roaming(60, 0)]),
    await token(),
  ];
}
