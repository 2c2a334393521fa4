// Players who relay for players: two homes that nothing direct connects, no TURN server, and a third player whose router forwards its port.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hasChromium } from "../interop/page-chromium.ts";
import { type Gateway, type GatewayOptions, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

interface Report extends Record<string, unknown> {
  connected: boolean;
  path: string | null;
  remote: string | null;
  lost: number;
  received: number;
  reason: string | null;
}

interface Said extends Record<string, unknown> {
  event: string;
  kind: string;
  remote: string;
  longestGapMs: number;
  sent: number;
  received: number;
}

const MAPPED: GatewayOptions = { nat: "port-restricted", upnp: { igd: 2 } };

describeLab("a player relays for others", () => {
  let lab: Lab;
  let lobby: string;

  beforeAll(async () => {
    lab = await Lab.create();
    const meeting = await lab.host();
    lobby = `http://${meeting.address}:2567`;
    // STUN alone: no TURN server anywhere.
    const process_ = meeting.spawn([process.execPath, program("lobby")], { cwd: ROOT, env: { PUBLIC_URL: lobby } });
    await process_.waitForPort("tcp", 2567, 60_000);
  }, 120_000);

  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  const home = async (options: GatewayOptions): Promise<Host> => await (await lab.gateway(options)).host();

  async function open(on: Host): Promise<{ process: LabProcess; url: string }> {
    const game = on.spawn([process.execPath, program("host"), "--lobby", lobby, "--json"], {
      cwd: ROOT,
      env: { SALLYPORT_VIA: "none" },
    });
    const { url } = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 60_000);
    return { process: game, url };
  }

  /** A player whose router maps its ports; answers when it is told that it may relay. */
  async function relay(invites: string[]): Promise<{ process: LabProcess; gateway: Gateway }> {
    const gateway = await lab.gateway(MAPPED);
    const player = (await gateway.host()).spawnModule(new URL("./modules/relaying-player.ts", import.meta.url), {
      invites,
    });
    // In whatever order: another player's relay may let it in before its own is ready.
    const seen = new Set<string>();
    await player.waitForJson(({ event, state }) => {
      if (event === "ready" || state === "offering") seen.add(String(event));
      return seen.size === 2;
    }, 60_000);
    return { process: player, gateway };
  }

  async function join(on: Host, url: string, seconds = 2): Promise<Report> {
    const player = on.spawn([process.execPath, program("join"), url, "--seconds", String(seconds), "--json"], {
      cwd: ROOT,
    });
    const report = await player.waitForJson<Report>((value) => "connected" in value, 60_000);
    expect(report, player.output.join("\n")).toMatchObject({ connected: true, lost: 0 });
    return report;
  }

  test("two symmetric NATs meet at its computer, and a home that blocks UDP gets there by TCP", async () => {
    const [host, symmetric, blocked] = await Promise.all([
      home({ nat: "symmetric" }),
      home({ nat: "symmetric" }),
      home({ nat: "port-restricted", blockUdp: true }),
    ]);
    const game = await open(host);
    const { process: player, gateway } = await relay([game.url]);
    const report = await join(symmetric, game.url);
    expect(report.path).toBe("relayed");
    expect(report.remote).toMatch(new RegExp(`^${gateway.wanAddress.replaceAll(".", "\\.")}:`));
    expect((await join(blocked, game.url)).path).toBe("relayed");
    if (hasChromium) {
      const page = await symmetric.run<{ kind: string; sent: number; echoes: number }>(
        new URL("./modules/browser.ts", import.meta.url),
        { address: symmetric.address, invite: game.url },
      );
      expect(page).toMatchObject({ kind: "relayed" });
      expect(page.echoes).toBeGreaterThan(page.sent * 0.8);
    }
    player.kill("SIGTERM");
    await player.exited;
    // Its ports are given back.
    expect(await gateway.mappings()).toEqual([]);
    game.process.kill("SIGTERM");
    await game.process.exited;
  });

  test("a relay leaves with a word: another takes over at once, a third is asked in its place, and nothing reliable is lost", async () => {
    const [host, guest] = await Promise.all([home({ nat: "symmetric" }), home({ nat: "symmetric" })]);
    const game = await open(host);
    const relays = await Promise.all([relay([game.url]), relay([game.url]), relay([game.url])]);
    const at = (remote: string): (typeof relays)[number] => {
      const found = relays.find(({ gateway }) => remote.startsWith(`${gateway.wanAddress}:`));
      if (found === undefined) throw new Error(`${remote} is no relay's`);
      return found;
    };
    const player = guest.spawnModule(new URL("./modules/gap-player.ts", import.meta.url), { invite: game.url });
    const joined = await player.waitForJson<Said>(({ event }) => event === "joined", 60_000);
    expect(joined.kind).toBe("relayed");
    const moved = async (from: string): Promise<string> => {
      const { remote } = await player.waitForJson<Said>(
        ({ event, remote: now }) => event === "path" && !now.startsWith(from),
        20_000,
      );
      return remote;
    };
    const gap = async (): Promise<number> => {
      player.write("gap\n");
      return (await player.waitForJson<Said>(({ event }) => event === "gap")).longestGapMs;
    };
    await gap();
    const first = at(joined.remote);
    first.process.kill("SIGTERM");
    const second = at(await moved(first.gateway.wanAddress));
    await first.process.exited;
    const withWord = await gap();
    // The third is asked in its place, and the guest is told of it.
    const third = relays.find((each) => each !== first && each !== second);
    const isAnswered = (): boolean => player.stdout.includes(`${third?.gateway.wanAddress}:`);
    await expect.poll(isAnswered, { timeout: 60_000 }).toBe(true);
    player.write("end\n");
    const end = await player.waitForJson<Said>(({ event }) => event === "end", 10_000);
    console.info(`longest gap: ${withWord} ms with a word`);
    expect(withWord).toBeLessThanOrEqual(1000);
    expect(end.received, player.output.join("\n")).toBe(end.sent);
    for (const each of [second, third, game]) each?.process.kill("SIGTERM");
    await game.process.exited;
  });
});
