import { expect, test } from "vitest";
import { choosePublicEndpoint } from "../../../../../sdk/src/colyseus/server/listings/public-address.ts";

const at = (...addresses: string[]) => addresses.map((address) => ({ address, port: 7777 }));

test.each([
  ["nothing", at(), undefined],
  ["a home host's mapped address", at("11.0.0.2", "192.168.1.10"), "11.0.0.2"],
  ["IPv4 before IPv6", at("2a11::1", "11.0.0.2"), "11.0.0.2"],
  ["IPv6 where nothing else is public", at("2a11::1", "192.168.1.10"), "2a11::1"],
])("alone, a process tells of what the world can dial: %s", (_what, endpoints, address) => {
  expect(choosePublicEndpoint(endpoints, false)?.address).toBe(address);
  expect(choosePublicEndpoint(endpoints, true)?.address).toBe(address);
});

test("in a fleet, of an address on their common network", () => {
  const endpoints = at("fd00::1", "10.0.0.2");
  expect(choosePublicEndpoint(endpoints, false)).toBeUndefined();
  expect(choosePublicEndpoint(endpoints, true)?.address).toBe("10.0.0.2");
  expect(choosePublicEndpoint(at("127.0.0.1"), true)?.address).toBe("127.0.0.1");
});
