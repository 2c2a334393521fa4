import { expect, test } from "vitest";
import { interfacesTo, type LocalInterface } from "../../../sdk/src/gateway/interfaces.ts";

const lan = (name: string, address: string, gateway?: string): LocalInterface => ({
  name,
  address,
  family: address.includes(":") ? 6 : 4,
  prefixLength: address.includes(":") ? 64 : 24,
  ...(gateway === undefined ? {} : { gateway }),
});

const ALL = [
  lan("eth0", "192.168.1.5", "192.168.1.1"),
  lan("wlan0", "192.168.2.5", "192.168.2.1"),
  lan("eth0", "2a11::5", "fe80::1"),
];

test("a named router is asked from the addresses on its link, as their gateway", async () => {
  expect(await interfacesTo("192.168.1.66", ALL)).toEqual([{ ...ALL[0], gateway: "192.168.1.66" }]);
  expect(await interfacesTo("192.168.2.1", ALL)).toEqual([ALL[1]]);
  expect(await interfacesTo("2a11::1", ALL)).toEqual([{ ...ALL[2], gateway: "2a11::1" }]);
});

test("one that this computer has no address to is asked from none", async () => {
  // Only its own loopback leads to itself.
  expect(await interfacesTo("127.0.0.1", [])).toEqual([]);
});
