/** Who may import whom. The linter holds it; here is shown that its rules say so, and what it does not see: circles of folders. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, matchesGlob, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { floorRules, ROOMS } from "./floors.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const SOURCE = join(ROOT, "sdk/src");
const rules = floorRules();

const files = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.replaceAll(sep, "/"));
const IMPORT = /(?:^(?:import|export)\s[^;"]*?from |^import |\bimport\()"([^"]+)"/gm;
/** From file to whatever it names. */
const imports = files.flatMap((file) =>
  [...readFileSync(join(SOURCE, file), "utf8").matchAll(IMPORT)].map(([, name = ""]) => ({ file, name })),
);

/** As oxlint does it. */
function isForbidden(file: string, name: string): boolean {
  const rule = rules.findLast(({ files: globs }) => globs.some((glob) => matchesGlob(`sdk/src/${file}`, glob)));
  const pattern = rule?.rules["no-restricted-imports"][1].patterns[0].regex;
  return pattern !== undefined && new RegExp(pattern).test(name);
}

test("the linter's rules are those of the table, and it reads them", async () => {
  await expect(`${JSON.stringify({ plugins: [], overrides: rules }, null, 2)}\n`).toMatchFileSnapshot(
    join(ROOT, ".oxlintrc.floors.json"),
  );
  const config = JSON.parse(readFileSync(join(ROOT, ".oxlintrc.json"), "utf8")) as { extends: string[] };
  expect(config.extends).toContain("./.oxlintrc.floors.json");
});

test("every room stands on a floor", () => {
  const rooms = readdirSync(SOURCE, { withFileTypes: true }).map(({ name }) => name);
  expect(rooms.filter((name) => !ROOMS.includes(name))).toEqual([]);
});

describe("an import", () => {
  test.each([
    ["of a floor above", "udp/a.ts", "../turn/open.ts"],
    ["of a neighbour", "stun/a.ts", "../gateway/types.ts"],
    ["of a neighbour, from a folder within", "channel/wire/a.ts", "../../stun/message.ts"],
    ["of Godot's UDP server by a neighbour", "lan/a.ts", "../udp/udp-server.ts"],
    ["of a neighbour, higher up", "session/a.ts", "../ice/mux.ts"],
    ["of connectivity by rendezvous", "rendezvous/wire/a.ts", "../../connectivity/reachability.ts"],
    ["of the ground's neighbour", "net/a.ts", "../udp/packet-ring.ts"],
    ["of a door", "cli/a.ts", "../doors/sallyport.ts"],
    ["of the package by itself", "cli/a.ts", "sallyport/upnp"],
    ["of Colyseus by rendezvous", "rendezvous/host/a.ts", "@colyseus/sdk"],
    ["of connectivity by the lobby's mailbox", "rendezvous/mailbox/lobby.ts", "../../connectivity/manager/manager.ts"],
    ["of Node by what both ends say", "colyseus/wire/a.ts", "node:net"],
    ["of the server by what both ends say", "colyseus/wire/a.ts", "../server/transport.ts"],
    ["of the client by the server", "colyseus/server/entrances/a.ts", "../../client/client.ts"],
    ["of the browser by the client", "colyseus/client/a.ts", "../browser/link.ts"],
    ["of the tunnel by Colyseus", "colyseus/server/a.ts", "../../tunnel/share.ts"],
    ["of Colyseus by the tunnel", "tunnel/host/a.ts", "../../colyseus/client/client.ts"],
    ["of Colyseus' packages by the tunnel", "tunnel/a.ts", "@colyseus/sdk"],
    ["of the command line by Colyseus", "colyseus/lobby/a.ts", "../../cli/main.ts"],
  ])("%s is forbidden", (_what, file, name) => {
    expect(isForbidden(file, name)).toBe(true);
  });

  test.each([
    ["within a room", "gateway/upnp/a.ts", "../types.ts"],
    ["of a floor below", "connectivity/a.ts", "../gateway/port-mapper.ts"],
    ["of Colyseus by the lobby's mailbox", "rendezvous/mailbox/lobby.ts", "@colyseus/sdk"],
    ["of Colyseus by its room", "colyseus/server/a.ts", "@colyseus/core"],
    ["of both ends' words", "colyseus/browser/a.ts", "../wire/seat.ts"],
    ["of the server's own WebRTC", "colyseus/server/entrances/a.ts", "../webrtc/host.ts"],
    ["by a door", "doors/sallyport.ts", "../connectivity/manager/manager.ts"],
  ])("%s is not", (_what, file, name) => {
    expect(isForbidden(file, name)).toBe(false);
  });
});

test("no import of ours is forbidden", () => {
  expect(imports.length).toBeGreaterThan(1000);
  const found = imports.filter(({ file, name }) => isForbidden(file, name));
  expect(found.map(({ file, name }) => `${file} -> ${name}`)).toEqual([]);
});

test("folders do not import each other in a circle", () => {
  const edges = new Map<string, Map<string, string>>();
  for (const { file, name } of imports) {
    if (!name.startsWith(".")) continue;
    const [from, to] = [dirname(file), dirname(relative(SOURCE, resolve(SOURCE, dirname(file), name)))];
    if (from === to) continue;
    const known = edges.get(from) ?? new Map<string, string>();
    edges.set(from, known.set(to, `${file} -> ${name}`));
  }
  const circles = circlesOf(edges);
  const told = circles.map((circle) =>
    circle.map((from, i) => edges.get(from)?.get(circle[(i + 1) % circle.length] ?? "")),
  );
  expect(told).toEqual([]);
});

/** One circle for each folder that is in any: the shortest, and each but once. */
function circlesOf(edges: ReadonlyMap<string, ReadonlyMap<string, string>>): string[][] {
  const circles = new Map<string, string[]>();
  for (const start of edges.keys()) {
    const before = new Map<string, string>();
    const queue = [start];
    for (const folder of queue) {
      for (const next of edges.get(folder)?.keys() ?? []) {
        if (before.has(next)) continue;
        before.set(next, folder);
        queue.push(next);
      }
    }
    if (!before.has(start)) continue;
    const circle: string[] = [];
    let at = start;
    do circle.unshift((at = before.get(at) ?? start));
    while (at !== start);
    circles.set(circle.toSorted().join(" "), circle);
  }
  return [...circles.values()];
}
