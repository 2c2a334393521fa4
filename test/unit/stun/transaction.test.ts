import { describe, expect, test } from "vitest";

import { StunBindings } from "../../../sdk/src/stun/binding.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { respondToStun } from "../../../sdk/src/stun/responder.ts";
import { StunTransactions } from "../../../sdk/src/stun/transaction.ts";

const server = { address: "192.0.2.1", port: 3478 };
const mapped = { address: "203.0.113.9", port: 40_000 };

function sent(transactions: { pollTransmit(): { data: Buffer } | null }): Buffer[] {
  const all: Buffer[] = [];
  for (let out = transactions.pollTransmit(); out !== null; out = transactions.pollTransmit()) all.push(out.data);
  return all;
}

function response(request: Uint8Array): Buffer {
  const reply = respondToStun(request, mapped);
  if (reply === null) throw new Error("no answer");
  return reply.data;
}

function binding(): Buffer {
  return new StunBuilder(StunMethod.BINDING, "request").build();
}

describe("StunTransactions", () => {
  test("is sent at 0, 0.4, 1.0, 1.9 seconds and given up at 3", () => {
    const transactions = new StunTransactions<string>();
    transactions.start("a", binding(), server, 1000);
    const times: number[] = [];
    if (sent(transactions).length === 1) times.push(1000);
    for (let now = transactions.nextTimeout(); now !== null; now = transactions.nextTimeout()) {
      transactions.handleTimeout(now);
      times.push(...sent(transactions).map(() => now ?? 0));
      if (transactions.size === 0) times.push(-now);
    }
    expect(times).toEqual([1000, 1400, 2000, 2900, -4000]);
    expect([transactions.pollOutcome(), transactions.pollOutcome()]).toEqual([{ type: "timeout", context: "a" }, null]);
  });

  test("a clock that jumps causes no burst", () => {
    const transactions = new StunTransactions<string>();
    transactions.start("a", binding(), server, 0, { timeoutMs: 10_000 });
    sent(transactions);
    transactions.handleTimeout(3000);
    expect([sent(transactions).length, transactions.nextTimeout()]).toEqual([1, 3250]);
    transactions.handleTimeout(1e9);
    expect([sent(transactions).length, transactions.pollOutcome()?.type]).toEqual([0, "timeout"]);
  });

  test("each time that it names has something to do, whatever the clock's fractions", () => {
    for (let i = 0; i < 1000; i++) {
      const transactions = new StunTransactions<string>();
      transactions.start("a", binding(), server, 1000 + i * 1.1234567);
      for (let turns = 0; transactions.size > 0; turns++) {
        expect(turns).toBeLessThan(10);
        transactions.handleTimeout(transactions.nextTimeout() ?? 0);
      }
    }
  });

  test("takes the answer to its own request from the server that was asked, once", () => {
    const transactions = new StunTransactions<string>();
    const request = binding();
    transactions.start("a", request, server, 0);
    const answer = response(request);
    const refused: [Buffer, string, number][] = [
      [answer, "192.0.2.66", 3478],
      [answer, server.address, 3479],
      [response(binding()), server.address, server.port],
      [request, server.address, server.port],
      [new StunBuilder(StunMethod.ALLOCATE, "success", request.subarray(8, 20)).build(), server.address, server.port],
      [new StunBuilder(StunMethod.BINDING, "indication", request.subarray(8, 20)).build(), server.address, server.port],
      [Buffer.from("game"), server.address, server.port],
    ];
    for (const [data, address, port] of refused) expect(transactions.receive(data, address, port, 1)).toBe(false);
    expect(transactions.receive(answer, server.address, server.port, 25)).toBe(true);
    expect(transactions.pollOutcome()).toMatchObject({ type: "response", context: "a", rttMs: 25, attempts: 1 });
    expect(transactions.receive(answer, server.address, server.port, 26)).toBe(false);
    expect([transactions.size, transactions.nextTimeout()]).toEqual([0, null]);
  });

  test("a broken fingerprint or a refused integrity is ignored and the answer still awaited", () => {
    const transactions = new StunTransactions<string>();
    const key = Buffer.from("key");
    const request = binding();
    const id = request.subarray(8, 20);
    transactions.start("a", request, server, 0, { accepts: (message) => message.integrityMatches(key) === true });
    const broken = new StunBuilder(StunMethod.BINDING, "success", id).integrity(key).fingerprint().build();
    broken[broken.length - 1] = (broken[broken.length - 1] ?? 0) ^ 1;
    const forged = new StunBuilder(StunMethod.BINDING, "success", id).integrity(Buffer.from("x")).build();
    for (const data of [broken, forged]) expect(transactions.receive(data, server.address, server.port, 1)).toBe(false);
    const genuine = new StunBuilder(StunMethod.BINDING, "success", id).integrity(key).fingerprint().build();
    expect(transactions.receive(genuine, server.address, server.port, 1)).toBe(true);
  });

  test("cancelled transactions have no outcome", () => {
    const transactions = new StunTransactions<string>();
    transactions.start("a", binding(), server, 0);
    transactions.start("b", binding(), server, 0);
    transactions.cancel((context) => context === "a");
    transactions.handleTimeout(5000);
    expect([transactions.pollOutcome()?.context, transactions.pollOutcome()]).toEqual(["b", null]);
  });
});

describe("StunBindings", () => {
  const alternate = { address: "192.0.2.2", port: 3480 };
  const redirect = (request: Buffer, to = alternate): Buffer =>
    new StunBuilder(StunMethod.BINDING, "error", request.subarray(8, 20))
      .errorCode(300, "Try Alternate")
      .address(A.ALTERNATE_SERVER, to)
      .build();

  test("an alternate server is asked once, within the same time", () => {
    const bindings = new StunBindings<string>();
    bindings.ask("a", server, 0, { timeoutMs: 1000 });
    const [first = Buffer.alloc(20)] = sent(bindings);
    expect(bindings.receive(redirect(first), server.address, server.port, 600)).toBe(true);
    expect(bindings.pollResult(600)).toBeNull();
    const second = bindings.pollTransmit();
    expect(second?.destination).toEqual(alternate);
    const again = redirect(second?.data ?? first, server);
    expect(bindings.receive(again, alternate.address, alternate.port, 700)).toBe(true);
    expect(bindings.pollResult(700)).toMatchObject({ context: "a", error: { failure: "refused", stunCode: 300 } });
    expect(bindings.pollTransmit()).toBeNull();
  });

  test("an alternate of the other family or without a port is not followed", () => {
    for (const to of [
      { address: "2001:db8::1", port: 1 },
      { address: "192.0.2.2", port: 0 },
    ]) {
      const bindings = new StunBindings<string>();
      bindings.ask("a", server, 0);
      const [request = Buffer.alloc(20)] = sent(bindings);
      bindings.receive(redirect(request, to), server.address, server.port, 1);
      expect(bindings.pollResult(1)?.error?.failure).toBe("refused");
    }
  });

  test("an answer without an address is malformed", () => {
    const bindings = new StunBindings<string>();
    bindings.ask("a", server, 0);
    const [request = Buffer.alloc(20)] = sent(bindings);
    const empty = new StunBuilder(StunMethod.BINDING, "success", request.subarray(8, 20)).build();
    bindings.receive(empty, server.address, server.port, 1);
    expect(bindings.pollResult(1)?.error?.failure).toBe("malformed");
  });

  test("any network: each server ends exactly once, right or timed out, over 300 seeds", () => {
    for (let seed = 1; seed <= 300; seed++) {
      let state = seed;
      const random = (): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
      const loss = random();
      const bindings = new StunBindings<number>();
      const inFlight: { at: number; data: Buffer; from: { address: string; port: number } }[] = [];
      const results = new Map<number, "mapped" | "timeout">();
      let answered = 0;
      const servers = Array.from({ length: 5 }, (_, i) => ({ address: `192.0.2.${i + 1}`, port: 3478 }));
      servers.forEach((each, i) => {
        bindings.ask(i, each, 0);
      });
      for (let now = 0; bindings.size > 0; now += 10) {
        for (const packet of inFlight.filter(({ at }) => at <= now)) {
          inFlight.splice(inFlight.indexOf(packet), 1);
          if (bindings.receive(packet.data, packet.from.address, packet.from.port, now)) answered++;
        }
        bindings.handleTimeout(now);
        for (let result = bindings.pollResult(now); result !== null; result = bindings.pollResult(now)) {
          expect(results.has(result.context)).toBe(false);
          if (result.mapped === undefined) expect(result.error?.failure).toBe("timeout");
          else expect(result.mapped).toEqual(mapped);
          results.set(result.context, result.mapped === undefined ? "timeout" : "mapped");
        }
        for (let out = bindings.pollTransmit(); out !== null; out = bindings.pollTransmit()) {
          const copies = random() < 0.2 ? 2 : 1;
          for (let copy = 0; copy < copies; copy++) {
            if (random() < loss) continue;
            const from = random() < 0.1 ? { address: "198.51.100.1", port: 1 } : out.destination;
            inFlight.push({ at: now + random() * 1500, data: response(out.data), from });
          }
        }
      }
      expect(results.size).toBe(5);
      expect([...results.values()].filter((result) => result === "mapped").length).toBe(answered);
    }
  });
});
