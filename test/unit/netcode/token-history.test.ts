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
