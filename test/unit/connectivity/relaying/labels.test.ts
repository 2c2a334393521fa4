import { expect, test } from "vitest";
import { guestLabel, HOST_LABEL, mayReach } from "../../../../sdk/src/connectivity/relaying/labels.ts";

test("a guest reaches the host's public addresses, and nobody else", () => {
  const label = guestLabel(["198.51.100.7", "8.8.4.4", "192.168.1.10", "2a11:0:1::2", "8.8.4.4"]);
  expect(label).toBe("to 8.8.4.4,2a11:0:1::2");
  expect(mayReach("8.8.4.4", label)).toBe(true);
  expect(mayReach("2a11:0:1:0::2", label)).toBe(true);
  expect(mayReach("8.8.8.8", label)).toBe(false);
  expect(mayReach("192.168.1.10", guestLabel(["192.168.1.10"]))).toBe(false);
});

test("the host reaches public addresses; who has no label of the host's reaches none", () => {
  expect(mayReach("8.8.8.8", HOST_LABEL)).toBe(true);
  for (const address of ["127.0.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1"])
    expect(mayReach(address, HOST_LABEL)).toBe(false);
  for (const label of ["", "to ", "to", "hosts", "8.8.8.8"]) expect(mayReach("8.8.8.8", label)).toBe(false);
});

test("a username stays short", () => {
  const many = Array.from({ length: 40 }, (_, i) => `2a11:${i}:ffff:ffff:ffff:ffff:ffff:ffff`);
  expect(guestLabel(many).length).toBeLessThan(400);
});
