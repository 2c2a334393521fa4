// Invites of public: from the invite to the game, for three pairs of homes, in Node and in Chromium; relays have 40-150 ms each way.
// And what a stranger at the relays can do to it.
import { loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { publicCodeSecret } from "../../sdk/src/rendezvous/wire/code.ts";
import { type Host, Lab } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import { startPublicRelays } from "../lab/public-relays.ts";
import { median } from "../median.ts";
import { strangerRows } from "./invites/stranger.ts";
import type { BenchRow } from "./row.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const HOST = fileURLToPath(new URL("../../examples/lobby/src/host.ts", import.meta.url));
const NODE = new URL("../lab/modules/join-times.ts", import.meta.url);
const PAGE = new URL("../lab/modules/browser.ts", import.meta.url);
const JOINS = 20;
const TARGET_MS = 3000;
const OPTIONS = { timeoutMs: 600_000 };

/** Of lab/modules/join-times.ts. */
interface JoinTime {
  invite: number;
  introduced: number;
  seat: number;
  dialed: number;
  ms: number;
  kind: string;
}

export async function rows(): Promise<BenchRow[]> {
  const missing = prepare();
  if (missing !== undefined) throw new Error(missing);
  const hashMs = await slowHashMs();
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
      60_000,
    );
    const common = { invites: [url, code], joins: JOINS };
    const add = (where: string, times: readonly JoinTime[]): void => {
      for (const [index, by] of ["link", "code"].entries()) {
        const mine = times.filter(({ invite }) => invite === index);
        found.push(rowOf(`${name}, ${where}, by ${by}`, mine, by === "code" ? hashMs : undefined));
        process.stderr.write(`  ${found.at(-1)?.what} ${found.at(-1)?.value}\n`);
      }
    };
    const inNode = { ...common, relays, stunServers };
    add("Node", await player.run<JoinTime[]>(NODE, inNode, { ...OPTIONS, env: environment }));
    for (const tls of [false, true]) {
      const inPage = { ...common, address: player.address, settings: { relays, stunServers }, tls };
      add(`Chromium, ${tls ? "https" : "http"} page`, await player.run<JoinTime[]>(PAGE, inPage, OPTIONS));
    }
    game.kill("SIGTERM");
    await game.exited;
  }
  return [...found, ...(await strangerRows())];
}

/** Of a code, which a guest hashes once before its hello and once more to check the answer. */
async function slowHashMs(): Promise<number> {
  const began = performance.now();
  await publicCodeSecret("K7Q2-9FXM-T3PD");
  return Math.round(performance.now() - began);
}

function rowOf(what: string, times: readonly JoinTime[], hashMs: number | undefined): BenchRow {
  const part = (of: (time: JoinTime) => number): number => Math.round(median(times.map(of)));
  const all = times.map(({ ms }) => ms);
  const p50 = part(({ ms }) => ms);
  const kinds = [...new Set(times.map(({ kind }) => kind))].join(", ");
  const parts = `introduced ${part(({ introduced }) => introduced)}, seat ${part(({ seat }) => seat)}`;
  return {
    what: `invite of public, ${what}: p50 of ${times.length} joins`,
    value: `${p50} ms`,
    target: `${TARGET_MS} ms`,
    met: p50 <= TARGET_MS && !times.some(({ kind }) => kind === "websocket"),
    detail: [
      `${Math.min(...all)} to ${Math.max(...all)} ms; ${kinds}`,
      `medians: ${parts}, path dialed ${part(({ dialed }) => dialed)} ms`,
      ...(hashMs === undefined ? [] : [`one slow hash ${hashMs} ms in Node`]),
      `load ${loadavg()[0]?.toFixed(1)}`,
    ].join("; "),
  };
}
