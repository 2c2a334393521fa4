import * as fc from "fast-check";
import { expect, test } from "vitest";
import { mintServers, renewServersAfter } from "../../../../sdk/src/colyseus/lobby/mint-servers.ts";
import { defineRendezvous } from "../../../../sdk/src/colyseus/lobby/room.ts";
import { RendezvousError } from "../../../../sdk/src/rendezvous/wire/errors.ts";
import { parseServers } from "../../../../sdk/src/rendezvous/wire/servers.ts";
import { checkTurnCredentials } from "../../../../sdk/src/turn/credentials.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 500);
const urls = ["turn:turn.example:3478", "turns:turn.example:5349?transport=tcp"];

test("credentials are minted for each who asks, and coturn would take them until five minutes after they say", () => {
  const options = { stun: ["stun:stun.example"], turn: { urls, secret: "north", ttlSeconds: 600 } };
  const servers = mintServers(options, "room", 1_700_000_000);
  expect(servers.stun).toEqual(["stun:stun.example"]);
  expect(servers.turn).toMatchObject([{ urls, username: "1700000900:room", expiresAt: 1_700_000_600_000 }]);
  const [access] = servers.turn;
  if (access === undefined) throw new Error("none");
  // A TURN server's clock may be ahead of the lobby's by as much.
  expect(checkTurnCredentials("north", access, 1_700_000_899)).toBe("valid");
  expect(checkTurnCredentials("north", access, 1_700_000_901)).toBe("expired");
  expect(checkTurnCredentials("south", access, 1_700_000_599)).toBe("wrong");
  expect(renewServersAfter(options)).toBe(300_000);
  expect(parseServers(servers)).toEqual(servers);
});

test("credentials that never change are handed on, and nothing is renewed", () => {
  const options = { turn: { urls, username: "u", credential: "c" } };
  expect(mintServers(options, "room", 0)).toEqual({ stun: [], turn: [{ ...options.turn, expiresAt: 0 }] });
  expect(renewServersAfter(options)).toBeUndefined();
  expect(mintServers({}, "room", 0)).toEqual({ stun: [], turn: [] });
});

test.each([
  { stun: ["stun.example:3478"] },
  { stun: ["turn:turn.example"] },
  { stun: ["stun:a b"] },
  { stun: Array.from({ length: 9 }, () => "stun:a") },
  { turn: { urls: [], secret: "x" } },
  { turn: { urls: ["stun:a"], secret: "x" } },
  { turn: { urls, secret: "" } },
  { turn: { urls, secret: "x", ttlSeconds: 0 } },
  { turn: { urls, secret: "x", ttlSeconds: Number.NaN } },
])("a lobby is told at once that its options are wrong: %j", (options) => {
  expect(() => defineRendezvous(options)).toThrow(RendezvousError);
});

test("whatever a lobby says, only our own error is thrown, and what passes is within its limits", () => {
  const field = fc.oneof(
    fc.anything(),
    fc.constantFrom("turn:a", "stun:a"),
    fc.array(fc.constantFrom("turn:a", "stun:a", "x")),
  );
  const turn = fc.array(
    fc.record({ urls: field, username: fc.string(), credential: fc.string(), expiresAt: fc.nat() }),
  );
  const said = fc.oneof(fc.anything(), fc.record({ stun: field, turn: fc.oneof(field, turn) }));
  fc.assert(
    fc.property(said, (value) => {
      try {
        const servers = parseServers(value);
        expect(parseServers(servers)).toEqual(servers);
        expect(servers.turn.length).toBeLessThanOrEqual(4);
      } catch (error) {
        if (!(error instanceof RendezvousError)) throw error;
      }
    }),
    { numRuns: runs },
  );
});
