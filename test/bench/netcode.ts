/** netcode's hot path: the cipher beside Node's own, and what a packet leaves on the heap. */
import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { NetcodeClient } from "../../sdk/src/netcode/client.ts";
import { generateConnectToken } from "../../sdk/src/netcode/connect-token.ts";
import { PacketCodec, SERVER_READS } from "../../sdk/src/netcode/packet.ts";
import { NetcodeServer } from "../../sdk/src/netcode/server.ts";
import { getSlab, netcodeReady } from "../../sdk/src/netcode/sodium.ts";

export interface BenchRow {
  what: string;
  value: string;
  target: string;
  met: boolean;
  detail?: string;
}

const PAYLOAD = new Uint8Array(200).fill(7);
const BATCH = 2000;
const ROUNDS = 41;

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Microseconds per call. */
function time(calls: number, work: (call: number) => void): number {
  const begun = process.hrtime.bigint();
  for (let call = 0; call < calls; call++) work(call);
  return Number(process.hrtime.bigint() - begun) / 1000 / calls;
}

/** Netcode's seal and open of 200 bytes, sequence, header and copies included. */
function ours(): (call: number) => void {
  const slab = getSlab();
  const codec = new PacketCodec(1n);
  const key = slab.storeCell(new Uint8Array(32).fill(9));
  return (call) => {
    const bytes = codec.sealPayload(PAYLOAD, call, 0, key);
    if (codec.open(slab.wireOutView(bytes), key, null, SERVER_READS) !== 5) throw new Error("does not open");
  };
}

/** The same by node:crypto, in its fastest form: a KeyObject, and as few buffers as it allows. */
function nodes(): (call: number) => void {
  const key = createSecretKey(Buffer.alloc(32, 9));
  const nonce = Buffer.alloc(12);
  const ad = Buffer.alloc(22);
  const options = { authTagLength: 16 } as const;
  return (call) => {
    nonce.writeUInt32LE(call, 4);
    const cipher = createCipheriv("chacha20-poly1305", key, nonce, options);
    cipher.setAAD(ad, { plaintextLength: PAYLOAD.length });
    const sealed = cipher.update(PAYLOAD);
    cipher.final();
    const decipher = createDecipheriv("chacha20-poly1305", key, nonce, options);
    decipher.setAAD(ad, { plaintextLength: PAYLOAD.length });
    decipher.setAuthTag(cipher.getAuthTag());
    decipher.update(sealed);
    decipher.final();
  };
}

function cipherRow(): BenchRow {
  const [slab, node] = [ours(), nodes()];
  const [slabTimes, ratios]: [number[], number[]] = [[], []];
  let call = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const own = time(BATCH, () => slab(call++));
    const other = time(BATCH, () => node(call++));
    // The first rounds compile.
    if (round < 5) continue;
    slabTimes.push(own);
    ratios.push(own / other);
  }
  const ratio = median(ratios);
  return {
    what: "seal and open 200 B, to node:crypto",
    value: ratio.toFixed(2),
    target: "<= 0.35",
    met: ratio <= 0.35,
    detail: `${median(slabTimes).toFixed(2)} µs, median of ${ratios.length} interleaved rounds of ${BATCH}`,
  };
}

const ADDRESS = { address: "192.0.2.1", port: 7777 };

/** A server and one of its `count` clients, wired so that what either sends lies ready for the other. */
function conversation(count: number): { toServer: () => void; toClient: () => void } {
  const privateKey = new Uint8Array(32).fill(3);
  const wire = new Uint8Array(1300);
  let waiting: Uint8Array | null = null;
  const queue: [data: Uint8Array, port: number][] = [];
  let measuring = false;
  const packets = Array.from({ length: 1301 }, (_, length) => wire.subarray(0, length));
  const post = (data: Uint8Array, port: number): void => {
    if (measuring) {
      wire.set(data);
      waiting = packets[data.length] ?? null;
    } else queue.push([data.slice(), port]);
  };
  let heard = 0;
  const server = new NetcodeServer(
    { protocolId: 1n, privateKey, address: ADDRESS, maxClients: count },
    {
      send: (data, _address, port) => post(data, port),
      clientConnected: () => {},
      clientDisconnected: () => {},
      payload: () => heard++,
    },
  );
  server.start(0, 0);
  const clients = Array.from({ length: count }, (_, index) => {
    const client = new NetcodeClient({
      send: (data) => queue.length >= 0 && post(data, -index),
      stateChanged: () => {},
      payload: () => heard++,
    });
    const token = generateConnectToken({
      protocolId: 1n,
      privateKey,
      clientId: BigInt(index),
      publicAddresses: [ADDRESS],
      expireSeconds: 60,
      timeoutSeconds: 5,
      unixSeconds: 100,
    });
    client.connect(token, 0);
    return client;
  });
  for (let next = queue.shift(); next; next = queue.shift()) {
    const [data, port] = next;
    if (port <= 0) server.receive(data, `10.0.${-port >> 8}.${-port & 255}`, 1 - port, 0, 100);
    else clients[port - 1]?.receive(data, ADDRESS.address, ADDRESS.port, 0);
  }
  if (server.clients.length !== count) throw new Error(`${server.clients.length} of ${count} connected`);
  measuring = true;
  const chosen = count >> 1;
  const client = clients[chosen] as NetcodeClient;
  const slot = server.clientById(BigInt(chosen));
  if (!slot) throw new Error("not connected");
  const { address, port } = slot;
  const arrive = (receive: (data: Uint8Array) => boolean): void => {
    const before = heard;
    if (!waiting || !receive(waiting) || heard !== before + 1) throw new Error("lost");
  };
  // Made once: the measured part must not allocate itself.
  const atServer = (data: Uint8Array): boolean => server.receive(data, address, port, 1, 100);
  const atClient = (data: Uint8Array): boolean => client.receive(data, ADDRESS.address, ADDRESS.port, 1);
  return {
    toServer: () => {
      client.send(PAYLOAD, 1);
      arrive(atServer);
    },
    toClient: () => {
      server.send(slot, PAYLOAD, 1);
      arrive(atClient);
    },
  };
}

function heapRow(): BenchRow {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { toServer, toClient } = conversation(1000);
  const packets = 20_000;
  const both = (): void => {
    for (let packet = 0; packet < packets / 2; packet++) {
      toServer();
      toClient();
    }
  };
  for (let round = 0; round < 5; round++) both();
  const grown: number[] = [];
  for (let round = 0; round < 9; round++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    both();
    grown.push((process.memoryUsage().heapUsed - before) / packets);
  }
  const bytes = median(grown);
  const cost = time(packets / 2, () => {
    toServer();
    toClient();
  });
  return {
    what: "heap per netcode packet, sent and received",
    value: `${bytes.toFixed(1)} B`,
    target: "<= 8 B",
    met: bytes <= 8,
    detail: `among 1000 clients, no socket; ${(cost / 2).toFixed(2)} µs per packet from send to payload`,
  };
}

export async function rows(): Promise<BenchRow[]> {
  await netcodeReady();
  return [cipherRow(), heapRow()];
}

if (import.meta.main) console.table(await rows());
