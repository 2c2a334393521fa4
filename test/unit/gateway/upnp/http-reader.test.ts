import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UpnpError } from "../../../../sdk/src/gateway/upnp/service/errors.ts";
import { HttpReader, type ReadState } from "../../../../sdk/src/gateway/upnp/service/http-reader.ts";
import { MAX_DOCUMENT } from "../../../../sdk/src/gateway/upnp/service/xml.ts";
import { mutated, RUNS } from "../fuzz.ts";

const ENVELOPE = "<SOAP-ENV:Envelope><x/></SOAP-ENV:Envelope >";
const DOCUMENT = "<?xml version='1.0'?><root><device/></root>";

/** Reads a response in pieces of `step` bytes. */
function read(text: string | Buffer, step = Number.POSITIVE_INFINITY): { reader: HttpReader; state: ReadState } {
  const bytes = Buffer.from(text);
  const reader = new HttpReader();
  let state: ReadState = "more";
  for (let at = 0; at < bytes.length; at += step) {
    state = reader.push(bytes.subarray(at, Math.min(bytes.length, at + step)));
    if (state === "whole") break;
  }
  return { reader, state };
}

const bodyOf = ({ reader }: { reader: HttpReader }): string => Buffer.from(reader.response?.body ?? []).toString();

const WHOLE: [string, string][] = [
  ["a length", `HTTP/1.1 200 OK\r\nContent-Length: ${DOCUMENT.length}\r\n\r\n${DOCUMENT}`],
  ["a length that is too long", `HTTP/1.1 200 OK\r\nContent-Length: ${DOCUMENT.length + 100}\r\n\r\n${DOCUMENT}`],
  ["no length, and no end of the connection", `HTTP/1.1 200 OK\r\n\r\n${DOCUMENT}\n`],
  ["HTTP/1.0", `HTTP/1.0 200 OK\r\n\r\n${DOCUMENT}`],
  ["lines that end in LF", `HTTP/1.1 200 OK\nContent-Length: ${DOCUMENT.length}\n\n${DOCUMENT}`],
  ["a blank before the colon", `HTTP/1.1 200 OK\r\nContent-Length : ${DOCUMENT.length}\r\n\r\n${DOCUMENT}`],
  ["a line without a colon", `HTTP/1.1 200 OK\r\nwhatever\r\nContent-Length: ${DOCUMENT.length}\r\n\r\n${DOCUMENT}`],
  ["the length twice", `HTTP/1.1 200 OK\r\nContent-Length: ${DOCUMENT.length}\r\nContent-Length: 5\r\n\r\n${DOCUMENT}`],
  ["a length of 0 with a body", `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n${DOCUMENT}`],
  ["a length that is too short", `HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n${DOCUMENT}`],
  ["empty lines before", `\r\n\r\nHTTP/1.1 200 OK\r\n\r\n${DOCUMENT}`],
  ["no reason", `HTTP/1.1 200\r\n\r\n${DOCUMENT}`],
  ["an interim response before", `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n${DOCUMENT}`],
  [
    "chunks",
    `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\n${DOCUMENT.slice(0, 5)}\r\n${(DOCUMENT.length - 5).toString(16)}\r\n${DOCUMENT.slice(5)}\r\n0\r\n\r\n`,
  ],
  ["chunks that are none", `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${DOCUMENT}`],
  ["an envelope under a prefix", `HTTP/1.1 500 Internal Server Error\r\n\r\n${ENVELOPE}\r\n\0`],
];

describe.each(WHOLE)("a response with %s", (_name, text) => {
  test.each([1, 7, Number.POSITIVE_INFINITY])("in pieces of %d bytes", (step) => {
    const found = read(text, step);
    expect(found.state).toBe("whole");
    expect(bodyOf(found).replace(/\0/g, "").trim()).toBe(text.includes(ENVELOPE) ? ENVELOPE : DOCUMENT);
  });
});

test("a length that is reached before the document ends may be too short: a little more is waited for", () => {
  expect(read("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<root>").state).toBe("perhaps");
  expect(read("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n").state).toBe("perhaps");
  expect(read("HTTP/1.1 500 X\r\nContent-Length: 9\r\n\r\n<root>").state).toBe("more");
});

test("status and fields, whatever their case", () => {
  const { reader } = read("HTTP/1.1 412 Precondition Failed\r\nSiD: uuid:1\r\ntimeout:Second-5\r\n\r\n");
  expect(reader.response).toMatchObject({ status: 412, headers: { sid: "uuid:1", timeout: "Second-5" } });
});

test("no body follows 204", () => {
  expect(read("HTTP/1.1 204 No Content\r\n\r\n").state).toBe("whole");
});

test.each([
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n"],
  ["a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"],
  ["no status", "HTTP/1.1 OK\r\n\r\n"],
  ["a bare document", DOCUMENT],
])("%s is no HTTP", (_name, text) => {
  expect(() => read(text)).toThrow(
    expect.objectContaining({ kind: "http", message: "the router's answer is no HTTP" }),
  );
});

test("headers without end, and bodies without end", () => {
  expect(() => read(`HTTP/1.1 200 OK\r\n${"X-A: b\r\n".repeat(4000)}`)).toThrow(/too long/);
  expect(() => read(`HTTP/1.1 200 OK\r\n\r\n${"<a/>".repeat(MAX_DOCUMENT / 4 + 1)}`)).toThrow(/too long/);
  const chunk = "10000\r\n".concat("x".repeat(0x10000), "\r\n");
  expect(() => read(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}`)).toThrow(/too long/);
});

test("chunks that claim more than they bring cost nothing", () => {
  const { reader, state } = read("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\nabc");
  expect(state).toBe("more");
  expect(reader.size).toBe(3);
});

test("whatever is sent, in whatever pieces: a response, or a UpnpError", () => {
  fc.assert(
    fc.property(
      mutated(...WHOLE.map(([, text]) => Buffer.from(text))),
      fc.integer({ min: 1, max: 64 }),
      (bytes, step) => {
        try {
          read(Buffer.from(bytes), step);
        } catch (error) {
          expect(error).toBeInstanceOf(UpnpError);
        }
      },
    ),
    { numRuns: RUNS },
  );
});
