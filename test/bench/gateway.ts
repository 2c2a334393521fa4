/** Port mapping against Debian's miniupnpd in the lab, beside everybody else's mappers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Gateway, type Host, Lab, type LabProcess } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import { killAndRestart, openAndClose } from "../lab/modules/gateway-soak.ts";
import type { BenchRow } from "./row.ts";
import { makeUrgent } from "./urgent.ts";

const RUNS = 20;
const RUN = new URL("./gateway.run.ts", import.meta.url);
const CALLS = new URL("../lab/modules/upnp-calls.gd", import.meta.url);
const MAIN = fileURLToPath(new URL("../../sdk/src/cli/main.ts", import.meta.url));

interface Times {
  p50: number;
  p99: number;
  /** From before the library was loaded; of ours alone. */
  withLoading?: number;
  runs: number;
  failure?: string;
}

function timesOf(samples: readonly number[], failure?: string, loadings: readonly number[] = []): Times {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
  return {
    p50: at(0.5),
    p99: at(0.99),
    runs: sorted.length,
    ...(failure === undefined ? {} : { failure }),
    ...(loadings.length === 0 ? {} : { withLoading: timesOf(loadings).p50 }),
  };
}

function said({ p50, p99, runs, failure, withLoading }: Times): string {
  if (runs === 0) return `failed (${failure?.slice(0, 80)})`;
  const loading = withLoading === undefined ? "" : ` (with loading of the module ${withLoading.toFixed(0)} ms)`;
  return `p50 ${p50.toFixed(0)} ms${loading}, p99 ${p99.toFixed(0)} ms${failure === undefined ? "" : `, ${RUNS - runs} of ${RUNS} failed`}`;
}

/**
 * Each run in a process of its own: what is loaded when it is first needed counts. On each the first time that the router is
 * met, unless it `remembers`.
 */
async function measure(
  host: Host,
  gateway: Gateway,
  peer: string,
  { remembers = false, runs = RUNS }: { remembers?: boolean; runs?: number } = {},
): Promise<Times> {
  let state = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  const samples: number[] = [];
  const loadings: number[] = [];
  let failure: string | undefined;
  for (let i = 0; i < runs && !(i === 2 && samples.length === 0); i++) {
    const args = { peer, hostAddress: host.address, gatewayAddress: gateway.lanAddress, state };
    const outcome = await host
      .run<{ ms?: number; withLoadingMs?: number; error?: string }>(RUN, args)
      .catch((error: Error) => ({ error: error.message, ms: undefined, withLoadingMs: undefined }));
    if (outcome.ms === undefined) failure = outcome.error ?? "";
    else samples.push(outcome.ms);
    if (outcome.withLoadingMs !== undefined) loadings.push(outcome.withLoadingMs);
    if (!remembers) {
      rmSync(state, { recursive: true });
      state = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
    }
    // Peers leave their mapping behind.
    await gateway.restartUpnp({ keepState: false });
  }
  rmSync(state, { recursive: true });
  return timesOf(samples, failure, loadings);
}

async function measureUpnpc(host: Host, gateway: Gateway, runs: number): Promise<Times> {
  const samples: number[] = [];
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    const upnpc = host.spawn(["upnpc", "-a", host.address, "7777", "7777", "udp"]);
    makeUrgent(upnpc.pid);
    await upnpc.exited;
    if (upnpc.output.some((line) => line.includes("is redirected"))) samples.push(performance.now() - began);
    await gateway.restartUpnp({ keepState: false });
  }
  return timesOf(samples);
}

async function measureGodot(host: Host, gateway: Gateway, runs: number): Promise<Times> {
  const samples: number[] = [];
  for (let i = 0; i < runs; i++) {
    const calls = [
      ["discover", [2000, 2, "InternetGatewayDevice"]],
      ["add_port_mapping", [7777]],
    ];
    const godot = host.godot(CALLS, [JSON.stringify(calls)]);
    makeUrgent(godot.pid);
    // Without the start of the engine: it prints both moments.
    const [, ms = ""] = /^MS (\d+)/.exec(await godot.waitForLine(/^MS /, 60_000)) ?? [];
    await godot.stop();
    samples.push(Number(ms));
    await gateway.restartUpnp({ keepState: false });
  }
  return timesOf(samples);
}

/**
 * What a gateway drops that answers the search by a protocol and never maps by it. Bytes 0 and 1 of a request to PCP's port are the
 * version, 2 for PCP and 0 for NAT-PMP, and the opcode.
 */
const MUTE: Readonly<Record<string, string>> = {
  PCP: "udp dport 5351 @th,64,8 2 @th,72,8 1 drop;",
  // Without PCP, which would serve.
  "NAT-PMP": "udp dport 5351 @th,64,8 2 drop; udp dport 5351 @th,64,8 0 @th,72,8 1-2 drop;",
  UPnP: "tcp dport 5000 drop;",
};
const MUTE_RUNS = 5;

async function oneIsMute(host: Host, gateway: Gateway): Promise<BenchRow> {
  const told: string[] = [];
  let worst = 0;
  for (const [protocol, rules] of Object.entries(MUTE)) {
    const table = `table inet mute { chain input { type filter hook input priority 0; ${rules} }; }`;
    const { code, output } = await gateway.exec(["nft", "-f", "-"], { input: table });
    if (code !== 0) throw new Error(output);
    const times = await measure(host, gateway, "ours all", { runs: MUTE_RUNS });
    await gateway.exec(["nft", "delete", "table", "inet", "mute"]);
    told.push(`${protocol} ${times.runs < MUTE_RUNS ? said(times) : `${times.p99.toFixed(0)} ms`}`);
    worst = Math.max(worst, times.runs < MUTE_RUNS ? Number.POSITIVE_INFINITY : times.p99);
  }
  return {
    what: "one of three protocols mute -> mapped",
    value: `at worst of ${MUTE_RUNS}: ${told.join(", ")}`,
    target: "<= 1.5 s",
    met: worst <= 1500,
    detail: "the gateway answers the search by it, and never maps by it",
  };
}

function map(host: Host, state: string, port: number, ...more: string[]): LabProcess {
  return host.spawn([process.execPath, MAIN, "map", String(port), "--json", ...more], {
    env: { XDG_STATE_HOME: state },
  });
}

async function timeUntil(isSo: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 50));
  return performance.now() - began;
}

async function recovery(gateway: Gateway, host: Host, via: string, deaf: boolean): Promise<number> {
  const state = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  const child = map(host, state, 7777, "--via", via);
  await child.waitForLine(/"event":"mapped"/);
  const rules = "table inet deaf { chain input { type filter hook input priority 0; ip daddr 224.0.0.0/4 drop; }; }";
  if (deaf) await host.exec(["nft", "-f", "-"], { input: rules });
  await gateway.restartUpnp({ keepState: false, crash: true });
  const ms = await timeUntil(async () => (await gateway.mappings()).length === 2);
  child.kill();
  await child.exited;
  if (deaf) await host.exec(["nft", "delete", "table", "inet", "deaf"]);
  rmSync(state, { recursive: true });
  return ms;
}

async function verdict(host: Host, runs: number): Promise<number> {
  let worst = 0;
  for (let i = 0; i < runs; i++) {
    const child = map(host, tmpdir(), 7777);
    const { ms } = await child.waitForJson<{ event: string; ms: number }>(({ event }) => event === "failed");
    worst = Math.max(worst, ms);
    await child.exited;
  }
  return worst;
}

async function stolen(gateway: Gateway): Promise<number> {
  const state = mkdtempSync(join(tmpdir(), "sallyport-bench-"));
  const hosts = [await gateway.host(), await gateway.host()];
  const servers = hosts.flatMap((host, index) =>
    [7001, 7002].map((internal) => ({
      host,
      internal,
      child: map(
        host,
        join(state, String(index)),
        7777,
        "--internal",
        String(internal),
        "--via",
        internal === 7001 ? "upnp" : "auto",
      ),
    })),
  );
  const lines = await Promise.all(
    servers.map(({ child }) =>
      child.waitForJson<{ event: string; externalPort: number }>(({ event }) => event === "mapped"),
    ),
  );
  const table = await gateway.mappings();
  const kept = servers.filter(({ host, internal }, index) =>
    table.some(
      (row) =>
        row.externalPort === lines[index]?.externalPort &&
        row.internalAddress === host.address &&
        row.internalPort === internal,
    ),
  );
  for (const { child } of servers) child.kill();
  await Promise.all(servers.map(({ child }) => child.exited));
  rmSync(state, { recursive: true });
  return servers.length - kept.length;
}

export async function rows(): Promise<BenchRow[]> {
  const missing = prepare();
  if (missing !== undefined)
    return [{ what: "port mapping", value: `not measured: ${missing}`, target: "a lab", met: false }];
  const result: BenchRow[] = [];
  await using lab = await Lab.create();
  const gateway = await lab.gateway({ upnp: { igd: 2, pcp: true } });
  const host = await gateway.host();

  for (const via of ["pcp", "nat-pmp"] as const) {
    const times = await measure(host, gateway, `ours ${via}`);
    const peers: string[] = [];
    if (via === "nat-pmp") {
      for (const peer of ["@silentbot1/nat-api nat-pmp", "@achingbrain/nat-port-mapper nat-pmp"]) {
        peers.push(`${peer.replace(" nat-pmp", "")} ${said(await measure(host, gateway, peer))}`);
      }
    }
    result.push({
      what: `${via} gateway -> mapped`,
      value: [said(times), ...peers].join("; "),
      target: "p50 <= 30 ms",
      met: times.p50 <= 30,
      detail: `${RUNS} runs, each in a new process`,
    });
  }

  const upnp = await measure(host, gateway, "ours upnp");
  const again = await measure(host, gateway, "ours upnp", { remembers: true });
  const upnpc = await measureUpnpc(host, gateway, RUNS);
  const godot = await measureGodot(host, gateway, RUNS);
  const peers = [`upnpc ${said(upnpc)}`, `Godot 3 ${said(godot)}`];
  for (const peer of ["@silentbot1/nat-api upnp", "@achingbrain/nat-port-mapper upnp", "@runonflux/nat-upnp"]) {
    peers.push(`${peer.replace(" upnp", "")} ${said(await measure(host, gateway, peer))}`);
  }
  result.push({
    what: "UPnP-only gateway -> mapped",
    value: [said(upnp), `a router met before ${said(again)}`, ...peers].join("; "),
    target: "p50 <= 100 ms",
    met: upnp.p50 <= 100,
    detail: `${RUNS} runs, each in a new process`,
  });
  const ratio = Math.min(upnpc.p50, godot.p50) / upnp.p50;
  result.push({
    what: "UPnP, against upnpc and Godot",
    value: `${ratio.toFixed(1)} times faster`,
    target: ">= 15 times",
    met: ratio >= 15,
  });

  result.push(await oneIsMute(host, gateway));

  const announced = [
    await recovery(gateway, host, "upnp", false),
    await recovery(gateway, host, "pcp", false),
    await recovery(gateway, host, "nat-pmp", false),
  ];
  const worst = Math.max(...announced);
  result.push({
    what: "gateway restarted -> mapped again, announced",
    value: `${(worst / 1000).toFixed(1)} s at worst (UPnP, PCP, NAT-PMP: ${announced.map((ms) => (ms / 1000).toFixed(1)).join(", ")})`,
    target: "<= 6 s",
    met: worst <= 6000,
  });
  const deaf = [await recovery(gateway, host, "upnp", true), await recovery(gateway, host, "pcp", true)];
  result.push({
    what: "gateway restarted -> mapped again, unannounced",
    value: `${(Math.max(...deaf) / 1000).toFixed(1)} s at worst`,
    target: "<= 30 s",
    met: Math.max(...deaf) <= 30_000,
    detail: "multicast to the host is dropped",
  });

  const theft = await stolen(gateway);
  result.push({
    what: "ports stolen among two servers on each of two hosts",
    value: String(theft),
    target: "0",
    met: theft === 0,
  });

  await openAndClose(gateway, 1000);
  const opens = (await gateway.mappings()).length;
  result.push({ what: "mappings left by 1000 opens and closes", value: String(opens), target: "0", met: opens === 0 });
  await killAndRestart(gateway, 102);
  const kills = (await gateway.mappings()).length;
  result.push({
    what: "mappings left by 100 x kill -9 and restart",
    value: String(kills),
    target: "0",
    met: kills === 0,
  });

  await gateway.stopUpnp();
  const slowest = await verdict(host, 5);
  result.push({
    what: '"there is no gateway here"',
    value: `${slowest} ms at worst of 5`,
    target: "<= 1000 ms",
    met: slowest <= 1000,
  });
  return result;
}
