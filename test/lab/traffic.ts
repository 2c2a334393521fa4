/** What passes between two homes: counted by the router in between, whatever the programs say. */
import type { Machine } from "./lab/index.ts";

export interface TrafficCount {
  /** Packets so far, both ways, of whatever protocol. */
  packets(): Promise<number>;
}

let tables = 0;

/** Counts what `router` forwards from one address to the other and back, from now on. */
export async function countBetween(router: Machine, a: string, b: string): Promise<TrafficCount> {
  const table = `between${++tables}`;
  const rules = [
    `add table ip ${table}`,
    `add counter ip ${table} both`,
    `add chain ip ${table} forward { type filter hook forward priority -10; }`,
    `add rule ip ${table} forward ip saddr ${a} ip daddr ${b} counter name both`,
    `add rule ip ${table} forward ip saddr ${b} ip daddr ${a} counter name both`,
  ];
  const { code, output } = await router.exec(["nft", "-f", "-"], { input: `${rules.join("\n")}\n` });
  if (code !== 0) throw new Error(output);
  return {
    async packets() {
      const { stdout } = await router.exec(["nft", "list", "counter", "ip", table, "both"]);
      return Number(/packets (\d+) bytes/.exec(stdout)?.[1] ?? Number.NaN);
    },
  };
}
