/**
 * docs/from-godot.md, member by member: the same steps through Godot 3's own classes and ours, at a router that lets one
 * machine overwrite what another has mapped (`secure_mode=no`). "same" gives the same answers, "different on purpose" others.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { GODOT_3_NAMES, table } from "./godot/rows.ts";
import { SECTIONS } from "./godot/sections.ts";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const rows = SECTIONS.flatMap(({ type, rows }) => rows.map((row) => ({ ...row, type })));
const steps = rows.map((row) => row.steps ?? []);

test("the page has the table", () => {
  const page = readFileSync(fileURLToPath(new URL("../../docs/from-godot.md", import.meta.url)), "utf8");
  for (const section of SECTIONS) expect(page).toContain(table(section));
});

describeLab("Godot 3's classes and ours", () => {
  test("answer alike, or differ as the table says", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2, secure: false } });
    const [host, other] = [await gateway.host(), await gateway.host()];
    const file = join(host.directory, "steps.json");
    writeFileSync(file, JSON.stringify(steps));
    const run = async (through: () => Promise<unknown[][]>): Promise<unknown[][]> => {
      for (const externalPort of [6000, 6001]) await gateway.addMapping({ host: other, protocol: "udp", externalPort });
      const results = await through();
      // What was overwritten was then deleted; what was refused is there.
      expect((await gateway.mappings()).map(({ externalPort }) => externalPort)).toEqual([6001]);
      await gateway.removeMapping("udp", 6001);
      return results;
    };
    let members: Record<string, string[]> = {};
    const theirs = await run(async () => {
      const godot = host.godot(new URL("./godot/steps.gd", import.meta.url), [file]);
      const results = await godot.waitForLine(/^RESULTS /, 60_000);
      const list = await godot.waitForLine(/^MEMBERS /, 60_000);
      await godot.exited;
      members = JSON.parse(list.slice("MEMBERS ".length)) as Record<string, string[]>;
      return JSON.parse(results.slice("RESULTS ".length)) as unknown[][];
    });
    const ours = await run(() => host.run<unknown[][]>(new URL("./godot/steps.ts", import.meta.url), file));

    const lines = rows.map(({ type, godot, different, sameAnswers, steps }, i) => {
      const is = different === undefined ? "same" : "different on purpose";
      if (steps === undefined) return { type, godot, is, godot3: "not run", ours: "not run" };
      const [a, b] = [JSON.stringify(theirs[i]), JSON.stringify(ours[i])];
      if (different === undefined || sameAnswers === true) expect.soft(b, `${type}: ${godot}`).toBe(a);
      else expect.soft(b, `${type}: ${godot}, which is said to be different`).not.toBe(a);
      return { type, godot, is, godot3: a, ours: b };
    });
    for (const line of lines) {
      const [a, b] = [line.godot3, line.ours].map((answers) => answers.replaceAll('"', "").slice(0, 50));
      const member = line.godot.replace(/\(.*|,.*/, "").padEnd(28);
      console.log(`${line.type.padEnd(13)} ${member} ${line.is.padEnd(20)} ${a === b ? a : `${a} | ours ${b}`}`);
    }

    for (const [type, names] of Object.entries(members)) {
      const told = SECTIONS.filter(
        ({ godotClass }) => godotClass === type || (type === "PacketPeer" && godotClass === "PacketPeerUDP"),
      )
        .flatMap(({ rows }) => rows.map(({ godot, godot3 }) => `${godot} ${godot3 ?? ""}`))
        .join("\n");
      expect(names.length, type).toBeGreaterThan(0);
      for (const name of names) {
        // The constants are compared by the row of their enumeration.
        if (/^(UPNP_RESULT|IGD_STATUS)_/.test(name) || name.startsWith("_")) continue;
        expect
          .soft(told, `${type}.${name} is in the table`)
          .toMatch(new RegExp(`\\b${GODOT_3_NAMES[name] ?? name}\\b`));
      }
    }
  });
});
