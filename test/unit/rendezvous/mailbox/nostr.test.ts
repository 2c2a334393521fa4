import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NostrProtocol } from "../../../../sdk/src/rendezvous/mailbox/nostr/protocol.ts";
import type { RelayProtocolEvents } from "../../../../sdk/src/rendezvous/wire/relay.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 500);
const TOPIC = "ab".repeat(32);
const NOW_S = 1_800_000_000;
const sender = new Uint8Array(32).fill(7);

function protocol(): {
  nostr: NostrProtocol;
  sent: unknown[][];
  said: string[];
  tell: (...message: unknown[]) => void;
} {
  const sent: unknown[][] = [];
  const said: string[] = [];
  const events: RelayProtocolEvents = {
    send: (data) => sent.push(JSON.parse(data as string) as unknown[]),
    onSubscribed: () => said.push("subscribed"),
    onMessage: (topic, content) => said.push(`${topic.slice(0, 4)} ${Buffer.from(content).toString("hex")}`),
    onAlive: () => said.push("alive"),
    onRefused: (reason) => said.push(`refused ${reason}`),
    onFailed: (reason, lasting) => said.push(`failed ${lasting} ${reason}`),
  };
  const nostr = new NostrProtocol(events, { unixNow: () => NOW_S * 1000, random: (n) => new Uint8Array(n).fill(1) });
  return { nostr, sent, said, tell: (...message) => nostr.receive(JSON.stringify(message)) };
}

const idOf = (message: unknown[] | undefined): string => (message?.[1] as { id: string } | undefined)?.id ?? "";
const event = (fields: object = {}): object => ({ kind: 22_916, tags: [["x", TOPIC]], content: "Bw==", ...fields });

describe("a Nostr relay", () => {
  test("is asked for our topics, and heard about those alone", () => {
    const { nostr, sent, said, tell } = protocol();
    nostr.start([TOPIC]);
    expect(sent).toEqual([["REQ", "t", { kinds: [22_916], "#x": [TOPIC], since: NOW_S - 86_400 }]]);
    tell("EOSE", "t");
    tell("EVENT", "t", event());
    // What some relays pass on although nobody asked for it.
    tell("EVENT", "t", event({ tags: [["x", "cd".repeat(32)]] }));
    tell("EVENT", "t", event({ kind: 1 }));
    tell("EVENT", "t", event({ content: "A".repeat(8000) }));
    tell("EVENT", "t", event({ content: "no base64" }));
    expect(said).toEqual(["subscribed", "abab 07"]);
  });

  test("gets events that are signed, by a key for each sender", () => {
    const { nostr, sent } = protocol();
    nostr.start([TOPIC]);
    nostr.publish(TOPIC, Uint8Array.of(1, 2, 3), sender);
    nostr.publish(TOPIC, Uint8Array.of(1, 2, 3), new Uint8Array(32).fill(8));
    const [first, second] = sent.slice(1).map(([, each]) => each as Record<string, unknown>);
    expect(first).toMatchObject({ created_at: NOW_S, kind: 22_916, tags: [["x", TOPIC]], content: "AQID" });
    expect(first?.["pubkey"]).toMatch(/^[0-9a-f]{64}$/);
    expect(first?.["sig"]).toMatch(/^[0-9a-f]{128}$/);
    expect(second?.["pubkey"]).not.toBe(first?.["pubkey"]);
  });

  test("is asked whether it is there without a publication", () => {
    const { nostr, sent, said, tell } = protocol();
    nostr.start([TOPIC]);
    nostr.ping();
    expect(sent[1]?.slice(0, 2)).toEqual(["REQ", "p"]);
    tell("EOSE", "p");
    expect(sent[2]).toEqual(["CLOSE", "p"]);
    expect(said).toEqual(["alive"]);
  });

  test.each([
    { answer: "rate-limited: slow down", says: "refused rate-limited: slow down" },
    { answer: "auth-required: who are you", says: "failed true auth-required: who are you" },
    { answer: "pow: 20 bits", says: "failed true pow: 20 bits" },
    { answer: "error: disk full", says: "refused error: disk full" },
    { answer: "duplicate: have it", says: undefined },
  ])("that says $answer", ({ answer, says }) => {
    const { nostr, sent, said, tell } = protocol();
    nostr.start([TOPIC]);
    nostr.publish(TOPIC, Uint8Array.of(1), sender);
    const id = idOf(sent[1]);
    tell("OK", id, false, answer);
    tell("OK", id, false, answer);
    expect(said).toEqual(says === undefined ? [] : [says]);
  });

  test("of another time tells it, and gets what it refused once more", () => {
    const { nostr, sent, said, tell } = protocol();
    nostr.start([TOPIC]);
    nostr.publish(TOPIC, Uint8Array.of(1), sender);
    const refuse = (): void => tell("OK", idOf(sent.at(-1)), false, "invalid: ephemeral event expired");
    refuse();
    expect(sent.at(-1)).toEqual(["REQ", "c", { kinds: [1], limit: 1 }]);
    tell("EVENT", "c", { kind: 1, created_at: NOW_S + 500 });
    tell("EOSE", "c");
    expect(sent.at(-2)?.[1]).toMatchObject({ created_at: NOW_S + 500, content: "AQ==" });
    expect(sent.at(-1)).toEqual(["CLOSE", "c"]);
    sent.pop();
    refuse();
    expect(said).toEqual([expect.stringMatching(/^refused invalid/)]);
  });

  test("that ends the subscription is given up", () => {
    const { nostr, said, tell } = protocol();
    nostr.start([TOPIC]);
    tell("CLOSED", "t", "restricted: members only");
    tell("NOTICE", "you send too many messages");
    tell("NOTICE", "welcome");
    expect(said).toEqual(["failed true restricted: members only", "refused you send too many messages"]);
  });

  test("may say anything", () => {
    const words = fc.constantFrom("EVENT", "EOSE", "OK", "CLOSED", "NOTICE", "AUTH", "t", "p", "c", TOPIC);
    const anything = fc.oneof(
      fc.anything(),
      words,
      fc.record({ kind: fc.anything(), tags: fc.anything(), content: fc.anything(), created_at: fc.anything() }),
    );
    fc.assert(
      fc.property(fc.array(fc.array(anything, { maxLength: 5 }), { maxLength: 5 }), fc.string(), (messages, text) => {
        const { nostr } = protocol();
        nostr.start([TOPIC]);
        nostr.publish(TOPIC, Uint8Array.of(1), sender);
        nostr.receive(text);
        nostr.receive(new Uint8Array(3));
        for (const message of messages) nostr.receive(JSON.stringify(message) ?? "");
      }),
      { numRuns: runs / 10 },
    );
  });
});
