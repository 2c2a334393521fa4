import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { rankRelays } from "../../../../sdk/src/rendezvous/mailbox/ranking.ts";
import { DEFAULT_RELAYS, DEFAULT_STUN_SERVERS } from "../../../../sdk/src/rendezvous/mailbox/relay-list.ts";
import { hostTopic, keysOfCode, keysOfPass } from "../../../../sdk/src/rendezvous/mailbox/topics.ts";
import { noiseReady, randomKeyPair } from "../../../../sdk/src/rendezvous/sealed/noise.ts";
import { sealText } from "../../../../sdk/src/rendezvous/sealed/seal.ts";
import { publicCodeOf } from "../../../../sdk/src/rendezvous/wire/code.ts";
import { formatHint, parseHint } from "../../../../sdk/src/rendezvous/wire/hint.ts";
import { parseInvite, parseInviteCode, publicInviteUrl } from "../../../../sdk/src/rendezvous/wire/invite.ts";
import { checkRelays, parseRelayList, parseRelayUrl } from "../../../../sdk/src/rendezvous/wire/relay-url.ts";
import { checkServersOptions } from "../../../../sdk/src/rendezvous/wire/servers.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 300);
const CODE = "K7Q2-9FXM-T3PD";
let seal: string;

beforeAll(async () => {
  await noiseReady;
  seal = sealText(randomKeyPair().publicKey, new Uint8Array(16).fill(5));
});

describe("a code of public", () => {
  test("is understood as people write it, and names public by itself", () => {
    for (const text of [CODE, CODE.toLowerCase(), "K7Q29FXMT3PD", " k7q2 9fxm t3pd "]) {
      expect(parseInvite(text)).toEqual({ code: CODE, lobby: "public" });
    }
    for (const text of ["K7Q2-9FXM-T3P", "K7Q2-9FXM-T3PDD", "K7Q2-9FXM-T3P0"]) {
      expect(parseInviteCode(text)).toBeUndefined();
    }
  });

  test("follows from the host's key", async () => {
    const { publicKey } = randomKeyPair();
    const code = await publicCodeOf(publicKey);
    expect(parseInviteCode(code)).toBe(code);
    expect(code).toHaveLength(14);
    expect(await publicCodeOf(publicKey)).toBe(code);
    expect(await publicCodeOf(randomKeyPair().publicKey)).not.toBe(code);
  });
});

describe("a link of public", () => {
  const hint = { rank: 777, relays: ["wss://relay.example", "mqtts://broker.example:8883"] };

  test("opens a page, or none, and carries all that its holder needs", () => {
    for (const page of [undefined, "https://game.example/play?x=1", "http://203.0.113.7:7777"]) {
      const url = publicInviteUrl(page, CODE, seal, formatHint(hint));
      expect(parseInvite(url)).toEqual({ code: CODE, lobby: "public", seal, hint });
      const fragment = url.slice(url.indexOf(CODE));
      expect(parseInvite(fragment)).toEqual({ code: CODE, lobby: "public", seal, hint });
    }
  });

  test("that has lost its end is none", () => {
    const url = publicInviteUrl("https://game.example/", CODE, seal, formatHint(hint));
    for (let length = url.indexOf("#") + CODE.length + 2; length < url.length; length++) {
      expect(parseInvite(url.slice(0, length)), url.slice(0, length)).toBeUndefined();
    }
  });

  test("of a lobby has no third part, and another scheme is no invite", () => {
    expect(parseInvite(`https://lobby.example/#K7Q2-9FXM.${seal}`)).toMatchObject({ lobby: "https://lobby.example/" });
    expect(parseInvite(`https://lobby.example/#K7Q2-9FXM.${seal}.AAAA`)).toBeUndefined();
    expect(parseInvite(`sallyport:K7Q2-9FXM.${seal}`)).toBeUndefined();
    expect(parseInvite(`ftp://x/#${CODE}`)).toBeUndefined();
  });

  test("has a hint that may be anything", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => text.replaceAll("=", "")),
        ),
        (text) => {
          const parsed = parseHint(text);
          if (parsed !== undefined) for (const relay of parsed.relays) expect(parseRelayUrl(relay)).toBeDefined();
        },
      ),
      { numRuns: runs },
    );
    const many = Array.from({ length: 30 }, (_, i) => `wss://relay-${i}.example/${"x".repeat(20)}`);
    const some = parseHint(formatHint({ rank: 65_535, relays: many }));
    expect(some?.rank).toBe(65_535);
    expect(some?.relays).toEqual(many.slice(0, some?.relays.length));
    expect(some?.relays.length).toBeGreaterThan(3);
  });
});

describe("relays", () => {
  test("are told apart by their URLs", () => {
    expect(parseRelayUrl("wss://nos.lol/")).toEqual({ kind: "nostr", url: "wss://nos.lol", isStream: false });
    expect(parseRelayUrl("WSS://Broker.example:8084/mqtt")).toEqual({
      kind: "mqtt",
      url: "wss://broker.example:8084/mqtt",
      isStream: false,
    });
    expect(parseRelayUrl("mqtts://u:p@broker.example")).toMatchObject({ kind: "mqtt", isStream: true });
    for (const text of [
      "https://nos.lol",
      "nos.lol",
      "wss://",
      "ws://x:0",
      "wss://x/#y",
      `wss://x/${"y".repeat(300)}`,
    ]) {
      expect(parseRelayUrl(text)).toBeUndefined();
    }
    expect(parseRelayList(" wss://a.example ,mqtt://b.example,, wss://a.example/")).toEqual([
      "wss://a.example",
      "mqtt://b.example",
    ]);
    expect(() => parseRelayList("wss://a.example,https://b.example")).toThrow(/is no relay/);
    expect(() => checkRelays([])).toThrow(/at least one/);
  });

  test("of the package are relays, each once, over TLS", () => {
    expect(checkRelays(DEFAULT_RELAYS)).toEqual(DEFAULT_RELAYS);
    for (const relay of DEFAULT_RELAYS) expect(relay).toMatch(/^wss:/);
    checkServersOptions({ stun: DEFAULT_STUN_SERVERS });
  });

  test("are ranked alike by both sides, though one of them knows others", () => {
    const one = DEFAULT_RELAYS.slice(2);
    const other = [...DEFAULT_RELAYS.slice(0, -3), "wss://new.example", "mqtts://new.example"].toReversed();
    let met = 0;
    for (let rank = 0; rank < 200; rank++) {
      const mine = rankRelays(rank, one, true).slice(0, 5);
      const theirs = rankRelays(rank, other, false).slice(0, 5);
      // One broker among five.
      expect(mine.filter((url) => url.endsWith("/mqtt"))).toHaveLength(1);
      expect(theirs).not.toContain("mqtts://new.example");
      if (mine.filter((url) => theirs.includes(url)).length >= 2) met++;
    }
    expect(met).toBeGreaterThanOrEqual(198);
  });

  test("are used by all games alike", () => {
    const uses = new Map<string, number>();
    for (let rank = 0; rank < 2000; rank++) {
      for (const url of rankRelays(rank, DEFAULT_RELAYS, true).slice(0, 5)) uses.set(url, (uses.get(url) ?? 0) + 1);
    }
    const nostr = [...uses].filter(([url]) => !url.endsWith("/mqtt")).map(([, n]) => n);
    expect(Math.max(...nostr) / Math.min(...nostr)).toBeLessThan(1.5);
  });
});

test("topics differ by game, relay, epoch, and by what a guest has", () => {
  const topics = [
    keysOfCode(new Uint8Array(64).fill(1)),
    keysOfCode(new Uint8Array(64).fill(2)),
    keysOfPass(new Uint8Array(16).fill(1)),
  ].flatMap((keys) =>
    ["wss://a.example", "wss://b.example"].flatMap((relay) => [1, 2, 3].map((epoch) => hostTopic(keys, relay, epoch))),
  );
  expect(new Set(topics).size).toBe(18);
  for (const topic of topics) expect(topic).toMatch(/^[0-9a-f]{64}$/);
});
