// A player who means harm gives the sender's address of somebody else, as networks without source address validation (BCP 38) let
// it: that somebody must not be flooded. A victim who counts stands in the same internet.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { until } from "../until.ts";
import { type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import type { WalkersArgs } from "./modules/walkers.ts";

const WALKERS = new URL("./modules/walkers.ts", import.meta.url);
const ICE_PLAYER = new URL("./ice-player.ts", import.meta.url);
const HOST = fileURLToPath(new URL("../../examples/lobby/src/host.ts", import.meta.url));
const PORT = 7777;
const IP_AND_UDP_BYTES = 28;
/** RFC 9000 section 8: what may be sent to an address that has not proved itself, per byte that came from it. */
const LIMIT = 3;

interface Traffic {
  packets: number;
  /** Of UDP's payload. */
  bytes: number;
}

/** Has the machine count the UDP datagrams that come from `source`, and answer none. */
async function count(victim: Host, source: string): Promise<() => Promise<Traffic>> {
  const rules = `table ip victim {
    counter seen {}
    chain in { type filter hook prerouting priority -300; ip saddr ${source} udp dport 1-65535 counter name seen drop; }
  }`;
  expect((await victim.exec(["nft", rules])).code).toBe(0);
  return async () => {
    const { stdout } = await victim.exec(["nft", "-j", "list", "counters"]);
    const { nftables } = JSON.parse(stdout) as { nftables: { counter?: Traffic }[] };
    const { packets, bytes } = nftables.flatMap(({ counter }) => counter ?? [])[0] ?? { packets: 0, bytes: 0 };
    return { packets, bytes: bytes - packets * IP_AND_UDP_BYTES };
  };
}

/** From now on what the machine sends by UDP (from this port) seems to come from another. */
async function forge(machine: Host, source: string, port = "1-65535"): Promise<void> {
  const rules = `table ip forgery {
    chain out { type filter hook output priority -300; udp sport ${port} ip saddr set ${source} notrack; }
  }`;
  const { code, output } = await machine.exec(["nft", rules]);
  expect(code, output).toBe(0);
}

const event = (process: LabProcess, name: string, timeoutMs = 30_000): Promise<Record<string, unknown>> =>
  process.waitForJson((value) => value["event"] === name, timeoutMs);

describeLab("a forged source", () => {
  test("of a player's packets, in a room where 25 others walk", { timeout: 180_000 }, async () => {
    await using lab = await Lab.create();
    const [machine, friends] = await Promise.all([lab.host(), lab.host()]);
    const host = machine.spawn([process.execPath, HOST, "--port", String(PORT), "--json"], {
      env: { NO_COLOR: "1", SALLYPORT_VIA: "none", SALLYPORT_LAN: "none" },
    });
    await host.waitForLine(/"event":"listening"/, 30_000);
    const url = `http://${machine.address}:${PORT}`;
    const crowd = friends.spawnModule(WALKERS, { url, players: 25 } satisfies WalkersArgs);
    const { paths } = await event(crowd, "walking");
    expect(paths).toEqual(Array.from({ length: 25 }, () => "direct"));

    // One packet alone, as much as it takes to be believed; and some, each of which may earn the victim more.
    const attacks = await Promise.all(
      [1, 5].map(async (packets) => {
        const [villain, victim] = [await lab.host(), await lab.host()];
        const forger = villain.spawnModule(WALKERS, { url, players: 1, forger: true } satisfies WalkersArgs);
        await event(forger, "walking");
        return { packets, villain, victim, forger, received: await count(victim, machine.address), sent: 0 };
      }),
    );
    for (const attack of attacks) {
      const { packets, villain, victim, forger, received } = attack;
      forger.write("mute\n");
      await event(forger, "silent");
      await forge(villain, victim.address);
      for (let n = 0; n < packets; n++) {
        forger.write("send\n");
        attack.sent += (await event(forger, "sent"))["bytes"] as number;
        // The attack comes as far as it can: the victim is asked whether it is the player.
        await until(async () => (await received()).packets > 0);
      }
    }
    // The server gives the silent players up; nothing more can come then.
    for (let left = 0; left < attacks.length; left++) await event(host, "left", 60_000);
    for (const { received, sent, packets } of attacks) {
      const { bytes } = await received();
      expect(bytes, `for ${packets} packets of ${sent} bytes`).toBeLessThanOrEqual(LIMIT * sent);
    }
    host.kill("SIGTERM");
    await host.exited;
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
    const [there, here] = await Promise.all([host, forger].map((each) => event(each, "local")));
    host.write(`${JSON.stringify(plays ? here : { credentials: here?.["credentials"] })}\n`);
    forger.write(`${JSON.stringify(plays ? there : { credentials: there?.["credentials"] })}\n`);
    if (plays) await Promise.all([host, forger].map((each) => event(each, "first")));

    const received = await count(victim, machine.address);
    const port = 9999;
    await forge(villain, victim.address, String(port));
    forger.write(`${JSON.stringify({ do: "forge", port, to: { address: machine.address, port: PORT } })}\n`);
    const sent = (await event(forger, "forged"))["bytes"] as number;
    await until(async () => (await received()).packets > 0);
    // Longer than a pair is checked that does not answer.
    if (plays) {
      const heard = async (): Promise<number> => {
        host.write(`${JSON.stringify({ do: "report" })}\n`);
        return (await event(host, "report"))["heard"] as number;
      };
      const before = await heard();
      await expect.poll(heard, { timeout: 60_000, interval: 500 }).toBeGreaterThan(before + 200);
    } else {
      await host.waitForJson(({ event, state }) => event === "state" && state === "failed", 60_000);
    }
    expect((await received()).bytes, `for ${sent} bytes`).toBeLessThanOrEqual(LIMIT * sent);
  });
});
