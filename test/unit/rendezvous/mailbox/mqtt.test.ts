import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  connectPacket,
  type MqttPacket,
  MqttReader,
  publishPacket,
  subscribePacket,
} from "../../../../sdk/src/rendezvous/mailbox/mqtt/packet.ts";
import { MqttProtocol } from "../../../../sdk/src/rendezvous/mailbox/mqtt/protocol.ts";
import type { RelayProtocolEvents } from "../../../../sdk/src/rendezvous/wire/relay.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 500);
const TOPIC = "ab".repeat(32);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

describe("packets", () => {
  test("are those of the specification", () => {
    const plain = connectPacket({ clientId: "abc", keepAliveSeconds: 60 });
    // Section 3.1: MQTT, level 4, clean session, 60 s.
    expect(hex(plain)).toBe("100f00044d51545404 02003c0003616263".replaceAll(" ", ""));
    const named = connectPacket({ clientId: "a", username: "u", password: "p", keepAliveSeconds: 1 });
    expect(hex(named)).toBe("101300044d51545404c2000100016100017500 0170".replaceAll(" ", ""));
    expect(hex(subscribePacket(5, ["t"]))).toBe("82060005000174 00".replaceAll(" ", ""));
    expect(hex(publishPacket("t", Uint8Array.of(1, 2)))).toBe("300500017401 02".replaceAll(" ", ""));
    // Section 2.2.3: 128 and more take two bytes.
    expect(hex(publishPacket("t", new Uint8Array(200)).subarray(0, 3))).toBe("30cb01");
  });

  test("are read in whatever pieces they come; those that are too long are left out", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(9000))), { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
        (payloads, sizes) => {
          const stream = Buffer.concat(payloads.map((payload) => publishPacket(TOPIC, payload)));
          const reader = new MqttReader();
          const read: MqttPacket[] = [];
          for (let at = 0, i = 0; at < stream.length; i++) {
            const size = sizes[i % sizes.length] ?? 1;
            const packets = reader.read(new Uint8Array(stream.subarray(at, at + size)));
            expect(packets).not.toBe("malformed");
            read.push(...(packets as MqttPacket[]));
            at += size;
          }
          const expected = payloads
            .filter(({ length }) => length < 9000)
            .map((payload) => ({ type: "publish", topic: TOPIC, payload, retained: false }));
          expect(read).toEqual(expected);
        },
      ),
      { numRuns: runs / 5 },
    );
  });

  test("whatever comes, nothing throws and little is kept", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 10 }), (pieces) => {
        const reader = new MqttReader();
        for (const piece of pieces) reader.read(piece);
      }),
      { numRuns: runs },
    );
  });
});

function protocol(): { mqtt: MqttProtocol; sent: Uint8Array[]; said: string[] } {
  const sent: Uint8Array[] = [];
  const said: string[] = [];
  const events: RelayProtocolEvents = {
    send: (data) => sent.push(data as Uint8Array),
    onSubscribed: () => said.push("subscribed"),
    onMessage: (topic, content) => said.push(`${topic.slice(0, 4)} ${hex(content)}`),
    onAlive: () => said.push("alive"),
    onRefused: (reason) => said.push(`refused ${reason}`),
    onFailed: (reason, lasting) => said.push(`failed ${lasting} ${reason}`),
  };
  return { mqtt: new MqttProtocol(events, { random: (n) => new Uint8Array(n) }), sent, said };
}

describe("a broker", () => {
  test("is connected to, subscribed at, and heard about our topics alone", () => {
    const { mqtt, sent, said } = protocol();
    mqtt.start([TOPIC]);
    expect(sent).toHaveLength(1);
    mqtt.receive(Uint8Array.of(0x20, 2, 0, 0));
    expect(hex(sent[1] ?? new Uint8Array())).toBe(hex(subscribePacket(1, [TOPIC])));
    mqtt.receive(Uint8Array.of(0x90, 3, 0, 1, 0));
    mqtt.receive(publishPacket(TOPIC, Uint8Array.of(7)));
    mqtt.receive(publishPacket("another", Uint8Array.of(7)));
    const retained = publishPacket(TOPIC, Uint8Array.of(8));
    retained[0] = 0x31;
    mqtt.receive(retained);
    mqtt.receive(publishPacket(TOPIC, new Uint8Array(4097)));
    mqtt.receive(Uint8Array.of(0xd0, 0));
    expect(said).toEqual(["subscribed", "abab 07", "alive"]);
  });

  test("follows when topics change", () => {
    const { mqtt, sent } = protocol();
    mqtt.start(["old", "both"]);
    mqtt.receive(Uint8Array.of(0x20, 2, 0, 0));
    mqtt.subscribe(["both", "new"]);
    expect(sent.slice(2).map(hex)).toEqual([hex(subscribePacket(2, ["new"])), "a207000300036f6c64"]);
  });

  test.each([
    { answer: [0x20, 2, 0, 3], lasting: false },
    { answer: [0x20, 2, 0, 5], lasting: true },
    { answer: [0x20, 0xff, 0xff, 0xff, 0xff], lasting: true },
  ])("that refuses is given up ($answer)", ({ answer, lasting }) => {
    const { mqtt, said } = protocol();
    mqtt.start([TOPIC]);
    mqtt.receive(Uint8Array.from(answer));
    expect(said).toEqual([expect.stringMatching(new RegExp(`^failed ${lasting}`))]);
  });
});
