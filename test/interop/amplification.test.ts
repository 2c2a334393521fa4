// What an address gets that has not proved itself, for each byte that was said to bring that about, forged sources included: the table
// of SECURITY.md. `npx vitest run --project interop test/interop/amplification.test.ts -u` writes it.
import { readFileSync } from "node:fs";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { netcodeReady } from "../../sdk/src/netcode/sodium.ts";
import { replaceTable } from "../security-tables.ts";
import { iceRows } from "./amplification/ice.ts";
import { responderRows } from "./amplification/responders.ts";
import { type Row, ratioOf } from "./amplification/row.ts";
import { sessionRows } from "./amplification/sessions.ts";
import { socketRows } from "./amplification/sockets.ts";
import { webrtcRows } from "./amplification/webrtc.ts";

const PAGE = new URL("../../SECURITY.md", import.meta.url);
const HEAD = ["what causes it", "bytes for one", "held by"] as const;
/** RFC 9000 section 8. */
const LIMIT = 3;

const all: Row[] = [];

beforeAll(netcodeReady);
afterEach(() => void vi.useRealTimers());

function measured(rows: readonly Row[]): void {
  for (const row of rows) {
    const { what, said, got } = row;
    console.log(`${what}: ${got} for ${said}, ${(got / said).toFixed(2)}`);
    all.push(row);
    expect.soft(got / said, what).toBeLessThanOrEqual(LIMIT);
  }
}

test("by the game's port, address changes and connect tokens", async () => {
  vi.useFakeTimers();
  measured(await sessionRows());
});

test("by what an invited player says", () => measured(iceRows()));

test("by junk, and by servers that name somebody else", { timeout: 60_000 }, async () => measured(await socketRows()));

test("by WebRTC's port", { timeout: 60_000 }, async () => measured(await webrtcRows()));

test("by STUN, and on the local network", () => measured(responderRows()));

test("the table of SECURITY.md is what was measured", async () => {
  const page = readFileSync(PAGE, "utf8");
  const rows = all.map((row) => [row.what, ratioOf(row), row.held]);
  await expect(replaceTable(page, "amplification", HEAD, () => rows)).toMatchFileSnapshot(PAGE.pathname);
});
