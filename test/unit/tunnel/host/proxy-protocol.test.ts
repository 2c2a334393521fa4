import { expect, test } from "vitest";
import { proxyHeader } from "../../../../sdk/src/tunnel/host/proxy-protocol.ts";

const SIGNATURE = "0d0a0d0a000d0a515549540a";

test("IPv4, as HAProxy's text has it", () => {
  const header = proxyHeader({ address: "203.0.113.7", port: 50000 }, { address: "127.0.0.1", port: 25565 });
  expect(header?.toString("hex")).toBe(`${SIGNATURE}2111000ccb0071077f000001c35063dd`);
});

test("IPv6; an IPv4 program is named as a mapped address", () => {
  const header = proxyHeader({ address: "2001:db8::1", port: 1 }, { address: "127.0.0.1", port: 2 });
  expect(header?.toString("hex")).toBe(
    `${SIGNATURE}2121002420010db800000000000000000000000100000000000000000000ffff7f00000100010002`,
  );
});

test("no address, no header", () => {
  expect(proxyHeader({ address: "", port: 1 }, { address: "127.0.0.1", port: 2 })).toBeUndefined();
});
