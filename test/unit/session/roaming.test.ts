// A player who holds its keys and means harm, against the part of a server that follows clients: from wherever its packets come, in
// whatever order, doubled, with answers to questions that were asked elsewhere, long ago or never.
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { NetcodeClient } from "../../../sdk/src/netcode/client.ts";
import { generateConnectToken } from "../../../sdk/src/netcode/connect-token.ts";
import { NetcodeServer } from "../../../sdk/src/netcode/server.ts";
import { netcodeReady } from "../../../sdk/src/netcode/sodium.ts";
import { NetcodeClientState } from "../../../sdk/src/netcode/types.ts";
import { CANDIDATE_MS } from "../../../sdk/src/session/path-candidates.ts";
import { isPathPacket } from "../../../sdk/src/session/path-packet.ts";
import { Roaming } from "../../../sdk/src/session/roaming.ts";

const RUNS = Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 1000);
const SERVER = { address: "192.0.2.1", port: 7777 };
const PLACES = 6;
/** At every place one port; the first is where the client connects. */
const place = (n: number): string => `198.51.100.${n}`;
const PORT = 1000;
const LIMIT = 3;
const MAX_CANDIDATES = 4;
const UNIX_SECONDS = 1_800_000_000;

type Operation =
  | { do: "say"; from: number; bytes: number }
  | { do: "hold" }
  | { do: "repeat"; which: number; from: number }
  | { do: "carry"; which: number }
  | { do: "answer"; which: number; from: number; held: boolean }
  | { do: "guess"; from: number; bytes: Uint8Array }
  | { do: "wait"; ms: number };

const from = fc.nat(PLACES - 1);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("say"), from, bytes: fc.integer({ min: 1, max: 40 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hold") }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("repeat"), which: fc.oneof(fc.nat(3), fc.nat(50)), from }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("carry"), which: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("answer"), which: fc.nat(3), from, held: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("guess"), from, bytes: fc.uint8Array({ minLength: 0, maxLength: 12 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("wait"), ms: fc.oneof(fc.nat(60), fc.nat(400), fc.nat(4000)) }) },
) as fc.Arbitrary<Operation>;

interface Said {
  data: Uint8Array;
  /** Counts up with netcode's sequence. */
  number: number;
  /** Where the question was asked that it answers. */
  answers?: string;
}

/** The server's side, the client's side, and what is true of where the client is. */
class World {
  now = 1000;
  moves = 0;
  readonly server: NetcodeServer;
  readonly roaming: Roaming;
  readonly client: NetcodeClient;
  /** What left the client, and may be delivered from anywhere. */
  readonly said: Said[] = [];
  /** What left the server. */
  readonly toClient: { data: Uint8Array; to: string }[] = [];
  /** Questions that reached the client, and where they had been sent. */
  readonly asked: { challenge: Uint8Array; at: string }[] = [];
  readonly bytesFrom = new Map<string, number>();
  readonly bytesTo = new Map<string, number>();
  /** Where a question was answered from the place where it was asked. */
  readonly proven = new Set([place(0)]);
  /** What the server is given, and whence. */
  #reading = { number: -1, from: place(0) };
  #newest = { number: -1, from: place(0) };

  constructor() {
    const random = (bytes: Uint8Array): void => void crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
    const privateKey = new Uint8Array(32).fill(7);
    this.server = new NetcodeServer(
      { protocolId: 1n, privateKey, address: SERVER, maxClients: 4, random },
      {
        send: (data, address) => {
          this.toClient.push({ data: Buffer.from(data), to: address });
          this.bytesTo.set(address, (this.bytesTo.get(address) ?? 0) + data.length);
          this.#check(address);
        },
        clientConnected: () => undefined,
        clientDisconnected: (client) => this.roaming.forget(client),
        payload: (client, data) => {
          if (this.#reading.number > this.#newest.number) this.#newest = this.#reading;
          if (isPathPacket(data)) this.roaming.pathPacket(client, data);
        },
      },
    );
    this.roaming = new Roaming(this.server, {
      moved: (client) => {
        this.moves++;
        expect(client.address).toBe(this.#newest.from);
        expect(this.proven).toContain(client.address);
      },
      strayed: () => false,
    });
    this.server.start(this.now, UNIX_SECONDS);
    let at = "";
    this.client = new NetcodeClient({
      send: (data) => void this.said.push({ data: Buffer.from(data), number: this.said.length }),
      stateChanged: () => undefined,
      payload: (data) => {
        if (isPathPacket(data)) this.asked.push({ challenge: data.slice(), at });
      },
    });
    this.carry = (which) => {
      const datagram = this.toClient.at(-1 - which);
      if (!datagram) return;
      at = datagram.to;
      this.client.receive(datagram.data, SERVER.address, SERVER.port, this.now);
    };
    const token = generateConnectToken({
      protocolId: 1n,
      privateKey,
      clientId: 1n,
      publicAddresses: [SERVER],
      timeoutSeconds: -1,
      expireSeconds: 30,
      unixSeconds: UNIX_SECONDS,
      random,
    });
    this.client.connect(token, this.now);
    for (let step = 0; step < 4; step++) {
      this.client.update(this.now);
      this.deliver(this.said.at(-1), place(0));
      this.carry(0);
    }
    expect(this.client.state).toBe(NetcodeClientState.connected);
  }

  /** Brings the client what the server sent; 0 is the last. */
  readonly carry: (which: number) => void;

  deliver(said: Said | undefined, address: string): void {
    if (!said) return;
    this.bytesFrom.set(address, (this.bytesFrom.get(address) ?? 0) + said.data.length);
    this.#reading = { number: said.number, from: address };
    if (said.answers === address) this.proven.add(address);
    if (!this.server.receive(said.data, address, PORT, this.now, UNIX_SECONDS))
      this.roaming.receive(said.data, address, PORT, this.now);
    this.#check(address);
    expect(this.roaming.candidates).toBeLessThanOrEqual(MAX_CANDIDATES);
    expect(this.proven).toContain(this.server.clients[0]?.address ?? place(0));
  }

  /** Has the client say it, and holds it. */
  say(payload: Uint8Array): Said | undefined {
    this.client.send(payload, this.now);
    return this.said.at(-1);
  }

  #check(address: string): void {
    if (this.proven.has(address)) return;
    expect(this.bytesTo.get(address) ?? 0).toBeLessThanOrEqual(LIMIT * (this.bytesFrom.get(address) ?? 0));
  }
}

beforeAll(netcodeReady);

test("nothing moves it but an answer from where it was asked, and nobody is sent more than three bytes for one", () => {
  let moves = 0;
  fc.assert(
    fc.property(fc.array(operation, { minLength: 20, maxLength: 120 }), (operations) => {
      const world = new World();
      for (const each of operations) {
        switch (each.do) {
          case "say":
            world.deliver(world.say(new Uint8Array(each.bytes)), place(each.from));
            break;
          case "hold":
            world.say(new Uint8Array(9));
            break;
          case "repeat":
            world.deliver(world.said.at(-1 - each.which), place(each.from));
            break;
          case "carry":
            world.carry(each.which);
            break;
          case "answer": {
            const question = world.asked.at(-1 - each.which);
            if (!question) break;
            const answer = question.challenge.slice();
            answer[0] = 0xc1;
            const said = world.say(answer);
            if (said) said.answers = question.at;
            if (!each.held) world.deliver(said, place(each.from));
            break;
          }
          case "guess":
            world.deliver(world.say(Uint8Array.of(0xc1, ...each.bytes)), place(each.from));
            break;
          case "wait":
            world.now += each.ms;
            world.server.update(world.now);
        }
      }
      moves += world.moves;
    }),
    { numRuns: RUNS },
  );
  // Among all that, some answers were right: about one run in forty moves it.
  expect(moves).toBeGreaterThan(0);
});

describe("an answer", () => {
  /** Silent at home, heard elsewhere, asked there. The client's answer is not on its way yet. */
  function asked(): { world: World; answer: Said } {
    const world = new World();
    world.deliver(world.say(new Uint8Array(1)), place(0));
    world.now += 200;
    world.deliver(world.say(new Uint8Array(20)), place(1));
    world.carry(0);
    const challenge = world.asked.at(-1)?.challenge.slice();
    if (!challenge) throw new Error("not asked");
    challenge[0] = 0xc1;
    const answer = world.say(challenge) as Said;
    return { world, answer: { ...answer, answers: place(1) } };
  }

  test("from where it was asked moves the client, once", () => {
    const { world, answer } = asked();
    world.deliver(answer, place(1));
    world.deliver(answer, place(1));
    expect([world.moves, world.server.clients[0]?.address]).toEqual([1, place(1)]);
  });

  test("from elsewhere does not, home among it", () => {
    for (const from of [0, 2]) {
      const { world, answer } = asked();
      // By now strangers are heard out again.
      world.now += 50;
      world.deliver(answer, place(from));
      // Read there, so that it is no use any more.
      world.deliver(answer, place(1));
      expect([world.moves, world.server.clients[0]?.address]).toEqual([0, place(0)]);
    }
  });

  test("that comes after the client was heard at home does not, until it is heard there again", () => {
    const { world, answer } = asked();
    world.deliver(world.say(new Uint8Array(1)), place(0));
    world.deliver(answer, place(1));
    expect(world.moves).toBe(0);
    world.deliver(world.say(new Uint8Array(1)), place(1));
    expect(world.server.clients[0]?.address).toBe(place(1));
  });

  test("that comes too late does not", () => {
    const { world, answer } = asked();
    world.now += CANDIDATE_MS;
    world.server.update(world.now);
    world.deliver(answer, place(1));
    expect(world.moves).toBe(0);
  });

  test("that was overtaken by what the client said next does", () => {
    const { world, answer } = asked();
    world.deliver(world.say(new Uint8Array(1)), place(1));
    world.deliver(answer, place(1));
    expect([world.moves, world.server.clients[0]?.address]).toEqual([1, place(1)]);
  });

  test("is asked for where it was before, too, once that falls silent and it comes from there", () => {
    const { world, answer } = asked();
    world.deliver(answer, place(1));
    world.deliver(world.say(new Uint8Array(9)), place(0));
    expect(world.asked.length).toBe(1);
    const before = world.bytesTo.get(place(0));
    world.now += 200;
    world.deliver(world.say(new Uint8Array(9)), place(0));
    expect(world.bytesTo.get(place(0))).toBeGreaterThan(before ?? 0);
    expect([world.moves, world.server.clients[0]?.address]).toEqual([1, place(1)]);
  });
});
