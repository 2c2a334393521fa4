// Two machines with two processes each, one of them behind a home router, and one Redis.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { until } from "../until.ts";
import { type Gateway, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/fleet/src/${name}.ts`, import.meta.url));
const PORTS = [7001, 7002];

interface Joined extends Record<string, unknown> {
  event: "joined";
  roomId: string;
  sessionId: string;
  path: string;
  remote: string;
}

class Fleet implements AsyncDisposable {
  readonly lab: Lab;
  readonly #redis: Host;
  /** A machine on the internet, and one behind a router. */
  readonly #machines: readonly Host[];
  readonly gateway: Gateway;
  readonly client: Host;
  /** The processes by the address that they tell. */
  readonly processes = new Map<string, LabProcess>();

  private constructor(lab: Lab, redis: Host, machines: readonly Host[], gateway: Gateway, client: Host) {
    this.lab = lab;
    this.#redis = redis;
    this.#machines = machines;
    this.gateway = gateway;
    this.client = client;
  }

  static async create(): Promise<Fleet> {
    const lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "port-restricted", upnp: { igd: 2 } });
    const [redis, open, home, client] = await Promise.all([lab.host(), lab.host(), gateway.host(), lab.host()]);
    const persistence = ["--save", "", "--dir", redis.directory];
    const server = redis.spawn(["redis-server", "--port", "6379", "--protected-mode", "no", ...persistence]);
    await server.waitForPort("tcp", 6379);
    const fleet = new Fleet(lab, redis, [open, home], gateway, client);
    await Promise.all(fleet.addresses.map(async (address) => await fleet.start(address)));
    return fleet;
  }

  get addresses(): string[] {
    const [open] = this.#machines;
    return [open?.address, this.gateway.wanAddress].flatMap((address) => PORTS.map((port) => `${address}:${port}`));
  }

  get urls(): string[] {
    return this.addresses.map((address) => `http://${address}`);
  }

  async start(address: string): Promise<void> {
    const machine = this.#machines[address.startsWith(this.gateway.wanAddress) ? 1 : 0] as Host;
    const env = { REDIS_URL: `redis://${this.#redis.address}`, PORT: address.split(":")[1], SALLYPORT_STUN_URLS: "" };
    const server = machine.spawn([process.execPath, program("server")], { env, cwd: ROOT });
    await server.waitForJson(({ event, publicAddress }) => event === "listening" && publicAddress === address, 20_000);
    this.processes.set(address, server);
  }

  player(name: string, ...argv: string[]): LabProcess {
    return this.client.spawn([process.execPath, program("join"), "--name", name, ...argv], { cwd: ROOT });
  }

  /** Resolves when the processes have told Redis that they have so many rooms together. */
  async hasRooms(count: number): Promise<void> {
    const told = async (): Promise<boolean> => {
      const { stdout } = await this.#redis.exec(["redis-cli", "hvals", "roomcount"]);
      const rooms = stdout.split("\n").map((line) => Number(line.split(",")[0]));
      return rooms.reduce((sum, each) => sum + each, 0) === count;
    };
    await until(told, { what: `${count} rooms`, everyMs: 100 });
  }

  async mappings(): Promise<string[]> {
    const mappings = await this.gateway.mappings();
    return mappings.map(({ protocol, externalPort }) => `${protocol} ${externalPort}`).toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}

const joined = (player: LabProcess): Promise<Joined> =>
  player.waitForJson<Joined>(({ event }) => event === "joined", 30_000);
const says = (player: LabProcess, what: string): boolean =>
  player.output.some((line) => line.includes(`"event":"${what}"`));

/** Asks a program to end, which it must with 0 and before long. */
async function end(program: LabProcess): Promise<void> {
  program.kill("SIGTERM");
  const silence = new AbortController();
  const late = sleep(60_000, undefined, { signal: silence.signal }).then(() => ({ code: "still running" }));
  const { code } = await Promise.race([program.exited, late]);
  silence.abort();
  late.catch(() => undefined);
  expect(code, program.output.join("\n")).toBe(0);
}

describeLab("a fleet", () => {
  test("rooms by load, joins by id across machines, one process killed, all restarted one by one", {
    timeout: 240_000,
  }, async () => {
    await using fleet = await Fleet.create();
    expect(await fleet.mappings()).toEqual(["tcp 7001", "tcp 7002", "udp 7001", "udp 7002"]);

    // Everybody asks the same process, and each room is made in another: where the fewest players are.
    const names = ["ann", "bob", "cid", "dan"];
    const owners: LabProcess[] = [];
    const rooms: Joined[] = [];
    for (const [index, name] of names.entries()) {
      const owner = fleet.player(name, "--new", ...fleet.urls);
      owners.push(owner);
      rooms.push(await joined(owner));
      await fleet.hasRooms(index + 1);
    }
    expect(rooms.map(({ remote }) => remote).toSorted()).toEqual(fleet.addresses.toSorted());
    expect(rooms.map(({ path }) => path)).toEqual(names.map(() => "direct"));

    // By id, asking a process that has not got the room.
    const guests: LabProcess[] = [];
    for (const [index, { roomId, remote }] of rooms.entries()) {
      const elsewhere = fleet.urls.filter((url) => !url.includes(remote));
      const guest = fleet.player(`guest${index}`, "--room", roomId, elsewhere[index % elsewhere.length] ?? "");
      guests.push(guest);
      expect(await joined(guest)).toMatchObject({ roomId, remote, path: "direct" });
    }

    // One lobby lists them all, and no addresses.
    const listed = await fleet.client.run<{ roomId: string; name: string }[]>(
      new URL("./modules/fleet-lobby.ts", import.meta.url),
      { url: fleet.urls[0] },
    );
    const halls = listed.filter(({ name }) => name === "hall").map(({ roomId }) => roomId);
    expect(halls.toSorted()).toEqual(rooms.map(({ roomId }) => roomId).toSorted());
    expect(JSON.stringify(listed)).not.toContain("publicAddress");

    // One is killed: its players hear of it and play on elsewhere, with the steps that they had; the others notice nothing.
    const victim = rooms.findIndex(({ remote }) => !remote.startsWith(fleet.gateway.wanAddress));
    const address = rooms[victim]?.remote ?? "";
    const owner = owners[victim] as LabProcess;
    await owner.waitForJson(({ event, steps }) => event === "steps" && Number(steps) > 3);
    fleet.processes.get(address)?.kill("SIGKILL");
    await owner.waitForJson(({ event, code }) => event === "dropped" && code === 1006, 20_000);
    const again = await joined(owner);
    expect(again.remote).not.toBe(address);
    expect(fleet.addresses).toContain(again.remote);
    await owner.waitForJson(
      ({ event, roomId, steps }) => event === "steps" && roomId === again.roomId && Number(steps) > 3,
    );
    await fleet.start(address);
    for (const [index, player] of [...owners, ...guests].entries()) {
      if (index % names.length !== victim) expect(says(player, "dropped")).toBe(false);
    }
    // The guest of that room knew one process only.
    expect(await joined(guests[victim] as LabProcess)).toMatchObject({ path: "direct" });

    // A rolling restart with players on: each is told, finds another room, and never has to be started again.
    for (const restarting of fleet.addresses) {
      const server = fleet.processes.get(restarting) as LabProcess;
      await end(server);
      if (restarting.startsWith(fleet.gateway.wanAddress)) {
        expect((await fleet.mappings()).some((mapping) => mapping.endsWith(restarting.split(":")[1] ?? ""))).toBe(
          false,
        );
      }
      await fleet.start(restarting);
    }
    for (const player of owners) {
      const told = player.output
        .filter((line) => line.includes('"event":"left"'))
        .map((line) => JSON.parse(line) as object);
      expect(told.length).toBeGreaterThan(0);
      const inRoom = player.output.filter((line) => line.includes('"event":"joined"')).length;
      await player.waitForJson(({ event, steps }) => event === "steps" && Number(steps) > 3);
      expect(inRoom).toBeGreaterThan(1);
      await end(player);
    }
    expect(await fleet.mappings()).toEqual(["tcp 7001", "tcp 7002", "udp 7001", "udp 7002"]);
  });
});
