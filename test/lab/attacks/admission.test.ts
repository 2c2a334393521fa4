// A stranger who takes whatever a game's doors give: seats, rooms, connect tokens, WebRTC offers, players' places. Somebody plays meanwhile
// and loses nothing, friends come in over UDP, and what was taken is given back. And a school that is no attack: sixty players behind one
// address who come back at once.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { eventOf } from "../forgery.ts";
import { type Host, Lab, type LabProcess } from "../lab/index.ts";
import { describeLab } from "../lab/vitest.ts";
import type { Hoard, HoarderArgs } from "../modules/hoarder.ts";
import type { Memory } from "../modules/memory-probe.ts";
import type { SchoolArgs, SchoolEvent } from "../modules/school.ts";
import type { ProxyArgs } from "../modules/tcp-proxy.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const program = (name: string): string => `${ROOT}/examples/lobby/src/${name}.ts`;
const module = (name: string): URL => new URL(`../modules/${name}.ts`, import.meta.url);
const PORT = 7777;
const PROXY_PORT = 8080;
const MB = 2 ** 20;
/** 30 000 take long. */
const MATCHMAKE_REQUESTS = Number(process.env["SALLYPORT_MATCHMAKE_REQUESTS"] ?? 5000);

interface Played {
  connected: boolean;
  path: string;
  lost: number;
  reason: string | null;
}

function startHost(machine: Host): LabProcess {
  return machine.spawn([process.execPath, program("host"), "--port", String(PORT), "--json"], {
    cwd: ROOT,
    env: {
      NO_COLOR: "1",
      SALLYPORT_VIA: "none",
      SALLYPORT_LAN: "none",
      NODE_OPTIONS: `--import ${module("memory-probe").href}`,
    },
  });
}

const listening = (host: LabProcess): Promise<unknown> => eventOf(host, "listening");

describeLab("a stranger who hoards", () => {
  let lab: Lab;
  let machine: Host;
  let friends: Host;
  let host: LabProcess;
  let url: string;

  beforeAll(async () => {
    lab = await Lab.create();
    [machine, friends] = await Promise.all([lab.host(), lab.host()]);
    url = `http://${machine.address}:${PORT}`;
    host = startHost(machine);
    await listening(host);
  });
  afterAll(async () => await lab?.[Symbol.asyncDispose]());

  async function memory(): Promise<number> {
    host.write("memory\n");
    const { heapUsed, external } = (await eventOf(host, "memory")) as unknown as Memory;
    return heapUsed + external;
  }

  const join = (seconds: number): LabProcess =>
    friends.spawn([process.execPath, program("join"), url, "--seconds", String(seconds), "--json"], { cwd: ROOT });
  const played = async (player: LabProcess): Promise<Played> =>
    (await player.waitForJson((line) => "connected" in line, 90_000)) as unknown as Played;

  /** A stranger on a machine of its own; what it holds it keeps until it ends. */
  async function hoard(args: Omit<HoarderArgs, "url">): Promise<Hoard & AsyncDisposable> {
    const stranger = (await lab.host()).spawnModule(module("hoarder"), { url, ...args } satisfies HoarderArgs);
    const taken = (await eventOf(stranger, "done", 120_000)) as unknown as Hoard;
    return { ...taken, [Symbol.asyncDispose]: async () => void (await stranger.stop()) };
  }

  /** What it has come to, where the test fails. */
  const said = (): string => host.output.slice(-20).join("\n");

  test("takes its share and no more; who plays loses nothing, and friends meet in one room", async () => {
    const before = await memory();
    const player = join(600);
    await eventOf(host, "joined");
    await using first = await hoard({ what: "join", count: 1 });
    const [seats, rooms, tokens, offers, sessions] = await Promise.all([
      // All seats of the room at once, and then twice a second.
      hoard({ what: "joinOrCreate", count: 140, seconds: 20 }),
      hoard({ what: "create", count: MATCHMAKE_REQUESTS }),
      hoard({ what: "tokens", count: 9500 }),
      hoard({ what: "offers", count: 200 }),
      hoard({ what: "sessions", count: 300, concurrency: 8 }),
    ]);
    await using stack = new AsyncDisposableStack();
    for (const each of [seats, rooms, tokens, offers, sessions]) stack.use(each);

    const friend = await played(join(1));
    expect(friend, said()).toMatchObject({ connected: true, path: "direct", lost: 0 });
    await using second = await hoard({ what: "join", count: 1 });
    expect(second.rooms).toEqual(first.rooms);
    player.kill("SIGINT");
    expect(await played(player), said()).toMatchObject({ connected: true, path: "direct", lost: 0, reason: null });
    expect(host.ended).toBe(false);

    expect(seats.statuses["200"]).toBeLessThanOrEqual(96 + seats.seconds / 4);
    expect(rooms.statuses["200"]).toBeLessThanOrEqual(96 + rooms.seconds / 4);
    expect(rooms.errors.join("\n")).toMatch(/wait \d+ seconds|as many rooms as it may/);
    expect(tokens.statuses["200"]).toBeLessThanOrEqual(4 + Math.ceil(tokens.seconds / 2));
    expect(offers.statuses["200"]).toBeLessThanOrEqual(96);
    expect(sessions.statuses["200"]).toBeLessThanOrEqual(128);
    await stack.disposeAsync();
    expect((await memory()) - before).toBeLessThan(20 * MB);
  });
});

describeLab("sixty players behind one address", () => {
  const PLAYERS = 60;

  test("come back at once when the host has been restarted: by IPv4, by IPv6, by a proxy that names nobody", async () => {
    await using lab = await Lab.create({ ipv6: true });
    const machine = await lab.host();
    let host = startHost(machine);
    await listening(host);
    machine.spawnModule(module("tcp-proxy"), { port: PROXY_PORT, to: PORT } satisfies ProxyArgs);
    const urls = [`${machine.address}:${PORT}`, `[${machine.address6}]:${PORT}`, `${machine.address}:${PROXY_PORT}`];
    const schools: LabProcess[] = [];
    for (const url of urls) {
      const school = (await lab.host()).spawnModule(module("school"), {
        url: `http://${url}`,
        players: PLAYERS,
      } satisfies SchoolArgs);
      schools.push(school);
      expect(await eventOf(school, "in")).toMatchObject({ paths: { direct: PLAYERS } });
    }
    host.kill("SIGKILL");
    await host.exited;
    host = startHost(machine);
    await listening(host);
    const back = await Promise.all(schools.map((school) => eventOf(school, "back", 60_000)));
    for (const [index, each] of (back as unknown as SchoolEvent[]).entries()) {
      expect(each).toMatchObject({ paths: { direct: PLAYERS }, reasons: [] });
      console.log(`${PLAYERS} players by ${urls[index]} are back in ${(each.ms / 1000).toFixed(1)} s`);
      // Three times sixty at once, all on this machine: one school alone takes a third.
      expect(each.ms).toBeLessThan(30_000);
    }
  });
});
