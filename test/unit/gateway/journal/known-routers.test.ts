import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type KnownRouter, KnownRouters } from "../../../../sdk/src/gateway/journal/known-routers.ts";

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sallyport-routers-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function router(more: Partial<KnownRouter> = {}): KnownRouter {
  return { interfaceName: "eth0", address: "192.168.1.1", location: "http://192.168.1.1:5000/rootDesc.xml", ...more };
}

test("what was remembered last comes first, one per address and interface, for every process", () => {
  const routers = new KnownRouters(join(directory, "state"));
  expect(routers.all()).toEqual([]);
  routers.remember(router());
  routers.remember(router({ interfaceName: "wlan0" }));
  const moved = router({ location: "http://192.168.1.1:49152/igd.xml" });
  routers.remember(moved);
  expect(new KnownRouters(join(directory, "state")).all()).toEqual([moved, router({ interfaceName: "wlan0" })]);
  expect(readdirSync(join(directory, "state"))).toEqual(["routers.json"]);
});

test("what is known already is not written again", () => {
  const routers = new KnownRouters(directory);
  routers.remember(router());
  routers.remember(router({ address: "192.168.1.2" }));
  const before = readFileSync(join(directory, "routers.json"), "utf8");
  routers.remember(router());
  expect(readFileSync(join(directory, "routers.json"), "utf8")).toBe(before);
});

test("sixteen are kept, and nothing that is no description's address", () => {
  const routers = new KnownRouters(directory);
  for (let i = 0; i < 40; i++) routers.remember(router({ address: `192.168.1.${i}` }));
  routers.remember(router({ address: "192.168.2.1", location: `http://192.168.2.1/${"x".repeat(600)}` }));
  routers.remember(router({ address: "192.168.2.1", location: "file:///etc/passwd" }));
  expect(routers.all().map(({ address }) => address)).toEqual(
    Array.from({ length: 16 }, (_, i) => `192.168.1.${39 - i}`),
  );
});

test.each([
  ["no JSON", "{"],
  ["no list", '{"a": 1}'],
  [
    "other things",
    JSON.stringify([
      null,
      7,
      "x",
      {},
      router({ location: "https://192.168.1.1/" }),
      router({ location: "http://[::1/" }),
    ]),
  ],
  ["too much", JSON.stringify(Array.from({ length: 2000 }, () => router()))],
])("a file that holds %s is no harm", (_what, content) => {
  writeFileSync(join(directory, "routers.json"), content);
  const routers = new KnownRouters(directory);
  expect(routers.all()).toEqual([]);
  routers.remember(router());
  expect(routers.all()).toEqual([router()]);
});

test("a directory that cannot be made is done without", () => {
  writeFileSync(join(directory, "file"), "");
  const routers = new KnownRouters(join(directory, "file", "state"));
  routers.remember(router());
  expect(routers.all()).toEqual([]);
  expect(existsSync(join(directory, "file", "state"))).toBe(false);
});
