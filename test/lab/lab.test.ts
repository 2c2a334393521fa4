import { expect, test } from "vitest";
import { type Host, Lab, type LabProcess, type NatKind, UPNP_HTTP_PORT } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const ASK = new URL("modules/ask.ts", import.meta.url);
const ECHO = new URL("modules/echo.ts", import.meta.url);
const RAW_REQUEST = new URL("modules/raw-request.ts", import.meta.url);
const HELLO = new URL("modules/hello.gd", import.meta.url);

/** Starts the echo on a port. */
async function echo(host: Host, port: number, delayMs = 0, family: 4 | 6 = 4): Promise<LabProcess> {
  const server = host.spawnModule(ECHO, { port, delayMs, family });
  await server.waitForLine(/listening/);
  return server;
}

describeLab.concurrent("NAT kinds, judged by coturn's own discovery (RFC 5780)", () => {
  const independent = "Endpoint Independent";
  const dependent = "Address and Port Dependent";
  test.each<[NatKind, string, string, boolean]>([
    ["full-cone", independent, independent, true],
    ["address-restricted", independent, "Address Dependent", true],
    ["port-restricted", independent, dependent, true],
    ["masquerade-other-port", independent, dependent, false],
    ["symmetric", dependent, dependent, false],
    ["dmz", independent, independent, true],
  ])("%s: %s mapping, %s filtering, port kept: %s", async (nat, mapping, filtering, keepsPort) => {
    await using lab = await Lab.create();
    const [coturn, gateway] = await Promise.all([lab.coturn(), lab.gateway({ nat })]);
    const host = await gateway.host();
    let stdout = "";
    // It asks each question once only, and a machine that stands still for a moment makes it give up.
    for (let asked = 0; asked < 3 && !stdout.includes("Mapping!"); asked++) {
      ({ stdout } = await host.exec(["turnutils_natdiscovery", "-m", "-f", coturn.address]));
    }
    expect(stdout).toContain(`NAT with ${mapping} Mapping!`);
    expect(stdout).toContain(`NAT with ${filtering} Filtering!`);
    const outside = /UDP reflexive addr: ([\d.]+):(\d+)/.exec(stdout);
    const inside = /Local addr: : [\d.]+:(\d+)/.exec(stdout);
    expect(outside?.[1]).toBe(gateway.wanAddress);
    expect(outside?.[2] === inside?.[1]).toBe(keepsPort);
  });

  test("a full cone lets two hosts of its LAN meet by its outside address, a port-restricted one does not", async () => {
    await using lab = await Lab.create();
    const outside = await lab.host();
    await echo(outside, 9000);
    const meet = async (nat: NatKind): Promise<string | null> => {
      const gateway = await lab.gateway({ nat });
      const [one, two] = await Promise.all([gateway.host(), gateway.host()]);
      await one.run(ASK, { address: outside.address, port: 9000, localPort: 7000, text: "here I am" });
      await echo(one, 7000);
      const reply = await two.run<string | null>(ASK, {
        address: gateway.wanAddress,
        port: 7000,
        text: "hi",
        timeoutMs: 700,
      });
      return reply?.replace(gateway.wanAddress, "WAN") ?? null;
    };
    expect(await Promise.all([meet("full-cone"), meet("port-restricted")])).toEqual(["WAN said hi", null]);
  });

  test("an idle mapping is forgotten after its timeout", async () => {
    await using lab = await Lab.create();
    const [outside, short, usual] = await Promise.all([
      lab.host(),
      lab.gateway({ udpTimeout: { unreplied: 1 } }),
      lab.gateway(),
    ]);
    const hosts = await Promise.all([short.host(), usual.host()]);
    await echo(outside, 9000, 2_500);
    const replies = hosts.map(
      async (host) => await host.run(ASK, { address: outside.address, port: 9000, text: "late", timeoutMs: 4_000 }),
    );
    expect(await Promise.all(replies)).toEqual([null, `${usual.wanAddress} said late`]);
  });
});

describeLab.concurrent("miniupnpd", () => {
  test.each([1, 2] as const)("IGD:%i maps for upnpc, and the mapping is reachable from the internet", async (igd) => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd } });
    const [host, client] = await Promise.all([gateway.host(), lab.host()]);
    const { stdout } = await host.exec(["upnpc", "-e", "a game", "-a", host.address, "7777", "8888", "udp", "600"]);
    expect(stdout).toContain(`external ${gateway.wanAddress}:8888 UDP is redirected to internal ${host.address}:7777`);
    const description = await host.exec(["curl", "-s", gateway.descriptionUrl]);
    expect(description.stdout).toContain(`urn:schemas-upnp-org:service:WANIPConnection:${igd}<`);
    const mapping = { protocol: "udp", externalPort: 8888, internalAddress: host.address, internalPort: 7777 };
    expect(await gateway.mappings()).toMatchObject([{ ...mapping, description: "a game" }]);

    await echo(host, 7777);
    const question = { address: gateway.wanAddress, port: 8888, text: "hello" };
    expect(await client.run(ASK, question)).toBe(`${client.address} said hello`);
    await gateway.removeMapping("udp", 8888);
    expect(await gateway.mappings()).toEqual([]);
    const other = await lab.host(); // conntrack still lets the old client through
    expect(await other.run(ASK, { ...question, timeoutMs: 500 })).toBeNull();
  });

  test("mappings survive a restart or not, as wanted; a reboot forgets connections too", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const [host, other, outside] = await Promise.all([gateway.host(), gateway.host(), lab.host()]);
    await gateway.addMapping({ host, protocol: "udp", externalPort: 7777 });
    await gateway.addMapping({ host: other, protocol: "tcp", externalPort: 7777, internalPort: 80 });
    const mapped = [
      { protocol: "udp", externalPort: 7777, internalAddress: host.address, internalPort: 7777 },
      { protocol: "tcp", externalPort: 7777, internalAddress: other.address, internalPort: 80 },
    ];
    await gateway.restartUpnp({ keepState: true });
    expect(await gateway.mappings()).toMatchObject(mapped);
    await gateway.restartUpnp({ keepState: false });
    expect(await gateway.mappings()).toEqual([]);
    const { stdout } = await host.exec(["upnpc", "-u", gateway.descriptionUrl, "-l"]);
    expect(stdout).not.toContain("7777");
    await host.exec(["ping", "-c1", "-W2", outside.address]);
    expect((await gateway.exec(["conntrack", "-L"])).stdout).toContain(host.address);
    await gateway.reboot();
    expect((await gateway.exec(["conntrack", "-L"])).stdout).not.toContain(host.address);
    await gateway.addMapping({ host, protocol: "udp", externalPort: 7777 });
  });

  test("NAT-PMP and PCP are there when switched on, and only then", async () => {
    await using lab = await Lab.create();
    const [on, off] = await Promise.all([
      lab.gateway({ upnp: { igd: false, natpmp: true } }),
      lab.gateway({ upnp: { igd: 2 } }),
    ]);
    const [host, without] = await Promise.all([on.host(), off.host()]);
    const externalAddress = { address: on.lanAddress, port: 5351, hex: "0000" };
    const announce = `02000000${"00".repeat(14)}ffff${toHex(host.address)}`;
    const [natpmp, pcp, none] = await Promise.all([
      host.run<string>(RAW_REQUEST, externalAddress),
      host.run<string>(RAW_REQUEST, { ...externalAddress, hex: announce }),
      without.run<string>(RAW_REQUEST, { ...externalAddress, address: off.lanAddress }),
    ]);
    expect(natpmp).toMatch(new RegExp(`^00800000.{8}${toHex(on.wanAddress)}$`));
    expect(pcp).toMatch(/^02800000/);
    expect(none).toBe("refused");
    expect((await host.exec(["curl", "-s", on.descriptionUrl])).code).not.toBe(0);

    // A mapping of each, for an hour, and away with it.
    const address = toHex(host.address);
    const nonce = "0123456789abcdef01234567";
    const map = `0201000000000e10${"00".repeat(10)}ffff${address}${nonce}110000001e611e61${"00".repeat(10)}ffff00000000`;
    await host.run(RAW_REQUEST, { ...externalAddress, hex: map });
    await host.run(RAW_REQUEST, { ...externalAddress, hex: "000200001e621e6200000e10" });
    expect(await on.mappings()).toMatchObject([
      { protocol: "udp", externalPort: 7777, internalAddress: host.address, internalPort: 7777 },
      { protocol: "tcp", externalPort: 7778, internalAddress: host.address, internalPort: 7778 },
    ]);
    await on.removeMapping("udp", 7777);
    await on.removeMapping("tcp", 7778);
    expect(await on.mappings()).toEqual([]);
  });

  test("behind a carrier's NAT it refuses, while packets get out", async () => {
    await using lab = await Lab.create();
    const [carrier, outside] = await Promise.all([lab.gateway({ carrierGrade: true }), lab.host()]);
    const home = await lab.gateway({ behind: carrier, upnp: { igd: 2, natpmp: true } });
    const host = await home.host();
    expect(home.wanAddress).toMatch(/^100\.64\./);
    expect((await host.exec(["ping", "-c1", "-W2", outside.address])).code).toBe(0);
    await echo(outside, 9000);
    const seen = await host.run(ASK, { address: outside.address, port: 9000, text: "hi" });
    expect(seen).toBe(`${carrier.wanAddress} said hi`);
    await expect(home.addMapping({ host, protocol: "udp", externalPort: 7777 })).rejects.toThrow(/501/);
    const request = { address: home.lanAddress, port: 5351, hex: "000100001e611e6100000258" };
    expect(await host.run(RAW_REQUEST, request)).toMatch(/^00810003/); // result 3: network failure
    expect(await home.mappings()).toEqual([]);
  });
});

describeLab.concurrent("the network", () => {
  test("loss is what was asked for", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "dmz" });
    const [host, client] = await Promise.all([gateway.host(), lab.host()]);
    const server = await echo(host, 7777);
    const target = { address: gateway.wanAddress, port: 7777 };
    await gateway.setLoss(20, "udp");
    await client.run(ASK, { ...target, text: "burst", count: 2_000 });
    await gateway.setLoss(100, "udp");
    expect(await client.run(ASK, { ...target, text: "lost", timeoutMs: 300 })).toBeNull();
    expect((await host.exec(["ping", "-c1", "-W2", client.address])).code).toBe(0);
    await gateway.setLoss(0);
    await client.run(ASK, { ...target, text: "end", count: 1 });
    const { count } = await server.waitForJson<{ event: string; count: number }>(({ event }) => event === "end");
    // 1600 expected, standard deviation 18
    expect(count).toBeGreaterThan(1_500);
    expect(count).toBeLessThan(1_700);
  });

  test("blocked UDP, other addresses, pulled cables", async () => {
    await using lab = await Lab.create();
    const [outside, blocked, gateway] = await Promise.all([lab.host(), lab.gateway({ blockUdp: true }), lab.gateway()]);
    const [shut, host] = await Promise.all([blocked.host(), gateway.host()]);
    await echo(outside, 9000);
    const question = { address: outside.address, port: 9000, text: "hi", timeoutMs: 500 };
    expect(await shut.run(ASK, question)).toBeNull();
    expect((await shut.exec(["ping", "-c1", "-W2", outside.address])).code).toBe(0);

    const before = gateway.wanAddress;
    await gateway.setWanAddress();
    expect(gateway.wanAddress).not.toBe(before);
    expect(await host.run(ASK, question)).toBe(`${gateway.wanAddress} said hi`);
    await gateway.setWanAddress("93.184.215.14");
    await host.setAddress();
    expect(await host.run(ASK, question)).toBe("93.184.215.14 said hi");
    await gateway.unplug();
    expect(await host.run(ASK, question)).toBeNull();
    await gateway.replug();
    await host.unplug();
    expect((await host.exec(["cat", "/sys/class/net/eth0/carrier"])).stdout).toBe("0\n");
    await host.replug();
    expect(await host.run(ASK, question)).toBe("93.184.215.14 said hi");
  });

  test("IPv6: public addresses behind a firewall, with a pinhole on request", async () => {
    await using lab = await Lab.create({ ipv6: true });
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const [host, client] = await Promise.all([gateway.host(), lab.host()]);
    const [address = "", clientAddress = ""] = [host.address6, client.address6];
    await echo(host, 7777, 0, 6);
    expect((await host.exec(["ping", "-c1", "-W2", clientAddress])).code).toBe(0);
    const question = { address, port: 7777, text: "hi", timeoutMs: 500 };
    expect(await client.run(ASK, question)).toBeNull();
    const upnpc = ["upnpc", "-6", "-u", `http://[${gateway.lanAddress6}]:${UPNP_HTTP_PORT}/rootDesc.xml`];
    const { stdout } = await host.exec([...upnpc, "-A", "", "0", address, "7777", "udp", "600"]);
    expect(stdout).toMatch(/Pinhole ID = \d+/);
    expect(await client.run(ASK, question)).toBe(`${clientAddress} said hi`);
  });

  test("TURN gives a relayed address to those who know the secret", async () => {
    await using lab = await Lab.create();
    const [coturn, gateway] = await Promise.all([
      lab.coturn({ users: { me: "word" } }),
      lab.gateway({ nat: "symmetric" }),
    ]);
    const host = await gateway.host();
    const client = ["turnutils_uclient", "-y", "-n", "3", "-c", "-u", "me"];
    const good = await host.exec([...client, "-w", "word", coturn.address]);
    expect(good.stdout).toContain("Total lost packets 0");
    const bad = await host.exec([...client, "-w", "wrong", coturn.address]);
    expect(bad.stdout).not.toContain("Total lost packets 0");
  });
});

describeLab.concurrent("programs", () => {
  test("Godot runs a script", async () => {
    await using lab = await Lab.create();
    const host = await lab.host();
    const godot = host.godot(HELLO, ["you"]);
    await godot.waitForLine(/^Godot 3 says hello to you$/);
    expect(await godot.exited).toEqual({ code: 0, signal: null });
  });

  test("what fails says why", async () => {
    await using lab = await Lab.create();
    const host = await lab.host();
    await expect(host.run(HELLO)).rejects.toThrow(/hello\.gd/);
    await expect(host.exec(["sleep", "60"], { timeoutMs: 50 })).rejects.toThrow("sleep 60: still running after 50 ms");
    const quiet = host.spawn(["sh", "-c", "echo something else; sleep 60"]);
    await expect(quiet.waitForLine(/never/, 200)).rejects.toThrow(/no line with \/never\/.*\nsomething else/s);
    expect(await quiet.stop()).toMatchObject({ signal: "SIGTERM" });
    expect(await host.exec(["sh", "-c", "exit 3"])).toMatchObject({ code: 3 });
    await expect(host.spawn(["no-such-program"]).waitForLine(/./)).rejects.toThrow(/no-such-program/);
  });
});

function toHex(address: string): string {
  return Buffer.from(address.split(".").map(Number)).toString("hex");
}
