// Invites of public: from the invite to the game, for three pairs of homes, in Node and in Chromium. Relays have 40-150 ms each way.
import { fileURLToPath } from "node:url";
import { type Host, Lab } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import { startPublicRelays } from "../lab/public-relays.ts";
import type { BenchRow } from "./row.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HOST = fileURLToPath(new URL("../../examples/lobby/src/host.ts", import.meta.url));
const JOINS = 20;
const TARGET_MS = 3000;

interface Time {
  ms: number;
  kind: string;
}

export async function rows(): Promise<BenchRow[]> {
  const missing = prepare();
  if (missing !== undefined) throw new Error(missing);
  await using lab = await Lab.create();
  const { relays, stunServers, environment } = await startPublicRelays(lab, true);
  const home = async (nat: "port-restricted" | "full-cone" | "symmetric"): Promise<Host> =>
    await (await lab.gateway({ nat })).host();
  const pairs = [
    {
      name: "port-restricted hosts port-restricted",
      host: await home("port-restricted"),
      player: await home("port-restricted"),
    },
    { name: "full cone hosts symmetric", host: await home("full-cone"), player: await home("symmetric") },
    { name: "symmetric hosts public", host: await home("symmetric"), player: await lab.host() },
  ];
  const found: BenchRow[] = [];
  for (const { name, host, player } of pairs) {
    const game = host.spawn([process.execPath, HOST, "--lobby", "public", "--json"], {
      cwd: ROOT,
      env: { ...environment, SALLYPORT_VIA: "none" },
    });
    const { url, code } = await game.waitForJson<{ event: string; url: string; code: string }>(
      ({ event }) => event === "invite",
      30_000,
    );
    const options = { env: environment, timeoutMs: 300_000 };
    const node = new URL("../lab/modules/join-times.ts", import.meta.url);
    // The link, then the code, which takes a slow hash more, every other time.
    const invites = [url, code];
    const times = await player.run<Time[]>(node, { invites, relays, stunServers, joins: JOINS }, options);
    found.push(rowOf(`${name}, Node, link and code by turns`, times));
    const page = new URL("../lab/modules/browser.ts", import.meta.url);
    for (const tls of [false, true]) {
      const settings = { relays, stunServers };
      const inPage = await player.run<Time[]>(
        page,
        {
          address: player.address,
          invite: url,
          settings,
          joins: JOINS,
          tls,
        },
        options,
      );
      found.push(rowOf(`${name}, Chromium, ${tls ? "https" : "http"} page`, inPage));
    }
    game.kill("SIGTERM");
    await game.exited;
  }
  return found;
}

function rowOf(what: string, times: readonly Time[]): BenchRow {
  const sorted = times.map(({ ms }) => ms).toSorted((one, other) => one - other);
  const p50 = sorted[sorted.length >> 1] ?? 0;
  const kinds = [...new Set(times.map(({ kind }) => kind))].join(", ");
  return {
    what: `invite of public, ${what}: p50 of ${times.length} joins`,
    value: `${p50} ms`,
    target: `${TARGET_MS} ms`,
    met: p50 <= TARGET_MS && !times.some(({ kind }) => kind === "websocket"),
    detail: `${sorted[0]} to ${sorted.at(-1)} ms; ${kinds}`,
  };
}
