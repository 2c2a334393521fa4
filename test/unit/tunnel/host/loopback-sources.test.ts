import { expect, test } from "vitest";
import { LoopbackSources } from "../../../../sdk/src/tunnel/host/loopback-sources.ts";

test("a home has the same address each time, and its IPv6 network has one", () => {
  const [first, second] = [new LoopbackSources(), new LoopbackSources()];
  expect(first.take("203.0.113.7")).toBe(second.take("203.0.113.7"));
  expect(first.take("2001:db8::1")).toBe(second.take("2001:db8::2"));
});

test("guests who are there at once have addresses of their own, also from one home", () => {
  const sources = new LoopbackSources();
  const taken = Array.from({ length: 2000 }, (_, i) =>
    sources.take(i % 2 === 0 ? "203.0.113.7" : `198.51.100.${i % 250}`),
  );
  expect(new Set(taken).size).toBe(2000);
  for (const address of taken) {
    expect(address).toMatch(/^127\.(?:[1-9]\d{0,2})\.\d{1,3}\.\d{1,3}$/);
    expect(address).not.toMatch(/\.(?:0|255)$/);
  }
});

test("an address that was given back is taken again", () => {
  const sources = new LoopbackSources();
  const address = sources.take("203.0.113.7");
  expect(sources.take("203.0.113.7")).not.toBe(address);
  sources.give(address);
  expect(sources.take("203.0.113.7")).toBe(address);
});
