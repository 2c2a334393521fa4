// Invites without a server: no lobby, no coturn. Public relays of which one is dead and one lies, each with the delay of a real one.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GatewayOptions, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import { startPublicRelays } from "./public-relays.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));
const NAME = "Friday night at Ann's";

type Home = "public" | "full cone" | "address-restricted" | "port-restricted" | "symmetric" | "carrier-grade";
const GATEWAYS: Record<Exclude<Home, "public" | "carrier-grade">, GatewayOptions> = {
  "full cone": { nat: "full-cone" },
  "address-restricted": { nat: "address-restricted" },
  "port-restricted": { nat: "port-restricted" },
  symmetric: { nat: "symmetric" },
};
const HOMES: readonly Home[] = [
  "public",
  "full cone",
  "address-restricted",
  "port-restricted",
  "symmetric",
  "carrier-grade",
];
const filtersByPort: readonly Home[] = ["port-restricted", "symmetric", "carrier-grade"];

/** What RFC 4787's behaviours allow without guessing ports. */
function canBeDirect(host: Home, player: Home): boolean {
  const isHard = filtersByPort.includes(host) && filtersByPort.includes(player);
  return !(isHard && [host, player].includes("symmetric"));
}

interface Report extends Record<string, unknown> {
  connected: boolean;
  path: string | null;
  connectMs: number;
  lost: number;
  remote: string | null;
}

interface Game {
  process: LabProcess;
  code: string;
  url: string;
}

describeLab("an invite of public", () => {
  let lab: Lab;
  let log: string;
  let environment: Record<string, string>;
  const games = new Map<Home, Game>();
  const players = new Map<Home, Host>();

  async function machine(home: Home): Promise<Host> {
    if (home === "public") return await lab.host();
    if (home !== "carrier-grade") return await (await lab.gateway(GATEWAYS[home])).host();
    const carrier = await lab.gateway({ nat: "port-restricted", carrierGrade: true });
    return await (await lab.gateway({ nat: "port-restricted", behind: carrier })).host();
  }

  async function host(on: Host): Promise<Game> {
    const process_ = on.spawn([process.execPath, program("host"), "--lobby", "public", "--name", NAME, "--json"], {
      cwd: ROOT,
      env: { ...environment, SALLYPORT_VIA: "none" },
    });
    const { code, url } = await process_.waitForJson<{ event: string; code: string; url: string }>(
      ({ event }) => event === "invite",
      30_000,
    );
    return { process: process_, code, url };
  }

  async function join(on: Host, invite: string): Promise<Report> {
    const player = on.spawn([process.execPath, program("join"), invite, "--seconds", "1", "--json"], {
      cwd: ROOT,
      env: environment,
    });
    const report = await player.waitForJson<Report>((value) => "connected" in value, 60_000);
    expect(report, player.output.join("\n")).toMatchObject({ connected: true, lost: 0 });
    return report;
  }

  beforeAll(async () => {
    lab = await Lab.create();
    ({ environment, log } = await startPublicRelays(lab));
    await Promise.all(
      HOMES.map(async (home) => {
        const [on, player] = await Promise.all([machine(home), machine(home)]);
        players.set(home, player);
        games.set(home, await host(on));
      }),
    );
  }, 120_000);

  afterAll(async () => {
    for (const { process: game } of games.values()) game.kill("SIGTERM");
    await Promise.all([...games.values()].map(({ process: game }) => game.exited));
    await lab[Symbol.asyncDispose]();
  });

  test("while hosts wait, they publish nothing", async () => {
    const text = await readFile(log, "utf8");
    expect(text).toContain("REQ");
    expect(text).not.toContain('[\\"EVENT\\"');
  });

  const pairs = HOMES.flatMap((home) => HOMES.map((player) => [home, player] as const)).filter(([home, player]) =>
    canBeDirect(home, player),
  );
  // Each at once with the others of its host: a machine of two cores has no more to give.
  test.each(HOMES)("leads every player who can be direct into the game, hosted at: %s", async (home) => {
    const game = games.get(home);
    const mine = pairs.filter(([each]) => each === home);
    const reports = await Promise.all(
      mine.map(async ([, player], i) => {
        const on = players.get(player);
        if (on === undefined || game === undefined) throw new Error("no such home");
        // The link and the bare code take turns.
        return { player, ...(await join(on, i % 2 === 0 ? game.url : game.code)) };
      }),
    );
    for (const { player, path } of reports) expect(["direct", "punched"], `${home}, ${player}`).toContain(path);
  });

  test("leads two players of one house together on the LAN, though the router does not hairpin", async () => {
    const gateway = await lab.gateway({ nat: "port-restricted" });
    const [first, second] = await Promise.all([gateway.host(), gateway.host()]);
    const game = await host(first);
    const report = await join(second, game.code);
    expect(report).toMatchObject({ path: "direct", remote: `${first.address}:7777` });
    game.process.kill("SIGTERM");
    await game.process.exited;
  });

  test("tells relays no address, no name and no code, and says no topic twice where it must not", async () => {
    const lines = (await readFile(log, "utf8")).trim().split("\n");
    const seen = lines.map((line) => JSON.parse(line) as { relay: string; text: string });
    const nostr = seen.filter(({ relay }) => relay !== "mqtt").map(({ relay, text }) => [relay, ...JSON.parse(text)]);
    const events = nostr.filter(([, verb]) => verb === "EVENT").map(([relay, , event]) => ({ relay, ...event }));
    expect(events.length).toBeGreaterThan(pairs.length);
    const contents = events.map(({ content }) => Buffer.from(content, "base64").toString("latin1"));
    const all = [...seen.map(({ text }) => text), ...contents].join("\n");
    const addresses = [...games.values()].flatMap(({ code, url }) => [code, url.split(".")[1] ?? ""]);
    const machines = [...players.values()].map(({ address }) => address);
    for (const secret of [...addresses, ...machines, NAME, "192.168.", "ufrag"]) expect(all).not.toContain(secret);

    const listens = nostr.filter(([, verb, id]) => verb === "REQ" && id === "t");
    const topics = listens.map(([relay, , , filter]) => ({ relay: relay as string, topics: filter["#x"] as string[] }));
    // Hosts listen to six at each relay, guests to one. None is known at two relays.
    const relaysOf = new Map<string, Set<string>>();
    for (const { relay, topics: some } of topics) {
      for (const topic of some) relaysOf.set(topic, (relaysOf.get(topic) ?? new Set()).add(relay));
    }
    for (const relays of relaysOf.values()) expect(relays.size).toBe(1);
    const replies = new Set(topics.filter((each) => each.topics.length === 1).flatMap((each) => each.topics));
    expect(replies.size).toBeGreaterThanOrEqual(3 * pairs.length);
    // A key publishes for one conversation, over however many relays.
    const joins = pairs.length + 1;
    expect(new Set(events.map(({ pubkey }) => pubkey)).size).toBe(2 * joins);
    // Some 14; a machine that is busy sends more again.
    expect(events.length / joins).toBeLessThan(40);
    console.info(`${(events.length / joins).toFixed(1)} Nostr events a join`);
  });
});
