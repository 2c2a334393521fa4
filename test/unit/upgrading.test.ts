// The page "Upgrading from 0.1": every default that changed is on it, with the changeset that says so.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../sdk/src/colyseus/lobby/limits.ts";
import { ADMISSION_LIMITS } from "../../sdk/src/colyseus/server/admission/admission-limits.ts";
import { completeConnectionLimits } from "../../sdk/src/colyseus/server/admission/connection-limits.ts";
import { withDefaults } from "../../sdk/src/connectivity/options.ts";

const ROOT = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/upgrading-from-0.1.md", ROOT), "utf8");
const [, changes = ""] = page.split("## Defaults that changed");
const CHANGESET = /\]\(\.\.\/\.changeset\/([\w-]+\.md)\)/g;

/** Defaults of 0.1.0 that can be read, by their names. What is not here was not there: it had no limit, or was not to be had. */
const IN_0_1: Readonly<Record<string, unknown>> = {
  port: 7777,
  address: "*",
  description: "Sallyport",
  protocol: "both",
  turnServers: [],
  lifetimeSeconds: 7200,
  lifetimeWaitsMs: withDefaults({}).lifetimeWaitsMs,
  openTimeoutMs: 1000,
  burst: 30,
  perSecond: 1,
  gamesPerAddress: 16,
  games: 10_000,
  guestsPerGame: 64,
  guestsPerAddress: 16,
  guestMs: 30_000,
  introductionMs: 120_000,
  relayBurst: 80,
  relayPerSecond: 40,
  relayBytes: 262_144,
  holdMs: 60_000,
};

const NOW: Readonly<Record<string, unknown>> = {
  ...withDefaults({}),
  ...LIMITS,
  ...completeConnectionLimits(),
  ...ADMISSION_LIMITS,
};

describe("upgrading from 0.1", () => {
  test("every default that is another now is on the page", () => {
    const changed = Object.keys(NOW).filter((name) => JSON.stringify(NOW[name]) !== JSON.stringify(IN_0_1[name]));
    expect(changed.filter((name) => !changes.includes(`\`${name}\``))).toEqual([]);
  });

  test("every row names the changeset that says so, which is there", () => {
    const rows = changes.split("\n").filter((line) => line.startsWith("| ") && !line.startsWith("| default |"));
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows) expect(row).toMatch(/\.\.\/\.changeset\//);
    const there = new Set(readdirSync(new URL(".changeset/", ROOT)));
    for (const [, file = ""] of page.matchAll(CHANGESET)) expect(there).toContain(file);
  });
});
