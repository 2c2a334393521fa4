// Browsers behind home routers, and games behind home routers: real Chromium, real NATs.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hasChromium } from "../interop/page-chromium.ts";
import { type GatewayOptions, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SECRET = "a secret of lobby and coturn";
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

interface Report {
  kind: string;
  remote: string;
  reason: string;
  rttMs: number;
  connectMs: number;
  sent: number;
  echoes: number;
  players: number;
}

const play = (machine: Host, how: { invite?: string; url?: string }): Promise<Report> =>
  machine.run<Report>(new URL("./modules/browser.ts", import.meta.url), { address: machine.address, ...how });

/** A better pair may have been found since. */
const BY_WEBRTC = /^(WebRTC gets through|the path has changed)$/;

function expectPlayed(report: Report, reason = BY_WEBRTC): void {
  expect(report.reason).toMatch(reason);
  expect(report.players).toBe(1);
  expect(report.echoes).toBeGreaterThan(report.sent * 0.8);
}

describeLab.runIf(hasChromium)("a browser and a game", () => {
  test("by address: the router forwards the port of WebRTC too, and gets it back", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } });
    const [other, home] = await Promise.all([gateway.host(), gateway.host()]);
    const stranger = await (await lab.gateway({ nat: "symmetric" })).host();
    // Somebody has the port outside: another one is mapped, and told.
    await gateway.addMapping({ host: other, protocol: "udp", externalPort: 17777 });
    const env = { XDG_STATE_HOME: `/tmp/${lab.prefix}-state`, NO_COLOR: "1" };
    const game = home.spawn([process.execPath, program("host"), "--port", "7777", "--json"], { cwd: ROOT, env });
    await game.waitForJson<{ event: string; verdict: string }>(
      ({ event, verdict }) => event === "reachability" && verdict === "mapped",
      20_000,
    );
    const inner = async () =>
      (await gateway.mappings()).filter(({ internalAddress }) => internalAddress === home.address);
    await expect.poll(async () => (await inner()).some(({ internalPort }) => internalPort === 17777)).toBe(true);
    const outside = (await inner()).find(({ internalPort }) => internalPort === 17777)?.externalPort;
    expect(outside).not.toBe(17777);

    const report = await play(stranger, { url: `http://${gateway.wanAddress}:7777` });
    expectPlayed(report);
    expect(report).toMatchObject({ kind: "direct", remote: `${gateway.wanAddress}:${outside}` });

    game.kill("SIGTERM");
    expect((await game.exited).code, game.output.join("\n")).toBe(0);
    expect(await inner()).toEqual([]);
  });
});

const HOMES = {
  mapped: { nat: "port-restricted", upnp: { igd: 2 } },
  punchable: { nat: "port-restricted" },
  symmetric: { nat: "symmetric" },
  "UDP blocked": { nat: "port-restricted", blockUdp: true },
} as const satisfies Record<string, GatewayOptions>;

describeLab.runIf(hasChromium)("by invite, through routers that open nothing", () => {
  let lab: Lab;
  let lobby: string;
  const games: LabProcess[] = [];
  const invites = new Map<keyof typeof HOMES, string>();

  beforeAll(async () => {
    lab = await Lab.create();
    const coturn = await lab.coturn({ secret: SECRET });
    const meeting = await lab.host();
    lobby = `http://${meeting.address}:2567`;
    const lobbyProcess = meeting.spawn([process.execPath, program("lobby")], {
      cwd: ROOT,
      env: {
        PUBLIC_URL: lobby,
        STUN_URLS: `stun:${coturn.address}:3478`,
        TURN_URLS: `turn:${coturn.address}:3478?transport=udp,turn:${coturn.address}:3478?transport=tcp`,
        TURN_SECRET: SECRET,
      },
    });
    await lobbyProcess.waitForPort("tcp", 2567);
    for (const home of ["punchable", "symmetric", "mapped"] as const) {
      const machine = await (await lab.gateway(HOMES[home])).host();
      const game = machine.spawn([process.execPath, program("host"), "--lobby", lobby, "--json"], {
        cwd: ROOT,
        env: { SALLYPORT_VIA: home === "mapped" ? "upnp" : "none" },
      });
      games.push(game);
      const invite = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
      invites.set(home, invite.url);
    }
  }, 120_000);
  afterAll(async () => {
    for (const game of games) game.kill("SIGTERM");
    await Promise.all(games.map(({ exited }) => exited));
    await lab[Symbol.asyncDispose]();
  });

  test.each<[host: "punchable" | "symmetric" | "mapped", player: keyof typeof HOMES, kinds: string[]]>([
    ["mapped", "symmetric", ["direct", "punched"]],
    ["punchable", "punchable", ["direct", "punched"]],
    ["symmetric", "punchable", ["relayed"]],
    ["symmetric", "symmetric", ["relayed"]],
  ])("host %s, browser %s", async (host, player, kinds) => {
    const machine = await (await lab.gateway(HOMES[player])).host();
    const report = await play(machine, { invite: invites.get(host) ?? "" });
    expectPlayed(report);
    expect(kinds).toContain(report.kind);
  });

  // TURN over TCP would do too, but for Chromium's ICE-CONTROLLING of 0 there, which libjuice refuses (400).
  test("a browser whose UDP is blocked: WebSocket to the address that answers, of those that the host told", async () => {
    const machine = await (await lab.gateway(HOMES["UDP blocked"])).host();
    const report = await play(machine, { invite: invites.get("mapped") ?? "" });
    expectPlayed(report, /^WebRTC: no open channel over UDP within \d+ ms$/);
    expect(report.kind).toBe("websocket");
  });
});
