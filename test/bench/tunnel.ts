/** A shared port beside the bare path: one line between two machines of the lab, slow and lossy at will. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { removeLeftovers } from "../lab/lab/cleanup.ts";
import { type Host, Lab, type LabProcess, Line } from "../lab/lab/index.ts";
import { prepare } from "../lab/lab/prepare.ts";
import type { BenchRow } from "./row.ts";
import type { AskArguments, Asked } from "./tunnel/ask.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = fileURLToPath(new URL("../../sdk/dist/cli/main.js", import.meta.url));
const LOBBY = fileURLToPath(new URL("../../examples/lobby/src/lobby.ts", import.meta.url));
const ECHO = new URL("tunnel/echo.ts", import.meta.url);
const ASK = new URL("tunnel/ask.ts", import.meta.url);
const LOCAL = "127.0.0.1";
const UDP_PORT = 7777;
const TCP_PORT = 5201;
const MBIT = 125_000;

/** Goals of the design. */
const ADDED_P99_MS = 1;
const DELIVERED_LESS = 0.005;
const DOWNLOAD_P99_MS = 5;

interface Iperf {
  end: { sum_received: { bits_per_second: number } };
}

export async function rows(): Promise<BenchRow[]> {
  const missing = prepare();
  if (missing)
    return [
      { what: "a shared port beside the bare path", value: "not measured", target: "", met: false, detail: missing },
    ];
  const lab = await Lab.create();
  try {
    return await measure(lab);
  } finally {
    await lab[Symbol.asyncDispose]();
    removeLeftovers();
  }
}

async function measure(lab: Lab): Promise<BenchRow[]> {
  const [host, guest] = [await lab.host(), await lab.host()];
  await using line = await Line.between(host, guest);
  // Nothing but the line leads from one to the other.
  await guest.unplug();
  const [remote] = line.addresses;
  const lobby = `http://${remote}:2567`;
  const running = host.spawn([process.execPath, LOBBY], { cwd: ROOT, env: { PUBLIC_URL: lobby } });
  await running.waitForPort("tcp", 2567);
  const echo = host.spawnModule(ECHO, UDP_PORT);
  await echo.waitForLine(/listening/);
  const iperf = host.spawn(["iperf3", "-s", "-p", String(TCP_PORT)]);
  await iperf.waitForPort("tcp", TCP_PORT);
  const sallyport = (on: Host, ...args: string[]): LabProcess =>
    on.spawn([process.execPath, CLI, ...args, "--json"], { cwd: ROOT, env: { SALLYPORT_VIA: "none" } });
  let ends: LabProcess[] = [];
  const end = async (): Promise<void> => {
    for (const each of ends) each.kill("SIGINT");
    await Promise.all(ends.map(({ exited }) => exited));
  };
  /** Another line is another path: a session that knew the old one would take its delay for a queue. */
  const begin = async (conditions: Parameters<Line["set"]>[0]): Promise<void> => {
    await end();
    await line.set(conditions);
    const sharing = sallyport(host, "share", `${UDP_PORT}/udp`, `${TCP_PORT}/tcp`, "--lobby", lobby);
    const { url } = await sharing.waitForJson<{ event: string; url: string }>(
      ({ event }) => event === "invite",
      30_000,
    );
    const joining = sallyport(guest, "join", url);
    ends = [sharing, joining];
    await joining.waitForJson<{ event: string; remotePort: number }>(
      ({ event, remotePort }) => event === "listening" && remotePort === TCP_PORT,
      30_000,
    );
  };
  const cpu = (): number => ends.reduce((sum, each) => sum + cpuOf(each), 0);

  const ask = (address: string, bytes: number, count: number, everyMs = 10): Promise<Asked> =>
    guest.run<Asked>(ASK, { address, port: UDP_PORT, bytes, count, everyMs } satisfies AskArguments, {
      timeoutMs: 120_000,
    });
  const download = async (address: string, seconds: number): Promise<number> => {
    const args = ["-c", address, "-p", String(TCP_PORT), "-t", String(seconds), "-R", "-J"];
    const { stdout } = await guest.exec(["iperf3", ...args], { timeoutMs: 120_000 });
    return (JSON.parse(stdout) as Iperf).end.sum_received.bits_per_second / 1e6;
  };
  const result: BenchRow[] = [];

  {
    await begin({});
    const bare = await ask(remote, 200, 1000);
    const before = cpu();
    const ours = await ask(LOCAL, 200, 1000);
    const perDatagram = (cpu() - before) / (4 * 1000);
    const added = ours.p99 - bare.p99;
    result.push({
      what: "tunnel: added round trip, 200 B at 100 Hz, calm line (lab)",
      value: `p50 ${ms(ours.p50 - bare.p50)}, p99 ${ms(added)}`,
      target: `p99 <= ${ADDED_P99_MS} ms`,
      met: added <= ADDED_P99_MS,
      detail: `bare ${ms(bare.p50)}, ${ms(bare.p99)}; tunnel ${ms(ours.p50)}, ${ms(ours.p99)}; CPU of both ends ${perDatagram.toFixed(2)} ms a datagram and end`,
    });
  }

  await begin({ delayMs: 15, loss: 0.05 });
  for (const bytes of [200, 1100, 1400]) {
    const [bare, ours] = [await ask(remote, bytes, 2000, 8), await ask(LOCAL, bytes, 2000, 8)];
    const [bareShare, share] = [bare.received / bare.sent, ours.received / ours.sent];
    const isWithin = share >= bareShare - DELIVERED_LESS && ours.p99 <= bare.p99 + ADDED_P99_MS;
    result.push({
      what: `tunnel: datagrams of ${bytes} B at 5 % loss each way, round trip 30 ms (lab)`,
      value: `${percent(share)} back, p99 ${ms(ours.p99)}`,
      target: `>= ${percent(bareShare - DELIVERED_LESS)}, p99 <= ${ms(bare.p99 + ADDED_P99_MS)}`,
      met: isWithin,
      detail: `bare ${percent(bareShare)}, p99 ${ms(bare.p99)}`,
    });
  }

  for (const mbits of [20, 100]) {
    for (const loss of [0, 0.01]) {
      await begin({ delayMs: 20, loss, bytesPerSecond: mbits * MBIT });
      const [bare, ours] = [await download(remote, 8), await download(LOCAL, 8)];
      const factor = loss === 0 ? 0.9 : 1;
      result.push({
        what: `tunnel: TCP at ${mbits} Mbit/s, round trip 40 ms, ${loss * 100} % loss (lab)`,
        value: `${ours.toFixed(1)} Mbit/s`,
        target: `>= ${(factor * bare).toFixed(1)} Mbit/s`,
        met: ours >= factor * bare,
        detail: `plain TCP ${bare.toFixed(1)}`,
      });
    }
  }

  await begin({ delayMs: 20, bytesPerSecond: 20 * MBIT });
  const calm = await ask(LOCAL, 200, 500);
  const loading = download(LOCAL, 10);
  const loaded = await ask(LOCAL, 200, 500);
  await loading;
  result.push({
    what: "tunnel: datagrams beside a download that fills 20 Mbit/s (lab)",
    value: `p99 ${ms(loaded.p99 - calm.p99)} more, ${percent(loaded.received / loaded.sent)} back`,
    target: `<= ${DOWNLOAD_P99_MS} ms more`,
    met: loaded.p99 - calm.p99 <= DOWNLOAD_P99_MS,
    detail: `calm ${ms(calm.p50)}, ${ms(calm.p99)}; beside the download ${ms(loaded.p50)}, ${ms(loaded.p99)}; half a second may wait in the line`,
  });
  await end();
  return result;
}

const ms = (value: number): string => `${value.toFixed(2)} ms`;
const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

/** Milliseconds of processor time that a process has had. */
function cpuOf({ pid }: LabProcess): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
