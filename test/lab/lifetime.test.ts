import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { EndpointKind, Reachability } from "../../sdk/src/connectivity/reachability.ts";
import type { IcePath } from "../../sdk/src/ice/types.ts";
import { type Endpoint, formatEndpoint } from "../../sdk/src/net/endpoint.ts";
import { type GatewayOptions, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const MAIN = fileURLToPath(new URL("../../sdk/dist/cli/main.js", import.meta.url));
const MEASURE = new URL("./modules/lifetime.ts", import.meta.url);
const STUN_SERVER = new URL("./modules/stun-server.ts", import.meta.url);
const HOST = new URL("./modules/patient-host.ts", import.meta.url);
const PLAYER = new URL("./ice-player.ts", import.meta.url);
const ASK = new URL("./modules/ask.ts", import.meta.url);
/** None of them is a timer of these tests. */
const WAITS_MS = [2_500, 4_700, 7_100, 9_300];

interface Measured {
  outcome: string;
  seconds: number | null;
  goneAfterSeconds: number | null;
  silences: [waitMs: number, survived: boolean][];
}

type Change = Partial<Reachability> & Pick<Reachability, "endpoints"> & Record<string, unknown>;

/** The timer, in s, from both sides, and not far from it. */
function expectTimer(measured: Measured, timer: number): void {
  const told = JSON.stringify(measured);
  expect(measured.outcome, told).toBe("measured");
  expect(measured.seconds, told).toBeLessThanOrEqual(timer);
  expect(measured.seconds, told).toBeGreaterThanOrEqual(0.7 * timer);
  expect(measured.goneAfterSeconds, told).toBeGreaterThanOrEqual(timer - 0.1);
  expect(measured.goneAfterSeconds, told).toBeLessThanOrEqual(1.3 * timer);
}

describeLab.concurrent("how long a NAT remembers", () => {
  test.each<{ nat: GatewayOptions["nat"]; unreplied: number; timer: number }>([
    // Linux goes over to its longer timer only after two seconds of exchange, so that it is the shorter that counts.
    { nat: "port-restricted", unreplied: 6, timer: 6 },
    { nat: "symmetric", unreplied: 4, timer: 4 },
    { nat: "masquerade-other-port", unreplied: 8, timer: 8 },
    // Remembers what went out by a table of its own, with one timer.
    { nat: "full-cone", unreplied: 4, timer: 8 },
  ])("$nat, measured with coturn: $timer s", async ({ nat, unreplied, timer }) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ ...(nat ? { nat } : {}), udpTimeout: { unreplied, stream: 8 } });
    const [host, coturn] = await Promise.all([gateway.host(), lab.coturn()]);
    const servers = [formatEndpoint(coturn)];
    expectTimer(await host.run<Measured>(MEASURE, { servers, waitsMs: WAITS_MS }), timer);
  });

  test("our own STUN server with one address answers to another port too", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ udpTimeout: { unreplied: 6, stream: 8 } });
    const [host, lobby] = await Promise.all([gateway.host(), lab.host()]);
    const server = lobby.spawnModule(STUN_SERVER, {});
    await server.waitForLine(/listening/);
    const servers = [formatEndpoint({ address: lobby.address, port: 3478 })];
    expectTimer(await host.run<Measured>(MEASURE, { servers, waitsMs: WAITS_MS }), 6);
  });

  test("with a server that answers to no other port, the NAT must give another port to be seen through", async () => {
    await using lab = await Lab.create();
    const udpTimeout = { unreplied: 6, stream: 8 };
    const [keeps, changes] = await Promise.all([
      lab.gateway({ udpTimeout }),
      lab.gateway({ nat: "masquerade-other-port", udpTimeout }),
    ]);
    const [one, other, plain] = await Promise.all([keeps.host(), changes.host(), lab.host()]);
    const server = plain.spawnModule(STUN_SERVER, { ignoresResponsePort: true });
    await server.waitForLine(/listening/);
    const servers = [formatEndpoint({ address: plain.address, port: 3478 })];
    const [untold, told] = await Promise.all([
      one.run<Measured>(MEASURE, { servers, waitsMs: WAITS_MS }),
      other.run<Measured>(MEASURE, { servers, waitsMs: WAITS_MS }),
    ]);
    expect(untold).toMatchObject({ outcome: "untold", seconds: null, silences: [] });
    expectTimer(told, 6);
  });

  test("`sallyport doctor --lifetime` says it in words", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ udpTimeout: { unreplied: 12, stream: 20 } });
    const [host, coturn] = await Promise.all([gateway.host(), lab.coturn()]);
    const command = [process.execPath, MAIN, "doctor", "--stun", formatEndpoint(coturn)];
    const [quick, patient, json] = await Promise.all([
      host.exec([...command, "--port", "7001"], { timeoutMs: 30_000, env: { NO_COLOR: "1" } }),
      host.exec([...command, "--port", "7002", "--lifetime"], { timeoutMs: 90_000, env: { NO_COLOR: "1" } }),
      host.exec([...command, "--port", "7003", "--lifetime", "--json"], { timeoutMs: 90_000 }),
    ]);
    expect(quick.stdout).not.toMatch(/remember/);
    expect(patient.stdout).toMatch(/10 s of silence: remembered/);
    expect(patient.stdout).toMatch(/15 s of silence: forgotten/);
    expect(patient.stdout).toMatch(
      /lifetime +Your router forgets a silent connection after about 1[123] s; Sallyport sends a packet every 5 s/,
    );
    const { nat } = JSON.parse(json.stdout) as Reachability;
    expect(nat.mappingLifetimeSeconds).toBeGreaterThanOrEqual(10);
    expect(nat.mappingLifetimeSeconds).toBeLessThanOrEqual(12);
  });
});

describeLab.concurrent("a host behind a NAT that forgets soon", () => {
  const udpTimeout = { unreplied: 9, stream: 9 };

  /** Waits for friends; resolves when it knows its NAT's lifetime. */
  async function wait(host: Host, stunServer: Endpoint, turnServers: object[] = []): Promise<LabProcess> {
    const stunServers = [formatEndpoint(stunServer)];
    const process = host.spawnModule(HOST, {
      port: 7777,
      via: [],
      stunServers,
      turnServers,
      lifetimeWaitsMs: WAITS_MS,
    });
    await process.waitForJson<Change>(({ nat }) => typeof nat?.mappingLifetimeSeconds === "number", 60_000);
    return process;
  }

  function endpoint({ output }: LabProcess, wanted: EndpointKind): Endpoint {
    const changes = output.filter((line) => line.includes('"change"')).map((line) => JSON.parse(line) as Change);
    const { address, port } = changes.at(-1)?.endpoints.find(({ kind }) => kind === wanted) ?? {};
    if (address === undefined || port === undefined) throw new Error(output.join("\n"));
    return { address, port };
  }

  test("stays open to strangers", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "full-cone", udpTimeout });
    const [host, stranger, coturn] = await Promise.all([gateway.host(), lab.host(), lab.coturn()]);
    const process = await wait(host, coturn);
    for (let joined = 0; joined < 3; joined++) {
      // Longer than the NAT remembers.
      await sleep(11_000);
      const said = await stranger.run(ASK, { ...endpoint(process, "reflexive"), text: "hello", timeoutMs: 1_000 });
      expect(said, process.output.join("\n")).toBe("hello");
    }
  });

  test("keeps the address that its friends were told, and is met there by one whom a lobby introduces", async () => {
    await using lab = await Lab.create();
    const gateways = await Promise.all([
      // Another port whenever it has forgotten, and a friend whose router lets in nobody but whom it was told of.
      lab.gateway({ nat: "masquerade-other-port", udpTimeout }),
      lab.gateway({ nat: "port-restricted" }),
    ]);
    const [host, friend, lobby] = await Promise.all([gateways[0].host(), gateways[1].host(), lab.host()]);
    // One address: as long as Linux remembers any flow of a socket, the next one has its port.
    const stunServer = { address: lobby.address, port: 3478 };
    await lobby.spawnModule(STUN_SERVER, {}).waitForLine(/listening/);
    const process = await wait(host, stunServer);
    // What was forgotten before the lifetime was known has been made anew at once.
    await sleep(2_000);
    const told = endpoint(process, "reflexive");
    await sleep(35_000);
    expect(endpoint(process, "reflexive"), process.output.join("\n")).toEqual(told);
    const player = friend.spawnModule(PLAYER, { stun: formatEndpoint(stunServer), role: "controlling" });
    process.write(`${JSON.stringify(await player.waitForJson(({ event }) => event === "local", 20_000))}\n`);
    player.write(`${JSON.stringify(await process.waitForJson(({ event }) => event === "local"))}\n`);
    const { path } = await process.waitForJson<Record<string, unknown> & { path: IcePath | null }>(
      ({ event, path }) => event === "path" && path !== null,
      15_000,
    );
    expect(path?.kind, process.output.join("\n")).toBe("punched");
  });

  test("keeps its relay, which would be lost with the way to it", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "symmetric", udpTimeout });
    const [host, lobby, coturn] = await Promise.all([gateway.host(), lab.host(), lab.coturn()]);
    await lobby.spawnModule(STUN_SERVER, {}).waitForLine(/listening/);
    const turn = { urls: `turn:${formatEndpoint(coturn)}`, username: "lab", credential: "lab" };
    const process = await wait(host, { address: lobby.address, port: 3478 }, [turn]);
    // The relay that was lost before the lifetime was known is made anew.
    await sleep(6_000);
    const relayed = endpoint(process, "relayed");
    await sleep(30_000);
    expect(endpoint(process, "relayed"), process.output.join("\n")).toEqual(relayed);
  });
});
