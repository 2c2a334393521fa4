import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INVITE_ALPHABET, inviteUrl, parseInvite, parseInviteCode } from "../../../sdk/src/rendezvous/invite.ts";
import {
  createHostSecret,
  digestOf,
  inviteCodeOf,
  isHostSecret,
  secretMatches,
} from "../../../sdk/src/rendezvous/secret.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 300);
const code = fc
  .array(fc.constantFrom(...INVITE_ALPHABET.split("")), { minLength: 8, maxLength: 8 })
  .map((letters) => `${letters.slice(0, 4).join("")}-${letters.slice(4).join("")}`);

describe("code", () => {
  test("the alphabet has 32 letters and none that can be mistaken for another", () => {
    expect(new Set(INVITE_ALPHABET).size).toBe(32);
    expect(INVITE_ALPHABET).not.toMatch(/[01OI]/);
  });

  test("is understood as people write it", () => {
    for (const text of ["K7Q2-9FXM", "k7q2-9fxm", "K7Q29FXM", " k7q2 9fxm ", "K7-Q2-9F-XM"]) {
      expect(parseInviteCode(text)).toBe("K7Q2-9FXM");
    }
  });

  test("is refused when it is none", () => {
    for (const text of ["", "K7Q2-9FX", "K7Q2-9FXMM", "K0Q2-9FXM", "KIQ2-9FXM", "K7Q2_9FXM", "K7Q2-9FXM\0"]) {
      expect(parseInviteCode(text)).toBeUndefined();
    }
  });
});

describe("link", () => {
  test("carries the code behind the fragment's sign and says which lobby to ask", () => {
    expect(inviteUrl("https://lobby.example:8443/games?x=1", "K7Q2-9FXM")).toBe(
      "https://lobby.example:8443/games#K7Q2-9FXM",
    );
    expect(parseInvite("http://lobby.example/#k7q29fxm")).toEqual({
      code: "K7Q2-9FXM",
      lobby: "http://lobby.example/",
    });
  });

  test("a host's address, or another scheme, is no invite", () => {
    for (const text of ["http://203.0.113.7:7777", "http://[", "javascript:1#K7Q2-9FXM", "http://l/#K7Q2", "x"]) {
      expect(parseInvite(text)).toBeUndefined();
    }
  });

  test("link and code lead to each other", () => {
    fc.assert(
      fc.property(code, fc.webUrl(), (written, lobby) => {
        expect(parseInvite(inviteUrl(lobby, written))?.code).toBe(written);
        expect(parseInvite(written)).toEqual({ code: written });
      }),
      { numRuns: runs },
    );
  });

  test("nothing throws", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 80 }), fc.webUrl({ withFragments: true })), (text) => {
        const invite = parseInvite(text);
        if (invite !== undefined) expect(parseInviteCode(invite.code)).toBe(invite.code);
      }),
      { numRuns: runs },
    );
  });
});

describe("secret", () => {
  test("has a code that follows from it alone", async () => {
    const secret = createHostSecret();
    const written = await inviteCodeOf(secret);
    expect(parseInviteCode(written)).toBe(written);
    expect(await inviteCodeOf(secret)).toBe(written);
    expect(await inviteCodeOf(createHostSecret())).not.toBe(written);
    // The code of a secret must be the same for every version of the lobby.
    expect(await inviteCodeOf("A".repeat(43))).toMatchInlineSnapshot(`"FCZW-H7MB"`);
  });

  test("matches its own digest only, and only if it is one", () => {
    const secret = createHostSecret();
    expect(isHostSecret(secret)).toBe(true);
    expect(secretMatches(secret, digestOf(secret))).toBe(true);
    for (const other of [createHostSecret(), secret.slice(1), `${secret}A`, undefined, null, 7, {}, [secret]]) {
      expect(secretMatches(other, digestOf(secret))).toBe(false);
    }
  });
});
