import { expect, test } from "vitest";
import { LanAnnouncer } from "../../../sdk/src/lan/announcer.ts";
import { discoverLan } from "../../../sdk/src/lan/discover.ts";
import { traced } from "../traced.ts";
import { Cable, CableEnd } from "./cable.ts";

test("a trace tells what was announced, asked, answered and found", async () => {
  const lines = traced("lan");
  const cable = new Cable();
  const announcer = new LanAnnouncer(
    { application: "arena", name: "Ann's", port: 7777 },
    { network: new CableEnd(cable, "192.168.1.10") },
  );
  const caller = new AbortController();
  await discoverLan({
    application: "arena",
    network: new CableEnd(cable, "192.168.1.20"),
    signal: caller.signal,
    onGame: () => void announcer.close(),
    onLost: () => caller.abort(),
  });
  await announcer.close();
  expect(lines).toContain('found name="Ann\'s" addresses=[192.168.1.10] port=7777 count=1');
  expect(lines).toContain('lost name="Ann\'s" addresses=[192.168.1.10] port=7777 count=1');
  expect(lines.some((line) => line.startsWith("asked application=arena"))).toBe(true);
  expect(lines).toContain("goodbye port=7777");
});
