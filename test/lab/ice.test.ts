// ICE between real translators: candidates are exchanged by the test, all else happens in the namespaces.
import { expect, test } from "vitest";

import type { IcePath } from "../../sdk/src/ice/types.ts";
import { type Coturn, type Gateway, type Host, Lab, type LabProcess, type NatKind } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const PLAYER = new URL("./ice-player.ts", import.meta.url);

interface PathEvent extends Record<string, unknown> {
  event: "path";
  path: IcePath | null;
}
interface Report extends Record<string, unknown> {
  event: "report";
  path: IcePath | null;
  heard: number;
  longest: number;
}

/** Starts both, and lets each know of the other. */
async function introduce(stun: string, one: Host, other: Host, turn?: string[]): Promise<[LabProcess, LabProcess]> {
  const players: [LabProcess, LabProcess] = [
    one.spawnModule(PLAYER, { stun, turn, role: "controlling" }),
    other.spawnModule(PLAYER, { stun, turn, role: "controlled" }),
  ];
  const [here, there] = await Promise.all(
    players.map(async (player) => await player.waitForJson(({ event }) => event === "local", 20_000)),
  );
  players[0].write(`${JSON.stringify(there)}\n`);
  players[1].write(`${JSON.stringify(here)}\n`);
  return players;
}

async function path(player: LabProcess, fits: (path: IcePath) => boolean = () => true): Promise<IcePath> {
  const event = await player.waitForJson<PathEvent>(
    (value) => value.event === "path" && value.path !== null && fits(value.path),
    15_000,
  );
  if (event.path === null) throw new Error("no path");
  return event.path;
}

let reports = 0;
async function report(player: LabProcess): Promise<Report> {
  const number = ++reports;
  player.write(`${JSON.stringify({ do: "report", number })}\n`);
  return await player.waitForJson<Report>(({ event }) => event === "report");
}

describeLab("ICE", () => {
  test.each<{ a: NatKind | "public"; b: NatKind | "public"; kind: IcePath["kind"] }>([
    { a: "port-restricted", b: "port-restricted", kind: "punched" },
    { a: "masquerade-other-port", b: "address-restricted", kind: "punched" },
    { a: "symmetric", b: "full-cone", kind: "punched" },
    { a: "symmetric", b: "address-restricted", kind: "punched" },
    { a: "symmetric", b: "public", kind: "direct" },
  ])("$a meets $b: $kind", async ({ a, b, kind }) => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn();
    const home = async (nat: NatKind | "public"): Promise<Host> =>
      nat === "public" ? await lab.host() : await (await lab.gateway({ nat })).host();
    const hosts = await Promise.all([home(a), home(b)]);
    const players = await introduce(`${coturn.addresses[0]}:3478`, ...hosts);
    await Promise.all(
      players.map(async (player) => await player.waitForJson(({ event }) => event === "first", 15_000)),
    );
    for (const player of players) expect((await report(player)).path?.kind, player.output.join("\n")).toBe(kind);
  });

  test.each([
    { a: "symmetric", b: "symmetric", blockUdp: false },
    { a: "port-restricted", b: "port-restricted", blockUdp: true },
    { a: "symmetric", b: "port-restricted", blockUdp: true },
  ] as const)("$a meets $b over coturn (UDP blocked for one: $blockUdp)", async ({ a, b, blockUdp }) => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn();
    const gateways = await Promise.all([lab.gateway({ nat: a, blockUdp }), lab.gateway({ nat: b })]);
    const hosts = [await gateways[0].host(), await gateways[1].host()] as const;
    const server = `${coturn.addresses[0]}:3478`;
    const players = await introduce(server, ...hosts, [`turn:${server}`, `turn:${server}?transport=tcp`]);
    for (const player of players) {
      await expect.poll(async () => (await report(player)).heard, { timeout: 15_000 }).toBeGreaterThan(10);
      expect((await report(player)).path?.kind, player.output.join("\n")).toBe("relayed");
    }
  });

  /** Two behind port-restricted translators, with a relay in reserve, who play. */
  async function punched(lab: Lab): Promise<{ coturn: Coturn; gateways: Gateway[]; players: LabProcess[] }> {
    const coturn = await lab.coturn();
    const gateways = [await lab.gateway(), await lab.gateway()] as const;
    const hosts = [await gateways[0].host(), await gateways[1].host()] as const;
    const server = `${coturn.addresses[0]}:3478`;
    const players = await introduce(server, ...hosts, [`turn:${server}`]);
    await Promise.all(players.map(async (player) => await path(player, ({ kind }) => kind === "punched")));
    return { coturn, gateways: [...gateways], players };
  }

  async function hearsMore(player: LabProcess, packets: number): Promise<void> {
    const { heard } = await report(player);
    await expect.poll(async () => (await report(player)).heard, { timeout: 15_000 }).toBeGreaterThan(heard + packets);
  }

  test("coturn dies while the direct path is in use, and nobody notices", async () => {
    await using lab = await Lab.create();
    const { coturn, players } = await punched(lab);
    await coturn.stop();
    // Five seconds of packets.
    await Promise.all(players.map(async (player) => await hearsMore(player, 100)));
    for (const player of players) expect((await report(player)).path?.kind).toBe("punched");
  });

  test("the direct path dies: the relay takes over, until it is back", async () => {
    await using lab = await Lab.create();
    const { gateways, players } = await punched(lab);
    const [a, b] = gateways.map(({ wanAddress }) => wanAddress);
    const rules = `table inet block { chain forward { type filter hook forward priority -5;
      ip saddr ${a} ip daddr ${b} drop; ip saddr ${b} ip daddr ${a} drop; }; }`;
    await lab.internet.exec(["nft", rules]);
    await Promise.all(players.map(async (player) => await path(player, ({ kind }) => kind === "relayed")));
    await Promise.all(players.map(async (player) => await hearsMore(player, 20)));
    await lab.internet.exec(["nft", "delete table inet block"]);
    await Promise.all(players.map(async (player) => await path(player, ({ kind }) => kind === "punched")));
    await Promise.all(players.map(async (player) => await hearsMore(player, 20)));
  });

  test("two players behind one router that does not hairpin meet on the LAN", async () => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn();
    const gateway = await lab.gateway({ nat: "port-restricted" });
    const [one, other] = [await gateway.host(), await gateway.host()];
    const players = await introduce(`${coturn.addresses[0]}:3478`, one, other);
    const found = await Promise.all(players.map(async (player) => await path(player)));
    expect(found[0]?.remote.address).toBe(other.address);
    expect(found[1]?.remote.address).toBe(one.address);
    expect(found.map(({ kind }) => kind)).toEqual(["direct", "direct"]);
  });

  test("a gateway gets another address in mid-game: the path moves to it", async () => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn();
    const gateway = await lab.gateway({ nat: "port-restricted" });
    const [guest, host] = [await gateway.host(), await lab.host()];
    const [mover, stayer] = await introduce(`${coturn.addresses[0]}:3478`, guest, host);
    await Promise.all(
      [mover, stayer].map(async (each) => await each.waitForJson(({ event }) => event === "first", 15_000)),
    );
    await report(stayer);
    const before = gateway.wanAddress;
    await gateway.setWanAddress();
    expect(gateway.wanAddress).not.toBe(before);
    await path(stayer, ({ remote }) => remote.address === gateway.wanAddress);
    const { heard } = await report(stayer);
    await expect.poll(async () => (await report(stayer)).heard, { timeout: 10_000 }).toBeGreaterThan(heard + 10);
    expect((await report(mover)).path?.kind).toBe("direct");
  });

  test("symmetric meets port-restricted: ports are guessed", async () => {
    await using lab = await Lab.create();
    const coturn = await lab.coturn();
    const gateways = await Promise.all([lab.gateway({ nat: "symmetric" }), lab.gateway({ nat: "port-restricted" })]);
    const hosts = [await gateways[0].host(), await gateways[1].host()] as const;
    // Ports are guessed at who has answered over a relay.
    const server = `${coturn.addresses[0]}:3478`;
    const players = await introduce(server, ...hosts, [`turn:${server}`]);
    await Promise.all(players.map(async (player) => await path(player, ({ kind }) => kind === "relayed")));
    const filtering = "address-and-port-dependent";
    const views = [
      { mapping: "address-and-port-dependent", filtering },
      { mapping: "endpoint-independent", filtering },
    ];
    // A round meets with 98 %.
    const guess = async (): Promise<boolean> => {
      const found = players.map(async (player, i) => {
        const remote = [{ address: gateways[1 - i]?.wanAddress, port: 7777 }];
        player.write(`${JSON.stringify({ do: "guess", ours: views[i], theirs: views[1 - i], remote })}\n`);
        const answer = await player.waitForJson<{ event: string; found: boolean }>(
          ({ event }) => event === "guessed",
          30_000,
        );
        return answer.found;
      });
      return (await Promise.all(found)).every(Boolean);
    };
    expect((await guess()) || (await guess()) || (await guess())).toBe(true);
    for (const player of players) {
      await expect.poll(async () => (await report(player)).heard, { timeout: 15_000 }).toBeGreaterThan(0);
      expect((await report(player)).path?.kind).toBe("punched");
    }
  });
});
