// The main job, whole: a game behind a real home router, joined by a stranger on the internet.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Gateway, Host, LabProcess } from "./lab/index.ts";
import { Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const PORT = 7777;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

interface ReachabilityEvent extends Record<string, unknown> {
  event: "reachability";
  verdict: string;
  summary: string;
  endpoints: { kind: string; protocol: string; address: string; port: number }[];
  steps: { step: string; outcome: string; reason: string }[];
}

interface JoinResult extends Record<string, unknown> {
  connected: boolean;
  path: string;
  remote: string;
  sent: number;
  received: number;
  lost: number;
  unreliable: { sent: number; received: number };
}

/** A state directory of each machine's own, so that machines of the lab do not share a journal. */
let states = 0;
function environment(lab: Lab): Record<string, string> {
  return { XDG_STATE_HOME: `/tmp/${lab.prefix}-state-${++states}`, NO_COLOR: "1" };
}

function host(lab: Lab, machine: Host, env: Record<string, string> = {}): LabProcess {
  return machine.spawn([process.execPath, program("host"), "--port", String(PORT), "--json"], {
    env: { ...environment(lab), ...env },
    cwd: ROOT,
  });
}

function join(machine: Host, url: string, seconds: number, env: Record<string, string> = {}): LabProcess {
  return machine.spawn([process.execPath, program("join"), url, "--seconds", String(seconds), "--json"], {
    env,
    cwd: ROOT,
  });
}

const reachability = (
  process: LabProcess,
  fits: (event: ReachabilityEvent) => boolean,
  timeoutMs = 15_000,
): Promise<ReachabilityEvent> =>
  process.waitForJson<ReachabilityEvent>((event) => event.event === "reachability" && fits(event), timeoutMs);

const result = async (process: LabProcess): Promise<JoinResult> => {
  const line = await process.waitForJson<JoinResult>((value) => "connected" in value, 60_000);
  const exit = await process.exited;
  expect(exit.code, process.output.join("\n")).toBe(line.connected ? 0 : exit.code);
  return line;
};

const mapped = (event: ReachabilityEvent): ReachabilityEvent["endpoints"][number] | undefined =>
  event.endpoints.find(({ kind, protocol }) => kind === "mapped" && protocol === "udp");

/** Of the game itself; browsers' WebRTC has another (webrtc.test.ts). */
const portsOf = async (gateway: Gateway, machine: Host): Promise<string[]> =>
  (await gateway.mappings())
    .filter(({ internalAddress, internalPort }) => internalAddress === machine.address && internalPort === PORT)
    .map(({ protocol, externalPort }) => `${protocol} ${externalPort}`)
    .sort();

describeLab("a game behind a home router with miniupnpd", () => {
  test.each([
    { name: "IGDv2", upnp: { igd: 2 as const } },
    { name: "IGDv1", upnp: { igd: 1 as const } },
  ])(
    "$name: the port is taken, so another is mapped; a stranger joins; SIGTERM gives back ours alone",
    async ({ upnp }) => {
      await using lab = await Lab.create();
      const gateway = await lab.gateway({ nat: "port-restricted", upnp });
      const [other, home, stranger] = await Promise.all([gateway.host(), gateway.host(), lab.host()]);
      await gateway.addMapping({ host: other, protocol: "udp", externalPort: PORT });
      await gateway.addMapping({ host: other, protocol: "tcp", externalPort: PORT });

      const game = host(lab, home);
      const event = await reachability(game, ({ verdict }) => verdict === "mapped");
      const endpoint = mapped(event);
      expect(endpoint?.address).toBe(gateway.wanAddress);
      const port = endpoint?.port ?? 0;
      expect(port).not.toBe(PORT);
      expect(event.summary).toContain(`${gateway.wanAddress}:${port}`);
      // UDP and TCP on one number.
      expect(await portsOf(gateway, home)).toEqual([`tcp ${port}`, `udp ${port}`]);

      const joined = await result(join(stranger, `http://${gateway.wanAddress}:${port}`, 2));
      expect(joined).toMatchObject({
        connected: true,
        path: "direct",
        remote: `${gateway.wanAddress}:${port}`,
        lost: 0,
      });
      expect(joined.received).toBeGreaterThan(5);
      expect(joined.unreliable.received).toBeGreaterThan(5);

      game.kill("SIGTERM");
      expect((await game.exited).code, game.output.join("\n")).toBe(0);
      expect(await portsOf(gateway, home)).toEqual([]);
      expect(await portsOf(gateway, other)).toEqual([`tcp ${PORT}`, `udp ${PORT}`]);
    },
  );

  test("with 5 % loss nothing reliable is lost, and a mapping that is removed by hand comes back during play", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } });
    const [home, stranger] = await Promise.all([gateway.host(), lab.host()]);
    const game = host(lab, home, { SALLYPORT_RENEW_INTERVAL_MS: "1500" });
    await reachability(game, ({ verdict }) => verdict === "mapped");

    await gateway.setLoss(5);
    const player = join(stranger, `http://${gateway.wanAddress}:${PORT}`, 6);
    await game.waitForJson(({ event }) => event === "joined", 15_000);
    await gateway.removeMapping("udp", PORT);
    await reachability(game, (event) => mapped(event) === undefined || event.verdict !== "mapped");
    await reachability(game, ({ verdict }) => verdict === "mapped");
    expect(await portsOf(gateway, home)).toEqual([`tcp ${PORT}`, `udp ${PORT}`]);

    const joined = await result(player);
    expect(joined).toMatchObject({ connected: true, path: "direct", lost: 0 });
    expect(joined.received).toBe(joined.sent);
    await gateway.setLoss(0);
    expect(await result(join(stranger, `http://${gateway.wanAddress}:${PORT}`, 1))).toMatchObject({ path: "direct" });
    game.kill("SIGINT");
    expect((await game.exited).code).toBe(0);
    expect(await gateway.mappings()).toEqual([]);
  });

  test("the same port at the next start", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } });
    const [other, home] = await Promise.all([gateway.host(), gateway.host()]);
    await gateway.addMapping({ host: other, protocol: "udp", externalPort: PORT });
    const env = environment(lab);
    const ports: (number | undefined)[] = [];
    for (let start = 0; start < 2; start++) {
      const game = host(lab, home, env);
      ports.push(mapped(await reachability(game, ({ verdict }) => verdict === "mapped"))?.port);
      game.kill("SIGTERM");
      await game.exited;
    }
    expect(ports[0]).toBeGreaterThan(0);
    expect(ports[1]).toBe(ports[0]);
  });

  test("Ctrl-C while the ladder is climbed leaves nothing", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } });
    const home = await gateway.host();
    // From before anything is asked to long after all is mapped.
    for (const line of [/"event":"listening"/, /"event":"reachability"/, /"verdict":"mapped"/]) {
      const game = host(lab, home);
      await game.waitForLine(line);
      game.kill("SIGINT");
      expect((await game.exited).code, game.output.join("\n")).toBe(0);
      expect(await gateway.mappings()).toEqual([]);
    }
  });
});

describeLab("a game behind a router without port mapping", () => {
  test("STUN gives the verdict, and the reason why no port is mapped", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp: false });
    const [home, coturn] = await Promise.all([gateway.host(), lab.coturn()]);
    const servers = coturn.addresses.map((address) => `${address}:3478`).join(",");
    const game = host(lab, home, { SALLYPORT_STUN_URLS: servers });
    const event = await reachability(game, ({ verdict }) => verdict === "punchable");
    expect(event.endpoints).toContainEqual(
      expect.objectContaining({ kind: "reflexive", address: gateway.wanAddress, port: PORT }),
    );
    const final = await reachability(game, ({ steps }) =>
      steps.some(({ step, outcome }) => step === "upnp" && outcome === "absent"),
    );
    expect(final.summary).toMatch(/no router here answered/i);
    game.kill("SIGTERM");
    expect((await game.exited).code).toBe(0);
  });

  test("a WebSocket player and a UDP player see each other in one room", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "dmz", upnp: false });
    const home = await gateway.host();
    // A network that forwards no UDP, as some firms have; and one that does.
    const firm = await lab.gateway({ nat: "port-restricted", blockUdp: true });
    const [worker, friend] = await Promise.all([firm.host(), lab.host()]);
    const game = host(lab, home);
    await game.waitForLine(/"event":"listening"/);
    const url = `http://${gateway.wanAddress}:${PORT}`;
    const overWebSocket = join(worker, url, 6);
    await game.waitForJson(({ event }) => event === "joined", 20_000);
    const overUdp = join(friend, url, 2);
    await game.waitForJson(({ event, players }) => event === "joined" && players === 2, 20_000);
    const [slow, fast] = await Promise.all([result(overWebSocket), result(overUdp)]);
    expect(slow).toMatchObject({ connected: true, path: "websocket", lost: 0 });
    expect(fast).toMatchObject({ connected: true, path: "direct", lost: 0 });
    expect(slow["players"]).toBe(2);
    expect(fast["players"]).toBe(2);
    game.kill("SIGTERM");
    await game.exited;
  });

  test("a path that does not carry netcode's request, and says nothing of it, leads to a WebSocket", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "dmz", upnp: false });
    const tunnel = await lab.gateway({ nat: "port-restricted" });
    const [home, player] = await Promise.all([gateway.host(), tunnel.host()]);
    // A request is a packet of 1106 bytes.
    await tunnel.setMtu(1000);
    const game = host(lab, home);
    await game.waitForLine(/"event":"listening"/);
    const joined = await result(join(player, `http://${gateway.wanAddress}:${PORT}`, 2));
    expect(joined).toMatchObject({ connected: true, path: "websocket", lost: 0 });
    game.kill("SIGTERM");
    await game.exited;
  });
});
