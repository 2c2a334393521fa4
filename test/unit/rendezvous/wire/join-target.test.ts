/** What people type to join, and what they are told where it leads nowhere. */
import { describe, expect, test } from "vitest";
import { inviteMistake, parseJoinTarget } from "../../../../sdk/src/rendezvous/wire/join-target.ts";

const SEAL = "C-Jzeo1TGP9PqBgC-Jzeo1TGP9PqBgC-Jzeo1TGP9Pq";
const target = (text: string) => parseJoinTarget(text, { port: 7777 });

describe("what is typed to join", () => {
  test.each(["K7Q2-9FXM", " k7q29fxm ", "K7Q2-9FXM-T3PD", "http://lobby.example/#K7Q2-9FXM"])(
    "%s is an invite",
    (text) => {
      expect(target(text)).toEqual({ kind: "invite", invite: text.trim() });
    },
  );

  test.each([
    ["localhost:7777", "http://localhost:7777"],
    ["localhost", "http://localhost:7777"],
    ["192.168.77.2", "http://192.168.77.2:7777"],
    ["192.168.77.2:2567/", "http://192.168.77.2:2567"],
    ["2001:db8::7", "http://[2001:db8::7]:7777"],
    ["[2001:db8::7]:9000", "http://[2001:db8::7]:9000"],
    ["game.example", "http://game.example:7777"],
    ["my-pc:7778", "http://my-pc:7778"],
    ["http://203.0.113.7:7777/", "http://203.0.113.7:7777"],
    ["HTTPS://game.example/arena/", "https://game.example/arena"],
    ["http://203.0.113.7:7777/#", "http://203.0.113.7:7777"],
  ])("%s is the host %s", (text, url) => {
    expect(target(text)).toEqual({ kind: "url", url });
  });

  test.each([
    ["", "empty"],
    ["http://localhost:2567/#JB8E-LWPP.C-Jzeo1TGP9PqBg", "truncated-link"],
    [`http://localhost:2567/#JB8E-LWPP.${SEAL.slice(0, -1)}`, "truncated-link"],
    ["sallyport:K7Q2-9FXM-T3PD.C-Jzeo", "truncated-link"],
    ["K7Q2-9FX0", "confused-characters"],
    ["I7Q2-9FXM-T3PO", "confused-characters"],
    ["K7Q2-9FX", "wrong-length"],
    ["K7Q2-9FXM-T3P", "wrong-length"],
    ["my game", "no-invite"],
    ["localhost:port", "no-invite"],
    ["localhost:777777", "no-invite"],
    ["ftp://203.0.113.7", "no-invite"],
  ])("%s is told apart as %s", (text, code) => {
    const said = target(text);
    expect(said.kind === "mistake" && said.mistake.code).toBe(code);
    expect(said.kind === "mistake" && said.mistake.message.length).toBeLessThan(220);
  });

  test("what is very long is neither read nor repeated", () => {
    const said = target("x".repeat(5000));
    expect(said.kind === "mistake" && said.mistake.message.length).toBeLessThan(220);
  });

  test("a broken link still gives its code, and a wrong character is named", () => {
    expect(inviteMistake("http://localhost:2567/#JB8E-LWPP.C-Jzeo").params).toEqual({ code: "JB8E-LWPP" });
    expect(inviteMistake("K7Q2-0FX1").message).toMatch(/this one has 0 and 1/);
  });
});
