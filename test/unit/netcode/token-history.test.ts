import * as fc from "fast-check";
import { expect, test } from "vitest";
import { TokenEntry, TokenHistory } from "../../../sdk/src/netcode/token-history.ts";

test("holds what has not expired, in whatever order tokens expire, and never more than it may", () => {
  const request = fc.record({ token: fc.nat(30), lifetime: fc.integer({ min: 1, max: 20 }), wait: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 200 }), (requests) => {
      const capacity = 8;
      const history = new TokenHistory(capacity);
      const model = new Map<string, number>();
      let now = 100;
      for (const { token, lifetime, wait } of requests) {
        now += wait;
        for (const [tag, expire] of model) if (expire <= now) model.delete(tag);
        // A token has one expire timestamp; a new life is a new token.
        const tag = [...model.keys()].find((known) => known.startsWith(`${token}/`)) ?? `${token}/${now}`;
        const expire = model.get(tag) ?? now + lifetime;
        const known = model.has(tag);
        const answer = history.admit(tag, "192.0.2.1", 1, expire, now);
        if (known || model.size < capacity) {
          expect(answer).toBeInstanceOf(TokenEntry);
          model.set(tag, expire);
        } else expect(answer).toBe("full");
        expect(history.size).toBeLessThanOrEqual(capacity);
      }
    }),
    { numRuns: Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 300) },
  );
});

test("a client that is named has one pending token, and what it used stays used", () => {
  const request = fc.record({ client: fc.bigInt(0n, 5n), use: fc.boolean(), wait: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(request, { maxLength: 200 }), (requests) => {
      const history = new TokenHistory(1000);
      const pending = new Map<bigint, { entry: TokenEntry; tag: string; expire: number }>();
      const used: { tag: string; expire: number; client: bigint }[] = [];
      let now = 100;
      for (const [index, { client, use, wait }] of requests.entries()) {
        now += wait;
        const tag = `${client}/${index}`;
        const expire = now + 1 + (index % 7);
        const entry = history.admit(tag, "192.0.2.1", 1, expire, now, client) as TokenEntry;
        expect(entry).toBeInstanceOf(TokenEntry);
        if (use) {
          entry.consumed = true;
          pending.delete(client);
          used.push({ tag, expire, client });
        } else pending.set(client, { entry, tag, expire });
        const alive = [...pending.values(), ...used].filter((each) => each.expire > now);
        expect(history.size).toBe(alive.length);
        for (const each of pending.values()) {
          if (each.expire <= now) continue;
          expect(history.admit(each.tag, "192.0.2.1", 1, each.expire, now)).toBe(each.entry);
          expect(history.admit(each.tag, "192.0.2.2", 1, each.expire, now)).toBe("used");
        }
        for (const each of used) {
          if (each.expire > now)
            expect(history.admit(each.tag, "192.0.2.1", 1, each.expire, now, each.client)).toBe("used");
        }
      }
    }),
    { numRuns: Number(process.env["SALLYPORT_FUZZ_RUNS"] ?? 300) },
  );
});
