// Networks without IPv4: a home with unique local addresses alone, and a provider's, where a NAT64 leads to hosts that have IPv4.
import { writeFileSync } from "node:fs";
import { join as joinPath } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FoundGame } from "../../sdk/src/colyseus/client/found-game.ts";
import { type Gateway, type Host, Lab, type Machine } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GAMES = new URL("modules/lan-games.ts", import.meta.url);
/** A site's own (RFC 4193). */
const SITE = "fd00:5a11:0:64";
const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/lobby/src/${name}.ts`, import.meta.url));

async function run(machine: Machine, script: string): Promise<void> {
  const { code, output } = await machine.exec(["sh", "-ec", script]);
  if (code !== 0) throw new Error(`${script}: ${output}`);
}

/** Takes IPv4 from machines of a LAN, and gives them addresses of the site. */
async function withoutIPv4(gateway: Gateway, machines: readonly Host[]): Promise<string[]> {
  await run(gateway, `ip -6 addr add ${SITE}::1/64 dev lan nodad`);
  const addresses = machines.map((_, i) => `${SITE}::${i + 10}`);
  await Promise.all(
    machines.map((machine, i) =>
      run(
        machine,
        `sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.eth0.disable_ipv6=0
         ip -4 addr flush dev eth0
         ip -6 addr add ${addresses[i]}/64 dev eth0 nodad
         ip -6 route replace default via ${SITE}::1 dev eth0`,
      ),
    ),
  );
  return addresses;
}

async function join(machine: Machine, goal: string): Promise<Record<string, unknown>> {
  const args = [process.execPath, program("join"), goal, "--seconds", "0.5", "--json"];
  const player = machine.spawn(args, { cwd: ROOT });
  const joined = await player.waitForJson((value) => "connected" in value, 40_000);
  return { ...joined, output: player.output };
}

describeLab("a home without IPv4", () => {
  test("a game is found there, by an address that a URL can name, and played", async () => {
    await using lab = await Lab.create({ ipv6: true });
    const gateway = await lab.gateway();
    const machines = await Promise.all([gateway.host(), gateway.host()]);
    const [home, player] = machines;
    for (const machine of machines) await run(machine, "ip -6 addr flush dev eth0 scope global");
    const [address] = await withoutIPv4(gateway, machines);
    const game = home.spawn([process.execPath, program("host"), "--json"], {
      cwd: ROOT,
      env: { SALLYPORT_VIA: "none" },
    });
    const { addresses } = await game.waitForJson<{ event: string; addresses: string[] }>(
      ({ event }) => event === "lan",
      15_000,
    );
    expect(addresses).toEqual([address]);
    const games = await player.run<FoundGame[]>(GAMES, { application: "sallyport-arena", timeoutMs: 1500 });
    expect(games.map(({ url }) => url)).toEqual([`http://[${address}]:7777`]);
    expect(await join(player, games[0]?.url ?? "")).toMatchObject({ connected: true, path: "direct" });
  });
});

describeLab("behind a NAT64", () => {
  let lab: Lab;
  let guest: Host;
  let server: Host;
  let invite = "";

  /** tayga for packets, dnsmasq for the one name that tells the prefix (RFC 7050). */
  async function startNAT64(gateway: Gateway, prefix: string): Promise<void> {
    const { directory } = gateway;
    const configuration = [
      "tun-device nat64",
      "ipv4-addr 192.168.255.1",
      `ipv6-addr ${SITE}::64`,
      `prefix ${prefix}`,
      "dynamic-pool 192.168.255.0/24",
      `data-dir ${directory}`,
    ];
    const file = joinPath(directory, "tayga.conf");
    writeFileSync(file, `${configuration.join("\n")}\n`);
    await run(
      gateway,
      `tayga -c ${file} --mktun
       ip link set nat64 up
       ip route add 192.168.255.0/24 dev nat64
       ip -6 route add ${prefix} dev nat64
       nft insert rule inet filter forward iifname nat64 accept`,
    );
    gateway.spawn(["tayga", "-c", file, "--nodetach"]);
    const records = ["170", "171"].map((end) => `--host-record=ipv4only.arpa,${prefix.split("/")[0]}192.0.0.${end}`);
    const dns = [
      "--keep-in-foreground",
      "--no-resolv",
      "--no-hosts",
      "--conf-file=/dev/null",
      "--user=root",
      "--pid-file=",
    ];
    const dnsmasq = gateway.spawn(["dnsmasq", ...dns, "--log-facility=-", `--listen-address=${SITE}::1`, ...records]);
    await dnsmasq.waitForPort("udp", 53);
  }

  beforeAll(async () => {
    lab = await Lab.create();
    const [gateway, far] = await Promise.all([lab.gateway(), lab.gateway({ nat: "port-restricted" })]);
    const [machine, home, meeting, open] = await Promise.all([gateway.host(), far.host(), lab.host(), lab.host()]);
    [guest, server] = [machine, open];
    await run(
      gateway,
      "sysctl -qw net.ipv6.conf.all.disable_ipv6=0 net.ipv6.conf.lan.disable_ipv6=0 net.ipv6.conf.all.forwarding=1",
    );
    await withoutIPv4(gateway, [guest]);
    guest.etc("resolv.conf", `nameserver ${SITE}::1\n`);
    await startNAT64(gateway, "64:ff9b::/96");
    const env = { SALLYPORT_VIA: "none", SALLYPORT_LAN: "none" };
    const lobbyURL = `http://${meeting.address}:2567`;
    const lobbyEnv = { ...env, PUBLIC_URL: lobbyURL };
    const lobby = meeting.spawn([process.execPath, program("lobby")], { cwd: ROOT, env: lobbyEnv });
    const direct = server.spawn([process.execPath, program("host"), "--json"], { cwd: ROOT, env });
    await Promise.all([lobby.waitForPort("tcp", 2567), direct.waitForLine(/"event":"listening"/)]);
    const args = ["--lobby", lobbyURL, "--json"];
    const game = home.spawn([process.execPath, program("host"), ...args], { cwd: ROOT, env });
    const invited = await game.waitForJson<{ event: string; url: string }>(({ event }) => event === "invite", 20_000);
    invite = invited.url;
  }, 60_000);
  afterAll(async () => await lab?.[Symbol.asyncDispose]());

  test("a guest reaches an IPv4 host by its address", async () => {
    expect(await join(guest, `http://${server.address}:7777`)).toMatchObject({ connected: true, path: "direct" });
  });

  test("a guest reaches a punched IPv4 host by invite, from a lobby that has an address alone", async () => {
    const joined = await join(guest, invite);
    expect(joined).toMatchObject({ connected: true });
    expect(["direct", "punched"]).toContain(joined["path"]);
  });
});
