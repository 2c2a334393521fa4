import { describe, expect, test } from "vitest";
import { obstacleTo, spaceOf } from "../../../../sdk/src/colyseus/browser/local-network.ts";

test.each([
  ["localhost", "loopback"],
  ["game.localhost", "loopback"],
  ["127.0.0.1", "loopback"],
  ["[::1]", "loopback"],
  ["192.168.1.10", "local"],
  ["10.0.0.1", "local"],
  ["100.64.3.4", "local"],
  ["[fd00::1]", "local"],
  ["printer.local", "local"],
  ["11.0.0.1", "public"],
  ["[2a11:0:1::5]", "public"],
  ["lobby.example", "public"],
])("%s is %s", (hostname, space) => {
  expect(spaceOf(hostname)).toBe(space);
});

describe("what keeps a page from a server", () => {
  const pages = {
    http: { protocol: "http:", hostname: "lobby.example" },
    https: { protocol: "https:", hostname: "lobby.example" },
    lan: { protocol: "http:", hostname: "192.168.1.2" },
  };
  const obstacle = (page: keyof typeof pages, server: string, permission?: PermissionState): string | undefined =>
    obstacleTo(new URL(server), pages[page], permission);

  test("nothing: as far as the page itself, or further", () => {
    expect(obstacle("http", "ws://11.0.0.1:7777")).toBeUndefined();
    expect(obstacle("lan", "ws://192.168.1.10:7777")).toBeUndefined();
    expect(obstacle("lan", "ws://11.0.0.1:7777")).toBeUndefined();
    expect(obstacle("https", "wss://game.example")).toBeUndefined();
  });

  test("a public page without a secure context: never, and what to do instead", () => {
    expect(obstacle("http", "ws://192.168.1.10:7777")).toMatch(
      /on your own network \(192\.168\.1\.10:7777\).*Open http:\/\/192/,
    );
    expect(obstacle("http", "ws://127.0.0.1:7777", "granted")).toMatch(/on this machine/);
    expect(obstacle("lan", "ws://127.0.0.1:7777")).toMatch(/on this machine/);
  });

  test("a secure page: where the player allows it", () => {
    expect(obstacle("https", "ws://192.168.1.10:7777", "granted")).toBeUndefined();
    expect(obstacle("https", "ws://192.168.1.10:7777", "prompt")).toMatch(
      /allow "local network" when the browser asks/,
    );
    expect(obstacle("https", "ws://192.168.1.10:7777", "denied")).toMatch(/You have not allowed it/);
  });

  test("a secure page and a plain server on the internet: mixed content", () => {
    expect(obstacle("https", "ws://11.0.0.1:7777", "granted")).toMatch(/secure \(https\)/);
  });
});
