import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseInviteTunnelMessage } from "../../../../sdk/src/rendezvous/wire/invite-tunnel.ts";
import { anyPath } from "../../../hostile-paths.ts";

const runs = Number(process.env.SALLYPORT_FUZZ_RUNS ?? 500);
const read = (message: unknown) => parseInviteTunnelMessage(Buffer.from(JSON.stringify(message)));
const request = {
  type: "request",
  id: 1,
  method: "POST",
  path: "/matchmake/joinOrCreate/arena?x=1",
  headers: { "content-type": "application/json", accept: "*/*" },
  body: "{}",
};

describe("a player's request", () => {
  test("is read as it was written", () => {
    expect(read(request)).toEqual(request);
    expect(read({ ...request, method: "GET", body: "", headers: {} })).toMatchObject({ method: "GET" });
  });

  test.each([
    "PUT",
    "DELETE",
    "PATCH",
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PRI",
    "get",
    "POST ",
    "GET / HTTP/1.1\r\n",
    "",
    1,
    null,
    ["GET"],
    undefined,
  ])("of no other method is one: %j", (method) => {
    expect(read({ ...request, method })).toBeNull();
  });

  test.each([
    ["an absolute URL", "http://127.0.0.1/matchmake/"],
    ["no slash", "matchmake/"],
    ["nothing", ""],
    ["a line's end", "/matchmake/\r\nX: y"],
    ["a line feed", "/matchmake/\n"],
    ["a tab", "/matchmake/\t"],
    ["a blank", "/matchmake/ HTTP/1.1"],
    ["a zero", "/matchmake/\0"],
    ["other than ASCII", "/matchmake/\u{ff0e}\u{ff0e}/"],
    ["too much", `/matchmake/${"x".repeat(1024)}`],
    ["a number", 7],
    ["a list", ["/matchmake/"]],
  ])("whose path is %s is none", (_what, path) => {
    expect(read({ ...request, path })).toBeNull();
  });

  test.each([
    ["a line's end in a value", { accept: "a\r\nHost: evil" }],
    ["a line feed in a value", { accept: "a\nb" }],
    ["a zero in a value", { accept: "\0" }],
    ["other than ASCII", { accept: "\u{100}" }],
    ["a line's end in a name", { "accept\r\nhost": "evil" }],
    ["a colon in a name", { "accept:": "x" }],
    ["a blank in a name", { "transfer-encoding ": "chunked" }],
    ["a capital", { Accept: "x" }],
    ["an empty name", { "": "x" }],
    ["a long name", { ["x".repeat(65)]: "x" }],
    ["a long value", { accept: "x".repeat(4097) }],
    ["many", Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`x-${i}`, ""]))],
    ["a list for a value", { accept: ["a", "b"] }],
    ["none", null],
  ])("with headers that have %s is none", (_what, headers) => {
    expect(read({ ...request, headers })).toBeNull();
  });

  test.each([null, 7, {}, undefined])("whose body is no text is none: %j", (body) => {
    expect(read({ ...request, body })).toBeNull();
  });

  test("that is read has a path and headers of one line, whatever was sent", () => {
    let passed = 0;
    const header = fc.oneof(fc.string({ maxLength: 8 }), fc.constantFrom("host", "a\r\nb", "accept", "x: y"));
    const headers = fc.dictionary(header, header, { maxKeys: 3 });
    fc.assert(
      fc.property(anyPath("127.0.0.1:9"), headers, (path, sent) => {
        const message = read({ ...request, path, headers: sent });
        if (message?.type !== "request") return;
        passed++;
        expect(message.path).toMatch(/^\/[!-~]{0,1023}$/);
        for (const [name, value] of Object.entries(message.headers)) {
          expect(name).toMatch(/^[a-z0-9-]{1,64}$/);
          expect(value).toMatch(/^[\t -~]{0,4096}$/);
        }
      }),
      { numRuns: runs },
    );
    expect(passed).toBeGreaterThan(runs / 50);
  });
});

test("any bytes do no harm", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.json().map((text) => Buffer.from(text)),
  );
  fc.assert(
    fc.property(bytes, (data) => {
      expect(parseInviteTunnelMessage(data)).toBeNull();
    }),
  );
});
