import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseGuestMail, parseHostMail } from "../../../../sdk/src/rendezvous/mailbox/lobby-mail.ts";
import { MAX_RECORD_BYTES } from "../../../../sdk/src/rendezvous/sealed/records.ts";
import { RendezvousError } from "../../../../sdk/src/rendezvous/wire/errors.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 500);
const CODE = "K7Q2-9FXM";
const anyType = fc.oneof(
  fc.constantFrom("registered", "servers", "introduction", "relay", "end", "host"),
  fc.string(),
  fc.anything(),
);
const anyMessage = fc.oneof(
  fc.anything(),
  fc.record({ id: fc.anything(), hello: fc.anything(), data: fc.anything(), reason: fc.anything() }),
);

describe("what a lobby says to a host", () => {
  test("is read as it was meant", () => {
    const hello = Uint8Array.of(1, 2);
    expect(parseHostMail("registered", { code: CODE, url: "https://lobby.example/" }, CODE)).toEqual({
      type: "registered",
      url: "https://lobby.example/",
    });
    expect(parseHostMail("introduction", { id: 3, hello, attested: true }, CODE)).toEqual({
      type: "introduction",
      id: 3,
      hello,
      attested: true,
    });
    expect(parseHostMail("introduction", { id: 3, hello, attested: 1 }, CODE)).not.toHaveProperty("attested");
    expect(parseHostMail("introduction", { id: 3, hello }, CODE)).toEqual({ type: "introduction", id: 3, hello });
    expect(parseHostMail("relay", { id: 3, data: hello }, CODE)).toEqual({ type: "relay", id: 3, data: hello });
    expect(parseHostMail("end", { id: 3, reason: "left" }, CODE)).toEqual({ type: "end", id: 3 });
  });

  test("of another invite is none of its own", () => {
    expect(parseHostMail("registered", { code: "2222-2222" }, CODE)).toBeUndefined();
  });

  test("without a number, or as servers that are none, is left out", () => {
    expect(parseHostMail("relay", { data: Uint8Array.of(1) }, CODE)).toBeUndefined();
    expect(parseHostMail("servers", { stun: ["http://x"], turn: [] }, CODE)).toBeUndefined();
  });

  test("is never more than a record long", () => {
    const data = new Uint8Array(MAX_RECORD_BYTES + 1);
    expect(parseHostMail("relay", { id: 1, data }, CODE)).toEqual({ type: "relay", id: 1, data: new Uint8Array(0) });
  });

  test("may be anything", () => {
    fc.assert(
      fc.property(anyType, anyMessage, (type, message) => {
        parseHostMail(type, message, CODE);
      }),
      { numRuns: runs },
    );
  });
});

test("what a lobby says to a guest is read, left out, or refused by our own error", () => {
  expect(parseGuestMail("end", { reason: "away" })).toEqual({ type: "end", reason: "away" });
  expect(parseGuestMail("motd", {})).toBeUndefined();
  expect(() => parseGuestMail("host", { name: "" })).toThrow(RendezvousError);
  fc.assert(
    fc.property(anyType, anyMessage, (type, message) => {
      try {
        parseGuestMail(type, message);
      } catch (error) {
        expect(error).toBeInstanceOf(RendezvousError);
      }
    }),
    { numRuns: runs },
  );
});
