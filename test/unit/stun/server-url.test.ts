import { expect, test } from "vitest";

import { parseStunServer } from "../../../sdk/src/stun/server-url.ts";

test.each([
  ["stun:example.org", "example.org", 3478],
  ["stun:example.org:19302", "example.org", 19302],
  ["STUN://example.org:1", "example.org", 1],
  ["stun:example.org:3478?transport=udp", "example.org", 3478],
  [" 192.0.2.1:3479 ", "192.0.2.1", 3479],
  ["[2001:db8::1]:3479", "2001:db8::1", 3479],
  ["stun:[2001:db8::1]", "2001:db8::1", 3478],
  ["2001:db8::1", "2001:db8::1", 3478],
  ["localhost", "localhost", 3478],
])("%s", (text, host, port) => {
  expect(parseStunServer(text)).toEqual({ host, port });
});

test.each([
  "",
  "stun:",
  "stuns:example.org",
  "turn:example.org",
  "http://example.org",
  "a b",
  "x:0",
  "x:65536",
  "x:",
  "[::1",
  "[zz]:1",
  "x:1?transport=tcp",
  // RFC 6943 section 3.1.1: resolvers read these as other addresses than people do.
  "010.0.0.1",
  "stun:0x7f.0.0.1:3478",
  "127.1",
  "1.2.3.4.",
  "2001:db8::1::",
])("%j is none", (text) => {
  expect(parseStunServer(text)).toBeNull();
});
