/** Hosts and players with a relay between them that a test holds in its hands. */
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { HostIntroductions } from "../../../../sdk/src/rendezvous/host/host-introductions.ts";
import { parseHostMail } from "../../../../sdk/src/rendezvous/mailbox/lobby-mail.ts";
import {
  RECORD_BURST,
  RECORDS_PER_SECOND,
  SealedIntroduction,
} from "../../../../sdk/src/rendezvous/sealed/introduction.ts";
import { CipherState, concat, NoiseInitiator, noiseReady } from "../../../../sdk/src/rendezvous/sealed/noise.ts";
import {
  MAX_MESSAGE_BYTES,
  MAX_RECORD_BYTES,
  RECORD,
  RecordReader,
  recordsOf,
  sealRecords,
} from "../../../../sdk/src/rendezvous/sealed/records.ts";
import { createHostSecret, type HostIdentity, hostIdentityOf } from "../../../../sdk/src/rendezvous/sealed/secret.ts";
import { HELLO, type HostDetails, prologueOf } from "../../../../sdk/src/rendezvous/wire/protocol.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 200);
const KEY = new Uint8Array(32).fill(5);
const details: HostDetails = {
  name: "Arena",
  description: "",
  players: 1,
  maxPlayers: 8,
  version: "1",
  endpoints: ["http://203.0.113.7:7777"],
};
let identity: HostIdentity;

beforeAll(async () => {
  await noiseReady;
  identity = await hostIdentityOf(createHostSecret());
});

describe("records", () => {
  test("have one of three lengths, and fit into a message of 4 KiB", () => {
    const lengths = new Set<number>();
    for (const size of [0, 1, 253, 254, 1021, 1022, 3069, 3070, MAX_MESSAGE_BYTES]) {
      const records = sealRecords(new CipherState(KEY), RECORD.message, new Uint8Array(size));
      expect(records).toHaveLength(recordsOf(size));
      for (const { length } of records) lengths.add(length);
    }
    expect([...lengths].sort((a, b) => a - b)).toEqual([272, 1040, 3088]);
    expect(MAX_RECORD_BYTES).toBeLessThan(4000);
  });

  test("bring any message across, whole", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: MAX_MESSAGE_BYTES, size: "max" }), { maxLength: 4 }),
        (messages) => {
          const cipher = new CipherState(KEY);
          const reader = new RecordReader(new CipherState(KEY));
          for (const message of messages) {
            const records = sealRecords(cipher, RECORD.message, message);
            const last = records.pop() ?? new Uint8Array();
            for (const record of records) expect(reader.read(record)).toBe("more");
            expect(reader.read(last)).toEqual({ type: RECORD.message, content: message });
          }
        },
      ),
      { numRuns: runs / 4 },
    );
  });

  test("that the other side sealed wrongly are malformed, and none lets the reader keep more than a message", () => {
    const cipher = (): [CipherState, RecordReader] => [new CipherState(KEY), new RecordReader(new CipherState(KEY))];
    for (const plain of [[], [1], [1, 0], [1, 2, 0, 0], [9, 0, 0], [0x81, 0, 0], [0xff, 1, 0, 0]]) {
      const [seal, reader] = cipher();
      expect(reader.read(seal.encrypt(Uint8Array.from(plain)))).toBe("malformed");
    }
    const [seal, reader] = cipher();
    const part = new Uint8Array(3072);
    part.set([RECORD.message | 0x80, 3069 & 0xff, 3069 >> 8]);
    let result: unknown = "more";
    let read = 0;
    while (result === "more") {
      result = reader.read(seal.encrypt(part));
      read++;
    }
    expect(result).toBe("malformed");
    expect(read).toBe(6);
    const [mixed, mixedReader] = cipher();
    expect(mixedReader.read(mixed.encrypt(part))).toBe("more");
    expect(mixedReader.read(mixed.encrypt(Uint8Array.of(RECORD.close, 0, 0)))).toBe("malformed");
  });

  test("whatever a relay makes up is forged", () => {
    const reader = new RecordReader(new CipherState(KEY));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4000, size: "max" }), (record) => {
        expect(reader.read(record)).toBe("forged");
      }),
      { numRuns: runs },
    );
  });
});

interface World {
  host: HostIntroductions;
  /** What the host sent. */
  sent: { type: "relay" | "end"; data?: Uint8Array }[];
  introductions: SealedIntroduction[];
  outdated: string[];
  clock: { now: number };
}

function world(options: { linkOnly?: boolean; wanted?: boolean } = {}): World {
  const sent: World["sent"] = [];
  const introductions: SealedIntroduction[] = [];
  const outdated: string[] = [];
  const clock = { now: 0 };
  const host = new HostIntroductions({
    identity,
    linkOnly: options.linkOnly ?? false,
    details: () => details,
    servers: () => ({ stun: [], turn: [] }),
    mailbox: {
      send: (_id, data) => sent.push({ type: "relay", data }),
      end: () => sent.push({ type: "end" }),
    },
    onIntroduction: (introduction) => {
      introductions.push(introduction);
      return options.wanted ?? true;
    },
    onOutdated: (_protocol, sentence) => outdated.push(sentence),
    now: () => clock.now,
  });
  return { host, sent, introductions, outdated, clock };
}

/** A player who has come in, and what it sends; nothing of it has been relayed yet. */
function enter(
  { host, sent, clock }: World,
  id: number,
): { player: SealedIntroduction; out: Uint8Array[]; transport: { send: CipherState } } {
  const noise = new NoiseInitiator({
    responderKey: identity.key.publicKey,
    prologue: prologueOf(identity.code, HELLO.link),
    psk: identity.psk,
  });
  const from = sent.length;
  const hello = concat(Uint8Array.of(HELLO.link), noise.write() ?? new Uint8Array());
  host.receive({ type: "introduction", id, hello });
  const [answer, ...records] = sent.slice(from).map(({ data }) => data ?? new Uint8Array());
  const transport = noise.read(answer ?? new Uint8Array());
  if (transport === undefined) throw new Error("no answer");
  const out: Uint8Array[] = [];
  const player = new SealedIntroduction({
    code: identity.code,
    details: { ...details, name: "what the lobby says" },
    remoteKey: identity.key.publicKey,
    authenticated: true,
    servers: () => ({ stun: [], turn: [] }),
    transport,
    wire: { relay: (record) => out.push(record), end: () => undefined },
    now: () => clock.now,
  });
  for (const record of records) player.receive(record);
  return { player, out, transport };
}

function relay({ host }: World, id: number, data: Uint8Array | undefined): void {
  host.receive({ type: "relay", id, data: data ?? new Uint8Array() });
}

describe("a host", () => {
  test("tells its details at once, and of a player only when that has said something itself", () => {
    const here = world();
    const { player, out } = enter(here, 1);
    expect(player.details).toEqual(details);
    expect(here.introductions).toHaveLength(0);
    player.sendReady();
    relay(here, 1, out[0]);
    expect(here.introductions).toHaveLength(1);
    expect(here.introductions[0]).toMatchObject({ authenticated: true, code: identity.code, closed: undefined });
  });

  test("and a player of releases that do not understand each other: both are told in a sentence", () => {
    const sentence = "This game's host speaks introduction protocol 1, this player's game 2: update the host";
    const here = world();
    for (const id of [1, 2]) {
      const { player, out, transport } = enter(here, id);
      const ready = new TextEncoder().encode(JSON.stringify({ protocol: 2 }));
      const [data] = sealRecords(transport.send, RECORD.ready, ready);
      here.host.receive({ type: "relay", id, data: data ?? new Uint8Array() });
      const record = here.sent.filter(({ type }) => type === "relay").at(-1)?.data;
      player.receive(record ?? new Uint8Array());
      expect(player.closed).toEqual({ by: "there", reason: sentence });
      expect(out).toEqual([]);
    }
    expect(here.introductions).toHaveLength(0);
    expect(here.host.size).toBe(0);
    expect(here.outdated).toEqual([sentence, sentence]);
  });

  test.each([
    ["of the first release, which names no version", "", undefined],
    ["of this one", '{"protocol":1}', undefined],
    ["that names more besides", '{"protocol":1,"more":true}', undefined],
    ["that names nonsense", '{"protocol":"1"}', "malformed"],
    ["that is no JSON", "{", "malformed"],
    ["that is null", "null", "malformed"],
  ])("takes a player %s", (_who, content, reason) => {
    const here = world();
    const { transport } = enter(here, 1);
    const [data] = sealRecords(transport.send, RECORD.ready, new TextEncoder().encode(content));
    here.host.receive({ type: "relay", id: 1, data: data ?? new Uint8Array() });
    expect(here.introductions.map(({ closed }) => closed?.reason)).toEqual(reason === undefined ? [undefined] : []);
    expect(here.outdated).toEqual([]);
  });

  test("gets what was said before it listened, in order", () => {
    const here = world();
    const { player, out } = enter(here, 1);
    for (const i of [1, 2, 3]) player.send(Uint8Array.of(i));
    for (const data of out) relay(here, 1, data);
    const got: number[] = [];
    here.introductions[0]?.onMessage((message) => got.push(message[0] ?? 0));
    player.send(Uint8Array.of(4));
    relay(here, 1, out.at(-1));
    expect(got).toEqual([1, 2, 3, 4]);
  });

  test("does not keep without end what nobody reads", () => {
    const here = world();
    const { player, out } = enter(here, 1);
    player.sendReady();
    for (let i = 0; i < 40; i++) {
      here.clock.now += 1000;
      player.send(new Uint8Array(MAX_MESSAGE_BYTES));
    }
    for (const data of out) relay(here, 1, data);
    expect(here.introductions[0]?.closed).toEqual({ by: "here", reason: "nobody reads" });
    expect(here.host.size).toBe(0);
  });

  test("that wants nobody says so, sealed", () => {
    const here = world({ wanted: false });
    const { player, out } = enter(here, 1);
    player.sendReady();
    relay(here, 1, out[0]);
    const record = here.sent.filter(({ type }) => type === "relay").at(-1)?.data;
    player.receive(record ?? new Uint8Array());
    expect(player.closed).toEqual({ by: "there", reason: "This host takes no introductions." });
  });

  test("bears a lobby that floods it: few are answered, and none is kept for ever", () => {
    const here = world();
    for (let id = 0; id < 2000; id++) {
      const noise = new NoiseInitiator({
        responderKey: identity.key.publicKey,
        prologue: prologueOf(identity.code, HELLO.link),
        psk: identity.psk,
      });
      if (id < 300) here.clock.now += 20;
      const hello = id < 300 ? concat(Uint8Array.of(1), noise.write() ?? new Uint8Array()) : new Uint8Array(49).fill(1);
      here.host.receive({ type: "introduction", id, hello });
    }
    expect(here.host.size).toBe(128);
    expect(here.introductions).toHaveLength(0);
    here.host.lose("over");
    expect(here.host.size).toBe(0);
  });

  test("bears any nonsense", () => {
    const here = world();
    const { player, out } = enter(here, 1);
    player.sendReady();
    const type = fc.constantFrom("introduction", "relay", "end", "host", "x");
    const message = fc.oneof(
      fc.anything(),
      fc.record({
        // An "end" of the player's own id ends it rightly.
        id: fc.oneof(fc.integer({ min: 2, max: 9 }), fc.anything()).filter((id) => id !== 1),
        hello: fc.anything(),
        data: fc.anything(),
      }),
      fc.record({ id: fc.integer({ min: 2, max: 9 }), hello: fc.uint8Array({ maxLength: 60 }) }),
    );
    fc.assert(
      fc.property(type, message, (kind, said) => {
        const mail = parseHostMail(kind, said, identity.code);
        if (mail !== undefined) here.host.receive(mail);
      }),
      { numRuns: runs * 5 },
    );
    expect(here.introductions).toHaveLength(0);
    relay(here, 1, out[0]);
    expect(here.introductions).toHaveLength(1);
  });
});

describe("a conversation", () => {
  test("over a relay that alters, drops, repeats and swaps: what is heard was said, in its order, or the end is told", () => {
    const act = fc.constantFrom("pass", "pass", "pass", "pass", "drop", "repeat", "alter", "swap", "older", "invent");
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 30 }), fc.nat(), (acts, seed) => {
        const here = world();
        const { player, out } = enter(here, 1);
        player.sendReady();
        relay(here, 1, out[0]);
        const heard: number[] = [];
        here.introductions[0]?.onMessage((message) => heard.push(message[0] ?? 0));
        let tampered = false;
        let [next, honest] = [0, 0];
        const say = (): Uint8Array => {
          player.send(Uint8Array.of(next++));
          return out.at(-1) ?? new Uint8Array();
        };
        const pass = (data: Uint8Array): void => relay(here, 1, data);
        for (const what of acts) {
          if (what === "pass") {
            pass(say());
            if (!tampered) honest++;
            continue;
          }
          const record = say();
          // Of what comes after the first fraud nothing is heard, but for a message that was only doubled.
          if (!tampered && what === "repeat") honest++;
          tampered = true;
          if (what === "repeat") [record, record].forEach(pass);
          if (what === "alter")
            pass(record.with(seed % record.length, (record[seed % record.length] ?? 0) ^ (1 + (seed % 255))));
          if (what === "swap") [say(), record].forEach(pass);
          if (what === "older") pass(out[0] ?? new Uint8Array());
          if (what === "invent") pass(new Uint8Array(272).fill(seed));
        }
        // Whatever was dropped last shows with the next.
        pass(say());
        if (!tampered) honest++;
        expect(heard).toEqual(Array.from({ length: honest }, (_, i) => i));
        expect(here.introductions[0]?.closed?.by).toBe(tampered ? "forged" : undefined);
      }),
      { numRuns: runs },
    );
  });

  test("sends no faster than the lobby relays, and goes on when time has passed", () => {
    const here = world();
    const { player } = enter(here, 1);
    const burst = (): number => {
      let sent = 0;
      while (player.send(new Uint8Array(1))) sent++;
      return sent;
    };
    expect(burst()).toBe(RECORD_BURST);
    here.clock.now += 500;
    expect(burst()).toBe(RECORDS_PER_SECOND / 2);
    here.clock.now += 100;
    // A message of several records goes whole or not at all.
    expect(player.send(new Uint8Array(MAX_MESSAGE_BYTES))).toBe(false);
    expect(player.send(new Uint8Array(3000))).toBe(true);
  });

  test("a reason for the end is cleaned and cut, and details that are none end it", () => {
    const here = world();
    const { player, out } = enter(here, 1);
    player.sendReady();
    player.close(`\u001b[31m${"x".repeat(500)}`);
    for (const data of out) relay(here, 1, data);
    expect(here.introductions[0]?.closed).toEqual({ by: "there", reason: expect.stringMatching(/^\[31mx{195}$/) });
    const second = enter(here, 2);
    second.player.sendDetails({ ...details, name: "" });
    for (const data of second.out) relay(here, 2, data);
    expect(here.host.size).toBe(0);
  });
});
