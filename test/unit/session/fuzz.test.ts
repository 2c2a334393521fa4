// A server of sessions in a rain of hostile datagrams: what strangers send, what is replayed, cut, bent, and what players send
// who hold a token and mean harm. SALLYPORT_FUZZ_RUNS is the number of datagrams.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { MessageEndpoint } from "../../../sdk/src/channel/endpoint.ts";
import type { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { NetcodeClientState } from "../../../sdk/src/netcode/types.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { UDPSessionServer } from "../../../sdk/src/session/server.ts";
import { type Session } from "../../../sdk/src/session/types.ts";

const DATAGRAMS = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 20_000);
const PER_RUN = 64;
const SERVER = { address: "10.0.0.1", port: 7777 };
const HONEST = 2;

type Receive = (data: Buffer, address: string, port: number) => void;

/** Datagrams between sockets of this process, each delivered in a later turn of the event loop; keeps some to be misused. */
class Network {
  readonly recorded: { data: Buffer; address: string; port: number }[] = [];
  readonly #sockets = new Map<number, Receive>();
  #queue: (() => void)[] = [];
  #recorded = 0;

  /** As much of a UDPSocket as sessions use. */
  open(address: string, port: number): UDPSocket {
    const sockets = this.#sockets;
    const socket = {
      localPort: port,
      onDatagram: null as Receive | null,
      send: (data: Uint8Array, to: number): boolean => {
        this.post(Buffer.from(data), address, port, to);
        return true;
      },
      close: async (): Promise<void> => void sockets.delete(port),
    };
    sockets.set(port, (data, from, fromPort) => socket.onDatagram?.(data, from, fromPort));
    return socket as unknown as UDPSocket;
  }

  listen(port: number, receive: Receive): void {
    this.#sockets.set(port, receive);
  }

  post(data: Buffer, address: string, port: number, to: number): void {
    if (to === SERVER.port) this.recorded[this.#recorded++ % 256] = { data: Buffer.from(data), address, port };
    if (this.#queue.push(() => this.#sockets.get(to)?.(data, address, port)) === 1) setImmediate(this.#deliver);
  }

  /** Until nothing is on its way. */
  async settle(): Promise<void> {
    do await new Promise((resolve) => setImmediate(resolve));
    while (this.#queue.length > 0);
  }

  readonly #deliver = (): void => {
    const queue = this.#queue;
    this.#queue = [];
    for (const deliver of queue) deliver();
  };
}

/** A small generator, so that an operation needs but one number. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Holds a token; everything that it says is authentic, and nothing that it says is right. */
class Villain {
  readonly #network: Network;
  readonly #port: number;
  readonly #token: () => Uint8Array;
  readonly #netcode: NetcodeClient;
  #endpoint: MessageEndpoint = new MessageEndpoint({}, { message: () => undefined });

  constructor(network: Network, port: number, token: () => Uint8Array) {
    this.#network = network;
    this.#port = port;
    this.#token = token;
    this.#netcode = new NetcodeClient({
      send: (data) => network.post(Buffer.from(data), "10.0.0.66", port, SERVER.port),
      stateChanged: () => undefined,
      payload: (data) => this.#endpoint.receive(data, performance.now()),
    });
    network.listen(port, (data) => this.#netcode.receive(data, SERVER.address, SERVER.port, performance.now()));
  }

  attack(random: (below: number) => number): void {
    const now = performance.now();
    this.#netcode.update(now);
    if (this.#netcode.state <= NetcodeClientState.disconnected) {
      this.#endpoint = new MessageEndpoint({}, { message: () => undefined });
      this.#netcode.connect(this.#token(), now);
      this.#network.listen(this.#port, (data) =>
        this.#netcode.receive(data, SERVER.address, SERVER.port, performance.now()),
      );
      return;
    }
    const packet = new Uint8Array(1200);
    let length = 0;
    if (random(4) > 0) {
      const modes = ["reliable", "reliable-unordered", "unreliable", "unreliable-sequenced"] as const;
      const bytes = new Uint8Array(random(8) === 0 ? random(5000) : random(60));
      this.#endpoint.send(bytes, modes[random(4)] ?? "reliable", { channel: random(3) === 0 ? 255 : random(256) });
      length = this.#endpoint.poll(packet, now);
    }
    if (length === 0) {
      length = 1 + random(64);
      for (let i = 0; i < length; i++) packet[i] = random(256);
    } else {
      const flips = random(3);
      for (let n = 0; n < flips; n++) {
        const at = random(Math.min(length, 40));
        packet[at] = (packet[at] ?? 0) ^ (1 << random(8));
      }
      if (random(6) === 0) length = 1 + random(length);
    }
    this.#netcode.send(packet.subarray(0, length), now);
  }
}

let network: Network;
let server: UDPSessionServer;
let villains: Villain[];
let honest: { session: Session; next: number; heard: number }[];
let clientId: bigint;
const ended = new Map<string, number>();
let strangerBytes: number;
let replyBytes: number;

const token = (): Uint8Array =>
  server.createToken({ clientId: ++clientId, addresses: [SERVER], userData: new Uint8Array(0), timeoutSeconds: 5 });

beforeEach(async () => {
  network = new Network();
  clientId = 0n;
  strangerBytes = replyBytes = 0;
  server = await UDPSessionServer.open(network.open(SERVER.address, SERVER.port), { maxClients: 16 });
  ended.clear();
  server.onSession = (session) => {
    session.onClose = (reason) => ended.set(reason, (ended.get(reason) ?? 0) + 1);
    session.onMessage = (data, mode, channel) => void session.send(data, mode, { channel });
  };
  honest = [];
  for (let n = 0; n < HONEST; n++) {
    const session = await connectSession(token(), { socket: network.open(`10.0.1.${n}`, 1000 + n) });
    const player = { session, next: 0, heard: 0 };
    session.onMessage = (data) => {
      expect(Buffer.from(data).readUInt32LE()).toBe(player.heard);
      player.heard++;
    };
    honest.push(player);
  }
  villains = [0, 1, 2].map((n) => new Villain(network, 2000 + n, token));
});

afterEach(async () => {
  for (const { session } of honest) session.close();
  await server.close();
});

function stranger(data: Buffer, random: (below: number) => number): void {
  const port = 3000 + random(50);
  strangerBytes += data.length;
  network.listen(port, (reply) => {
    replyBytes += reply.length;
  });
  network.post(data, "10.0.0.99", port, SERVER.port);
}

function hostile(kind: number, seed: number): void {
  const random = randomFrom(seed);
  const known = network.recorded[random(Math.max(network.recorded.length, 1))] ?? {
    data: Buffer.alloc(40, 0x15),
    address: "10.0.0.98",
    port: 1,
  };
  const data = Buffer.from(known.data);
  switch (kind) {
    case 0: // noise
      stranger(Buffer.from(Array.from({ length: random(1400) }, () => random(256))), random);
      break;
    case 1: // the shape of a packet
      data[0] = (random(9) << 4) | random(8);
      stranger(data, random);
      break;
    case 2: // a stranger repeats what a player said
      stranger(data, random);
      break;
    case 3: // it comes twice
      network.post(data, known.address, known.port, SERVER.port);
      break;
    case 4: // cut short, in the player's name
      network.post(data.subarray(0, random(data.length + 1)), known.address, known.port, SERVER.port);
      break;
    case 5: {
      // bent, in the player's name
      const at = random(Math.max(data.length, 1));
      data[at] = (data[at] ?? 0) ^ (1 << random(8));
      network.post(data, known.address, known.port, SERVER.port);
      break;
    }
    default:
      villains[kind % villains.length]?.attack(random);
  }
}

test(`${DATAGRAMS} hostile datagrams: no throw, no hang, no growth, nothing given away, players unmoved`, {
  timeout: 60_000 + DATAGRAMS,
}, async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const heap: number[] = [];
  const runs = Math.ceil(DATAGRAMS / PER_RUN);
  let run = 0;
  const operations = fc.array(fc.tuple(fc.nat(9), fc.nat()), { minLength: PER_RUN, maxLength: PER_RUN });
  await fc.assert(
    fc.asyncProperty(operations, async (all) => {
      for (const [kind, seed] of all) hostile(kind, seed);
      for (const player of honest) {
        const number = Buffer.alloc(4);
        number.writeUInt32LE(player.next++);
        expect(player.session.send(number, "reliable")).toBe(true);
      }
      await network.settle();
      if (++run % Math.ceil(runs / 32) === 0) {
        collect();
        heap.push(process.memoryUsage().heapUsed);
      }
    }),
    // One world for all: a failure cannot be made smaller, its seed is told.
    { numRuns: runs, endOnFailure: true },
  );
  for (const player of honest) {
    await expect.poll(() => player.heard).toBe(player.next);
    expect(player.session.open).toBe(true);
  }
  // The villains got as far as the channels, again and again.
  expect(ended.get("protocol-error")).toBeGreaterThan(DATAGRAMS / 1000);
  expect(server.sessions.size).toBeLessThanOrEqual(HONEST + villains.length);
  expect(replyBytes).toBeLessThanOrEqual(0.31 * strangerBytes);
  // A villain may hold some MiB while it lasts, so the valleys are what tells of growth.
  const half = heap.length >> 1;
  expect(Math.min(...heap.slice(half))).toBeLessThan(Math.min(...heap.slice(1, half)) + (8 << 20));
});
