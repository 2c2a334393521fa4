/** A host at its relays, an hour of it, by a clock of the test's own. */
import { expect, test } from "vitest";
import { openRelayEnd } from "../../../../sdk/src/rendezvous/host/relay-end.ts";
import { EPOCH_MS } from "../../../../sdk/src/rendezvous/mailbox/topics.ts";
import { publicIdentityOf } from "../../../../sdk/src/rendezvous/sealed/public-identity.ts";
import { FakeClock } from "../../gateway/fake.ts";

test("publishes nothing in an hour of waiting, keeps its connections, and listens to the next epoch when that begins", async () => {
  const clock = new FakeClock();
  // Half an hour before the next epoch.
  clock.skew = 70_000 * EPOCH_MS - 1_800_000;
  const said: [relay: string, verb: string, id: string, filter: Record<string, unknown>][] = [];
  let connections = 0;
  const end = await openRelayEnd({
    identity: await publicIdentityOf("a secret of the test's"),
    relays: Array.from({ length: 8 }, (_, i) => `wss://relay-${i}.example`),
    stunServers: [],
    linkOnly: false,
    page: () => undefined,
    openSocket: (url, { onOpen, onData }) => {
      connections++;
      setImmediate(onOpen);
      return {
        send: (text) => {
          const [verb, id, filter] = JSON.parse(String(text)) as [string, string, Record<string, unknown>];
          said.push([url, verb, id, filter]);
          if (verb === "REQ") setImmediate(() => onData(JSON.stringify(["EOSE", id])));
        },
        close: () => undefined,
      };
    },
    timeoutMs: 5000,
    signal: new AbortController().signal,
    clock,
  });
  await clock.advance(3_600_000);
  expect(end.isOpen).toBe(true);
  // The first five, and no connection was made again.
  expect(connections).toBe(5);
  expect([...new Set(said.map(([, verb]) => verb))].toSorted()).toEqual(["CLOSE", "REQ"]);
  const listens = said.filter(([, verb, id]) => verb === "REQ" && id === "t");
  // Once at first and once when the epoch changed, at each.
  expect(listens).toHaveLength(2 * 5);
  const topicsOf = (relay: string): string[][] =>
    listens.filter(([of]) => of === relay).map(([, , , filter]) => filter["#x"] as string[]);
  for (const relay of new Set(listens.map(([of]) => of))) {
    const [before = [], after = []] = topicsOf(relay);
    // Code and link, three epochs, of which two are in both.
    expect([before.length, after.length]).toEqual([6, 6]);
    expect(after.filter((topic) => before.includes(topic))).toHaveLength(4);
  }
  await end.leave();
});
