/** A player who gives somebody else's address as its own, in a room where 25 others walk: for the lab's test, and for the benchmark. */
import { fileURLToPath } from "node:url";
import { until } from "../until.ts";
import { type Host, Lab, type LabProcess } from "./lab/index.ts";
import type { WalkersArgs } from "./modules/walkers.ts";

const WALKERS = new URL("./modules/walkers.ts", import.meta.url);
const HOST = fileURLToPath(new URL("../../examples/lobby/src/host.ts", import.meta.url));
const PORT = 7777;
const OTHERS = 25;
const IP_AND_UDP_BYTES = 28;

export interface Traffic {
  packets: number;
  /** Of UDP's payload. */
  bytes: number;
}

/** Has the machine count the UDP datagrams that come from `source`, and answer none. */
export async function countAt(victim: Host, source: string): Promise<() => Promise<Traffic>> {
  await nft(
    victim,
    `table ip victim {
      counter seen {}
      chain in { type filter hook prerouting priority -300; ip saddr ${source} udp dport 1-65535 counter name seen drop; }
    }`,
  );
  return async () => {
    const { stdout } = await victim.exec(["nft", "-j", "list", "counters"]);
    const { nftables } = JSON.parse(stdout) as { nftables: { counter?: Traffic }[] };
    const { packets, bytes } = nftables.flatMap(({ counter }) => counter ?? [])[0] ?? { packets: 0, bytes: 0 };
    return { packets, bytes: bytes - packets * IP_AND_UDP_BYTES };
  };
}

/** From now on what the machine sends by UDP (from this port) seems to come from another. */
export async function forgeSource(machine: Host, source: string, port = "1-65535"): Promise<void> {
  await nft(
    machine,
    `table ip forgery {
      chain out { type filter hook output priority -300; udp sport ${port} ip saddr set ${source} notrack; }
    }`,
  );
}

async function nft(machine: Host, rules: string): Promise<void> {
  const { code, output } = await machine.exec(["nft", rules]);
  if (code !== 0) throw new Error(output);
}

export const eventOf = (process: LabProcess, name: string, timeoutMs = 30_000): Promise<Record<string, unknown>> =>
  process.waitForJson((value) => value["event"] === name, timeoutMs);

/**
 * One attack for each number of forged packets; all end with the server's giving the player up, who says nothing else.
 * @returns what was sent in the victim's name, and what it got
 */
export async function measureForgery(attacks: readonly number[]): Promise<{ from: Traffic; to: Traffic }[]> {
  await using lab = await Lab.create();
  const [machine, friends] = await Promise.all([lab.host(), lab.host()]);
  const host = machine.spawn([process.execPath, HOST, "--port", String(PORT), "--json"], {
    env: { NO_COLOR: "1", SALLYPORT_VIA: "none", SALLYPORT_LAN: "none" },
  });
  await host.waitForLine(/"event":"listening"/, 30_000);
  const url = `http://${machine.address}:${PORT}`;
  const crowd = friends.spawnModule(WALKERS, { url, players: OTHERS } satisfies WalkersArgs);
  const { paths } = await eventOf(crowd, "walking");
  if ((paths as string[]).some((path) => path !== "direct")) throw new Error(`walking: ${String(paths)}`);

  const forgers = await Promise.all(
    attacks.map(async (packets) => {
      const [villain, victim] = [await lab.host(), await lab.host()];
      const forger = villain.spawnModule(WALKERS, { url, players: 1, forger: true } satisfies WalkersArgs);
      await eventOf(forger, "walking");
      return { packets, villain, victim, forger, received: await countAt(victim, machine.address), bytes: 0 };
    }),
  );
  for (const attack of forgers) {
    const { packets, villain, victim, forger, received } = attack;
    forger.write("mute\n");
    await eventOf(forger, "silent");
    await forgeSource(villain, victim.address);
    for (let n = 0; n < packets; n++) {
      forger.write("send\n");
      attack.bytes += (await eventOf(forger, "sent"))["bytes"] as number;
      // The attack comes as far as it can: the victim is asked whether it is the player.
      await until(async () => (await received()).packets > 0, { what: "the victim is sent something" });
    }
  }
  // Nothing more can come then.
  for (let left = 0; left < attacks.length; left++) await eventOf(host, "left", 60_000);
  const results = await Promise.all(
    forgers.map(async ({ packets, bytes, received }) => ({ from: { packets, bytes }, to: await received() })),
  );
  host.kill("SIGTERM");
  await host.exited;
  return results;
}
