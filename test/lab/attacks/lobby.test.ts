// Strangers with many addresses against a lobby: what they learn of its codes, and what they make it spend.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Host, Lab, type LabProcess } from "../lab/index.ts";
import { describeLab } from "../lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const REQUESTS = new URL("../modules/lobby-requests.ts", import.meta.url);
const CROWD = new URL("../modules/lobby-crowd.ts", import.meta.url);
const PORT = 2567;
/** The stranger commands its own /48, and a whole provider's /32. */
const SITE = "2a13:7:7";
const PROVIDER = "2a12:0";

interface Asked {
  statuses: Record<string, number>;
  seconds: number;
  worstMs: number;
}

const program = (name: string): string => `${ROOT}/examples/lobby/src/${name}.ts`;

/** Those who learnt that their code is wrong. */
const guesses = ({ statuses }: Asked): number => statuses["521"] ?? 0;

/** What a process has used of the processor, s (proc(5): clock ticks of 10 ms). */
function cpuSeconds(pid: number): number {
  const [, fields = ""] = /^.*\) (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
  const [user, system] = fields.split(" ").slice(11, 13).map(Number);
  return ((user ?? 0) + (system ?? 0)) / 100;
}

describeLab("a lobby among strangers", () => {
  let lab: Lab;
  let machine: Host;
  let stranger: Host;
  let home: Host;
  let lobby: LabProcess;
  let url: string;

  beforeAll(async () => {
    lab = await Lab.create({ ipv6: true });
    [machine, stranger, home] = await Promise.all([lab.host(), lab.host(), lab.host()]);
    url = `http://[${machine.address6}]:${PORT}`;
    await stranger.exec(["sh", "-c", "echo 1 >/proc/sys/net/ipv6/ip_nonlocal_bind"]);
    for (const network of [`${SITE}::/48`, `${PROVIDER}::/32`]) {
      await stranger.exec(["ip", "-6", "route", "add", "local", network, "dev", "lo"]);
      await lab.internet.exec(["ip", "-6", "route", "add", network, "via", String(stranger.address6)]);
    }
  });
  afterAll(async () => await lab?.[Symbol.asyncDispose]());

  async function startLobby(env: Record<string, string> = {}): Promise<void> {
    await lobby?.stop();
    lobby = machine.spawn([process.execPath, program("lobby"), "--port", String(PORT)], {
      cwd: ROOT,
      env: { PUBLIC_URL: `http://${machine.address}:${PORT}/`, NO_COLOR: "1", ...env },
    });
    await lobby.waitForLine(/Lobby at/, 20_000);
  }

  const ask = async (args: object): Promise<Asked> =>
    await stranger.run<Asked>(REQUESTS, { lobby: url, concurrency: 64, ...args }, { timeoutMs: 100_000 });

  /** A hosted game, and the link to it. */
  async function startHost(): Promise<AsyncDisposable & { invite: string }> {
    const host = home.spawn(
      [process.execPath, program("host"), "--json", "--lobby", `http://${machine.address}:${PORT}`],
      { cwd: ROOT, env: { SALLYPORT_VIA: "none" } },
    );
    const { url: invite } = await host.waitForJson<{ event: string; url: string }>(
      ({ event }) => event === "invite",
      30_000,
    );
    return { invite, [Symbol.asyncDispose]: async () => void (await host.stop()) };
  }

  const join = async (invite: string, count: number): Promise<{ inside: number; reasons: object; slowestMs: number }> =>
    await lab.host().then((players) => players.run(CROWD, { invite, count }, { timeoutMs: 100_000 }));

  test("guesses from one address, a /64, a /48 and a /32; whose networks are quiet get in meanwhile", async () => {
    await startLobby();
    await using host = await startHost();
    const address = await ask({ what: "guess", count: 500, lobby: `http://${machine.address}:${PORT}` });
    expect(guesses(address)).toBeLessThanOrEqual(30 + Math.ceil(address.seconds));
    const network = await ask({ what: "guess", count: 2000, from: `${SITE}:7` });
    expect(guesses(network)).toBeLessThanOrEqual(30 + Math.ceil(network.seconds));
    const site = await ask({ what: "guess", count: 2500, from: SITE });
    expect(guesses(site)).toBeLessThanOrEqual(16 * (30 + Math.ceil(site.seconds)));
    const asHost = await ask({ what: "guess", asHost: true, count: 500, from: `${SITE}:9` });
    expect(guesses(asHost)).toBeLessThanOrEqual(30 + Math.ceil(asHost.seconds));
    const began = performance.now();
    const [provider, player] = await Promise.all([
      ask({ what: "guess", count: 5000, from: PROVIDER }),
      join(host.invite, 1),
    ]);
    expect(guesses(provider)).toBeLessThanOrEqual(64 * (30 + Math.ceil(provider.seconds)));
    expect(guesses(provider)).toBeLessThanOrEqual(400 + 200 * ((performance.now() - began) / 1000));
    expect(player).toMatchObject({ inside: 1 });
  });

  test("1500 registrations from one /64, 400 at once: little is hashed, and the lobby goes on answering", async () => {
    await startLobby();
    const before = cpuSeconds(lobby.pid);
    const watcher = await lab.host();
    const watch = (path: string): Promise<Asked> =>
      watcher.run<Asked>(REQUESTS, { lobby: `http://${machine.address}:${PORT}`, what: "get", path, count: 300 });
    const [flood, page, script] = await Promise.all([
      ask({ what: "register", count: 1500, concurrency: 400, from: `${SITE}:8` }),
      watch("/"),
      watch("/page.js"),
    ]);
    const cpu = cpuSeconds(lobby.pid) - before;
    // As many games as one caller may host.
    expect(flood.statuses["403"]).toBeLessThanOrEqual(16 + Math.ceil(flood.seconds / 10));
    // Of one /64 the lobby keeps a share of its connections; those beyond it are closed, when so many are there at once.
    expect(Object.values(flood.statuses).reduce((sum, count) => sum + count, 0)).toBe(1500);
    expect(cpu).toBeLessThan(15);
    expect(page.worstMs).toBeLessThan(5000);
    expect(script.worstMs).toBeLessThan(5000);
  });

  test("who asks behind a trusted proxy's back is not believed; by default nobody can", async () => {
    const direct = `http://${machine.address}:${PORT}`;
    await startLobby({ TRUST_PROXY: "1" });
    const refused = await ask({ what: "guess", count: 1, lobby: direct });
    expect(refused.statuses).toEqual({ "0": 1 });

    await startLobby({ TRUST_PROXY: "1", HOST: "::" });
    const forged = await ask({ what: "guess", count: 1000, lobby: direct, forged: true });
    expect(guesses(forged)).toBeLessThanOrEqual(30 + Math.ceil(forged.seconds));

    // A proxy on this machine names each client, and is believed.
    const believed = await machine.run<Asked>(REQUESTS, {
      lobby: `http://127.0.0.1:${PORT}`,
      what: "guess",
      count: 200,
      concurrency: 16,
      forged: true,
    });
    expect(guesses(believed)).toBe(200);
  });

  test("sixty players behind one address open one invite in the same moment, and all get in", async () => {
    await startLobby();
    await using host = await startHost();
    const crowd = await join(host.invite, 60);
    expect(crowd).toMatchObject({ inside: 60, reasons: {} });
  });
});
