import { expect, test } from "vitest";
import { formatPort, MAX_PORTS, parsePorts } from "../../../../sdk/src/tunnel/wire/ports.ts";

test("a number alone is both protocols; a suffix is one; each is there once", () => {
  expect(parsePorts([7777, "7778/udp", "7778/udp", { port: 25565, protocol: "tcp" }]).map(formatPort)).toEqual([
    "7777/udp",
    "7777/tcp",
    "7778/udp",
    "25565/tcp",
  ]);
});

test.each(["0", "65536", "7777/sctp", "-1", "1e3", "", "77 77", "7777/udp/tcp", 7777.5, Number.NaN])(
  "%s is no port",
  (port) => {
    expect(() => parsePorts([port])).toThrow(RangeError);
  },
);

test("none, and too many, are refused", () => {
  expect(() => parsePorts([])).toThrow("No port");
  const many = Array.from({ length: MAX_PORTS + 1 }, (_, i) => `${i + 1}/udp`);
  expect(() => parsePorts(many)).toThrow(`${MAX_PORTS}`);
  expect(parsePorts(many.slice(1))).toHaveLength(MAX_PORTS);
});
