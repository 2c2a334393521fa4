import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noiseReady } from "../../../../sdk/src/rendezvous/sealed/noise.ts";
import { hasFingerprint, sealText } from "../../../../sdk/src/rendezvous/sealed/seal.ts";
import {
  createHostSecret,
  hostIdentityOf,
  isHostSecret,
  ownsInvite,
  proofMatches,
  verifierOf,
} from "../../../../sdk/src/rendezvous/sealed/secret.ts";
import { parsePublicKey, toBase64Url } from "../../../../sdk/src/rendezvous/wire/base64url.ts";
import {
  INVITE_ALPHABET,
  inviteUrl,
  parseInvite,
  parseInviteCode,
} from "../../../../sdk/src/rendezvous/wire/invite.ts";
import { parseSeal } from "../../../../sdk/src/rendezvous/wire/seal-text.ts";

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

describe("seal", () => {
  const publicKey = new Uint8Array(32).fill(1);
  const pass = new Uint8Array(16).fill(2);

  test("makes a link whole, and is found again in it", async () => {
    await noiseReady;
    const seal = sealText(publicKey, pass);
    const url = inviteUrl("https://lobby.example/", "K7Q2-9FXM", seal);
    expect(url).toMatch(/^https:\/\/lobby\.example\/#K7Q2-9FXM\.[\w-]{43}$/);
    expect(parseInvite(url)).toEqual({ code: "K7Q2-9FXM", seal, lobby: "https://lobby.example/" });
    expect(parseInvite(`k7q29fxm.${seal} `)).toEqual({ code: "K7Q2-9FXM", seal });
    const parsed = parseSeal(seal);
    expect(parsed?.pass).toEqual(pass);
    expect(parsed !== undefined && hasFingerprint(publicKey, parsed)).toBe(true);
    expect(
      parsed !== undefined &&
        hasFingerprint(
          publicKey.map((byte) => byte ^ 1),
          parsed,
        ),
    ).toBe(false);
  });

  test("that is damaged is no seal, and its link is not taken for one without", async () => {
    await noiseReady;
    const seal = sealText(publicKey, pass);
    for (const damaged of ["", seal.slice(1), seal.slice(0, -1), `${seal}A`, `${seal.slice(0, -1)}!`]) {
      expect(parseSeal(damaged)).toBeUndefined();
      expect(parseInvite(inviteUrl("https://lobby.example/", "K7Q2-9FXM", damaged))).toBeUndefined();
    }
    // Of the last character's six bits only four belong to the seal.
    const twin =
      seal.slice(0, -1) + "ABCDEFGHIJKLMNOPQRSTUVWXYZ".charAt("ABCDEFGHIJKLMNOPQRSTUVWXYZ".indexOf(seal.slice(-1)) + 1);
    expect(parseSeal(twin)).toBeUndefined();
  });

  test("whatever comes, nothing throws", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 40, maxLength: 46 }), fc.anything(), (text, value) => {
        parseSeal(text);
        parsePublicKey(value);
        expect(parsePublicKey(text)?.length ?? 32).toBe(32);
      }),
      { numRuns: runs },
    );
  });
});

describe("secret", () => {
  test("has all that a host is follow from it alone", async () => {
    const secret = createHostSecret();
    const identity = await hostIdentityOf(secret);
    expect(parseInviteCode(identity.code)).toBe(identity.code);
    expect(await hostIdentityOf(secret)).toEqual(identity);
    expect((await hostIdentityOf(createHostSecret())).code).not.toBe(identity.code);
    expect(parsePublicKey(toBase64Url(identity.key.publicKey))).toEqual(identity.key.publicKey);
    const seal = parseSeal(identity.seal);
    expect(seal !== undefined && hasFingerprint(identity.key.publicKey, seal)).toBe(true);
    // Neither the secret nor the key can be had from what the lobby gets.
    expect(identity.proof).not.toBe(secret);
    // What follows from a secret must be the same for every version of host and lobby.
    const { code, proof, seal: link } = await hostIdentityOf("A".repeat(43));
    expect({ code, proof, link }).toMatchInlineSnapshot(`
      {
        "code": "Y2YY-GM6W",
        "link": "flxiqchZ86AB43k7EiUfoe91060MQtQ26buHAoUF8hY",
        "proof": "7Xmm1eAHapp_9xJVDdRtmCwM1Dn91ptNsZ65O0xjPx8",
      }
    `);
  });

  test("owns its invite together with its key, and no other", async () => {
    const { code, proof, key } = await hostIdentityOf(createHostSecret());
    const other = await hostIdentityOf(createHostSecret());
    const written = toBase64Url(key.publicKey);
    expect(await ownsInvite(code, proof, written)).toBe(true);
    expect(await ownsInvite(code, proof, toBase64Url(other.key.publicKey))).toBe(false);
    expect(await ownsInvite(code, other.proof, written)).toBe(false);
    expect(await ownsInvite(other.code, proof, written)).toBe(false);
    for (const nonsense of ["", undefined, null, 7, {}, [proof]]) {
      expect(await ownsInvite(code, nonsense, written)).toBe(false);
      expect(await ownsInvite(code, proof, nonsense)).toBe(false);
      expect(await ownsInvite(nonsense, proof, written)).toBe(false);
    }
  });

  test("proves itself to its own verifier only, and only if it is one", async () => {
    const proof = createHostSecret();
    expect(isHostSecret(proof)).toBe(true);
    expect(proofMatches(proof, verifierOf(proof))).toBe(true);
    for (const other of [createHostSecret(), proof.slice(1), `${proof}A`, undefined, null, 7, {}, [proof]]) {
      expect(proofMatches(other, verifierOf(proof))).toBe(false);
    }
  });
});
