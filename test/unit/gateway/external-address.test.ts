import { expect, test } from "vitest";
import { whyNotPublic } from "../../../sdk/src/gateway/external-address.ts";

test("external addresses that lead in from the internet, and why others do not", () => {
  for (const address of ["8.8.8.8", "11.0.1.2", "100.128.0.1", "172.32.0.1", "2a11:0:1::2"])
    expect(whyNotPublic(address), address).toBeUndefined();
  for (const address of [
    "10.1.2.3",
    "100.64.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "127.0.0.1",
    "169.254.1.1",
    "",
    "x",
    "::1",
    "fe80::1",
    "fd00::1",
    "2001:db8::1",
  ]) {
    expect(whyNotPublic(address), address).toMatch(/double NAT|carrier-grade/);
  }
  expect(whyNotPublic("100.64.0.1")).toMatch(/carrier-grade/);
  expect(whyNotPublic("192.168.0.1")).toMatch(/is private/);
  for (const none of ["", "x", "0.0.0.0", "255.255.255.255", "::"])
    expect(whyNotPublic(none), none).toMatch(/tells no external address/);
});
