// Sessions on a path where long packets vanish without ICMP: what RFC 8899 is for.
import { expect, test } from "vitest";
import { type Gateway, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import type { PathMtuArgs } from "./modules/path-mtu.ts";

const MODULE = new URL("./modules/path-mtu.ts", import.meta.url);
const PORT = 7777;

interface Transferred extends Record<string, unknown> {
  right: boolean;
  ms: number;
  small: number;
  slowestMs: number;
}

async function session(home: Host, host: Host): Promise<[LabProcess, LabProcess]> {
  const server = host.spawnModule(MODULE, { listen: { address: host.address, port: PORT } } satisfies PathMtuArgs);
  const { token } = await server.waitForJson<{ event: string; token: string }>(({ event }) => event === "listening");
  return [server, home.spawnModule(MODULE, { token } satisfies PathMtuArgs)];
}

/** Sends 200 kB both ways. */
async function transfer(ends: readonly LabProcess[]): Promise<Transferred[]> {
  for (const end of ends) end.write("transfer\n");
  const results = await Promise.all(
    ends.map((end) => end.waitForJson<Transferred>(({ event }) => event === "transferred", 30_000)),
  );
  for (const end of ends) expect(end.output.filter((line) => /out-of-order|closed/.test(line))).toEqual([]);
  for (const { right } of results) expect(right).toBe(true);
  return results;
}

const size = (end: LabProcess): number => {
  const last = end.output.findLast((line) => line.includes("maxPacketBytes"));
  return (JSON.parse(last ?? "{}") as { maxPacketBytes: number }).maxPacketBytes;
};

describeLab("a path of a small MTU whose ICMP is filtered", () => {
  test("200 kB arrive both ways and small messages flow, also when it shrinks in mid-session and when it grows again", async () => {
    await using lab = await Lab.create();
    const gateway: Gateway = await lab.gateway();
    const [home, host] = await Promise.all([gateway.host(), lab.host()]);
    // Full packets are of 1253 bytes with IPv4's header, netcode's request is of 1106.
    await gateway.setMtu(1200);
    const ends = await session(home, host);
    for (const end of ends) await end.waitForJson(({ event }) => event === "open");
    const first = await transfer(ends);
    // 1200 bytes less IPv4, UDP, and netcode's prefix, sequence and tag.
    await expect.poll(() => Math.max(...ends.map(size))).toBeLessThanOrEqual(1200 - 20 - 8 - 18);

    await gateway.setMtu(600);
    await transfer(ends);
    await expect.poll(() => Math.max(...ends.map(size))).toBeLessThanOrEqual(600 - 20 - 8 - 18);
    const third = await transfer(ends);
    for (const [n, { small }] of third.entries()) expect(small).toBeGreaterThan(first[n]?.small ?? 0);

    await gateway.setMtu(1500);
    // Tried 10 or 20 s after the last search, and found as both still play.
    await expect.poll(() => ends.map(size), { timeout: 60_000 }).toEqual([1200, 1200]);
    await transfer(ends);
  });
});
