// A player who means harm gives the sender's address of somebody else, as networks without source address validation (BCP 38) let
// it: that somebody must not be flooded. A victim who counts stands in the same internet.
import { expect, test } from "vitest";
import { until } from "../until.ts";
import { countAt, eventOf, forgeSource, measureForgery } from "./forgery.ts";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ICE_PLAYER = new URL("./ice-player.ts", import.meta.url);
const PORT = 7777;
/** RFC 9000 section 8: what may be sent to an address that has not proved itself, per byte that came from it. */
const LIMIT = 3;

describeLab("a forged source", () => {
  test("of a player's packets, in a room where 25 others walk", { timeout: 180_000 }, async () => {
    // One packet alone, as much as it takes to be believed; and some, each of which may earn the victim more.
    for (const { from, to } of await measureForgery([1, 5])) {
      expect(to.bytes, `for ${from.packets} packets of ${from.bytes} bytes`).toBeLessThanOrEqual(LIMIT * from.bytes);
    }
  });

  test.each([
    { says: "nothing else", plays: false },
    { says: "another way too, and plays by that", plays: true },
  ])("of the connectivity check (ICE) of an invited player who says $says", { timeout: 180_000 }, async ({ plays }) => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn();
    const [machine, villain, victim] = await Promise.all([lab.host(), lab.host(), lab.host()]);
    const stun = `${coturn.addresses[0]}:3478`;
    const [host, forger] = [
      machine.spawnModule(ICE_PLAYER, { stun, role: "controlled" }),
      villain.spawnModule(ICE_PLAYER, { stun, role: "controlling" }),
    ];
    const [there, here] = await Promise.all([host, forger].map((each) => eventOf(each, "local")));
    host.write(`${JSON.stringify(plays ? here : { credentials: here?.["credentials"] })}\n`);
    forger.write(`${JSON.stringify(plays ? there : { credentials: there?.["credentials"] })}\n`);
    if (plays) await Promise.all([host, forger].map((each) => eventOf(each, "first")));

    const received = await countAt(victim, machine.address);
    const port = 9999;
    await forgeSource(villain, victim.address, String(port));
    forger.write(`${JSON.stringify({ do: "forge", port, to: { address: machine.address, port: PORT } })}\n`);
    const sent = (await eventOf(forger, "forged"))["bytes"] as number;
    await until(async () => (await received()).packets > 0);
    // Longer than a pair is checked that does not answer.
    if (plays) {
      const heard = async (): Promise<number> => {
        host.write(`${JSON.stringify({ do: "report" })}\n`);
        return (await eventOf(host, "report"))["heard"] as number;
      };
      const before = await heard();
      await expect.poll(heard, { timeout: 60_000, interval: 500 }).toBeGreaterThan(before + 200);
    } else {
      await host.waitForJson(({ event, state }) => event === "state" && state === "failed", 60_000);
    }
    expect((await received()).bytes, `for ${sent} bytes`).toBeLessThanOrEqual(LIMIT * sent);
  });
});
