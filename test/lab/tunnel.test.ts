// Any program's ports through two routers: sallyport share and sallyport join, with programs that know of neither.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type GatewayOptions, type Host, Lab, type LabProcess } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";
import { startPublicRelays } from "./public-relays.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLI = fileURLToPath(new URL("../../sdk/dist/cli/main.js", import.meta.url));
const LOBBY = fileURLToPath(new URL("../../examples/lobby/src/lobby.ts", import.meta.url));
const godot = (name: string): URL => new URL(`../../examples/godot-enet/${name}.gd`, import.meta.url);

interface Said extends Record<string, unknown> {
  event: string;
}

describeLab("a shared port", () => {
  let lab: Lab;
  let environment: Record<string, string>;
  let lobby: string;

  const home = async (options: GatewayOptions): Promise<Host> => await (await lab.gateway(options)).host();

  function sallyport(on: Host, args: readonly string[]): LabProcess {
    const env = { ...environment, SALLYPORT_VIA: "none" };
    return on.spawn([process.execPath, CLI, ...args, "--json"], { cwd: ROOT, env });
  }

  /** A host that shares, and its invite. */
  async function share(on: Host, ...args: string[]): Promise<{ sharing: LabProcess; code: string; url: string }> {
    const sharing = sallyport(on, ["share", ...args]);
    const { code, url } = await sharing.waitForJson<Said & { code: string; url: string }>(
      ({ event }) => event === "invite",
      30_000,
    );
    return { sharing, code, url };
  }

  /** A guest that has joined: how, and where the port is. */
  async function join(
    on: Host,
    ...args: string[]
  ): Promise<{ joining: LabProcess; path: string; port: number; address: string }> {
    const joining = sallyport(on, ["join", ...args]);
    const { path } = await joining.waitForJson<Said & { path: string }>(({ event }) => event === "connected", 40_000);
    const { port, address } = await joining.waitForJson<Said & { port: number; address: string }>(
      ({ event }) => event === "listening",
    );
    return { joining, path, port, address };
  }

  async function playGodot(
    on: Host,
    port: number,
    seconds = 3,
  ): Promise<{ sent: number; received: number; largest: number }> {
    const client = on.godot(godot("client"), ["127.0.0.1", String(port), String(seconds)]);
    const line = await client.waitForLine(/^(?:DONE|FAILED)/, 30_000);
    await client.stop();
    const [sent = 0, received = 0, largest = 0] = line.split(" ").slice(1).map(Number);
    return { sent, received, largest };
  }

  async function end(...processes: LabProcess[]): Promise<void> {
    for (const each of processes) each.kill("SIGINT");
    for (const each of processes) expect((await each.exited).code, each.output.join("\n")).toBe(0);
  }

  beforeAll(async () => {
    lab = await Lab.create();
    ({ environment } = await startPublicRelays(lab));
    const meeting = await lab.host();
    lobby = `http://${meeting.address}:2567`;
    const running = meeting.spawn([process.execPath, LOBBY], { cwd: ROOT, env: { PUBLIC_URL: lobby, TURN: "own" } });
    await running.waitForPort("tcp", 2567);
  }, 120_000);

  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  test.each([
    ["public relays", "public", "port-restricted", "address-restricted", "punched"],
    ["a lobby", "lobby", "port-restricted", "port-restricted", "punched"],
    ["a lobby that relays", "lobby", "symmetric", "symmetric", "relayed"],
  ] as const)("Godot 3's ENet, unchanged, by %s", async (_what, by, hostNat, guestNat, expected) => {
    const [host, guest] = [await home({ nat: hostNat }), await home({ nat: guestNat })];
    const server = host.godot(godot("server"), ["7777"]);
    await server.waitForLine(/^SERVER 0/, 30_000);
    const { sharing, code, url } = await share(host, "7777", "--lobby", by === "public" ? "public" : lobby);
    const { joining, path, port, address } = await join(guest, by === "public" ? code : url);
    expect({ path, port, address }).toEqual({ path: expected, port: 7777, address: "127.0.0.1" });
    const { sent, received, largest } = await playGodot(guest, port);
    expect(sent).toBeGreaterThan(10);
    expect({ received, largest }).toEqual({ received: sent, largest: 40_000 });
    const joined = await server.waitForLine(/^JOINED/);
    // Not 127.0.0.1, which the program may trust.
    expect(joined).toMatch(/^JOINED .*127\.[1-9]\d{0,2}\.\d+\.\d+ /);
    await end(joining, sharing);
    await server.stop();
  });

  test("iperf3 by UDP and TCP under one number; the host killed, and found again by the same invite", async () => {
    const [host, guest] = [await home({ nat: "port-restricted" }), await home({ nat: "full-cone" })];
    const server = host.spawn(["iperf3", "-s", "-p", "5201"]);
    await server.waitForPort("tcp", 5201);
    const first = await share(host, "5201", "--lobby", lobby);
    const { joining, port } = await join(guest, first.url);
    expect(port).toBe(5201);
    const iperf = async (...args: string[]): Promise<IperfEnd> => {
      const { stdout, output } = await guest.exec([
        "iperf3",
        "-c",
        "127.0.0.1",
        "-p",
        "5201",
        "-t",
        "2",
        "-J",
        ...args,
      ]);
      const { end: said, error } = JSON.parse(stdout) as { end: IperfEnd; error?: string };
      expect(error, output).toBeUndefined();
      return said;
    };
    const tcp = await iperf();
    const udp = await iperf("-u", "-b", "1M", "-l", "1000");
    expect(tcp.sum_received.bits_per_second).toBeGreaterThan(1e6);
    expect(udp.sum.packets).toBeGreaterThan(100);
    expect(udp.sum.lost_percent).toBeLessThan(5);
    console.info(
      `iperf3: TCP ${Math.round(tcp.sum_received.bits_per_second / 1e6)} Mbit/s, UDP lost ${udp.sum.lost_percent} %`,
    );

    first.sharing.kill("SIGKILL");
    await first.sharing.exited;
    const second = await share(host, "5201", "--lobby", lobby);
    expect(second.code).toBe(first.code);
    await joining.waitForJson<Said>(({ event }) => event === "connected", 60_000);
    expect((await iperf()).sum_received.bytes).toBeGreaterThan(100_000);
    await end(joining, second.sharing);
    await server.stop();
  });
});

interface IperfEnd {
  sum_received: { bits_per_second: number; bytes: number };
  sum: { packets: number; lost_percent: number };
}
