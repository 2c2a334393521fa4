import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { Reachability } from "../../sdk/src/connectivity/reachability.ts";
import { type GatewayOptions, Lab } from "./lab/index.ts";
import { describeLab } from "./lab/vitest.ts";

const IGD = new URL("./modules/scripted-igd.ts", import.meta.url);
const MAIN = fileURLToPath(new URL("../../sdk/dist/cli/main.js", import.meta.url));

// What `turnutils_natdiscovery` says, in RFC 4787's words.
const WORDS: Record<string, string> = {
  "Endpoint Independent": "endpoint-independent",
  "Address Dependent": "address-dependent",
  "Address and Port Dependent": "address-and-port-dependent",
};

describeLab("sallyport doctor", () => {
  test.each<{ gateway: GatewayOptions; verdict: string; exit: number }>([
    { gateway: { nat: "full-cone" }, verdict: "open", exit: 0 },
    { gateway: { nat: "address-restricted" }, verdict: "punchable", exit: 0 },
    { gateway: { nat: "port-restricted" }, verdict: "punchable", exit: 0 },
    { gateway: { nat: "masquerade-other-port" }, verdict: "punchable", exit: 0 },
    { gateway: { nat: "symmetric" }, verdict: "relay-only", exit: 2 },
  ])(
    "a $gateway.nat NAT: $verdict, and agrees with coturn's own discovery",
    async ({ gateway: options, verdict, exit }) => {
      await using lab = await Lab.create();
      const gateway = await lab.gateway(options);
      const [host, judgeHost, coturn] = await Promise.all([gateway.host(), gateway.host(), lab.coturn()]);
      const [doctor, judge] = await Promise.all([
        host.exec([process.execPath, MAIN, "doctor", "--json", "--stun", `${coturn.address}:3478`], {
          timeoutMs: 30_000,
        }),
        judgeHost.exec(["turnutils_natdiscovery", "-m", "-f", coturn.address], { timeoutMs: 30_000 }),
      ]);
      const report = JSON.parse(doctor.stdout) as Reachability;
      expect(report.verdict, doctor.output).toBe(verdict);
      expect(doctor.code).toBe(exit);
      const word = (what: string): string | undefined =>
        WORDS[new RegExp(`NAT with (.*?) ${what}`).exec(judge.output)?.[1] ?? ""];
      expect({ mapping: report.nat.mapping, filtering: report.nat.filtering }, judge.output).toEqual({
        mapping: word("Mapping"),
        filtering: word("Filtering"),
      });
    },
  );

  test("a mapped port is proven by a packet from outside, for a person too", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ upnp: { igd: 2 } });
    const [host, coturn] = await Promise.all([gateway.host(), lab.coturn()]);
    const file = join(host.directory, "trace.jsonl");
    const { code, stdout, output } = await host.exec(
      [process.execPath, MAIN, "doctor", "--stun", `${coturn.address}:3478`, "--trace", file],
      { timeoutMs: 30_000, env: { NO_COLOR: "1" } },
    );
    expect(code, stdout).toBe(0);
    expect(stdout).toMatch(/✓ probe +A packet that nobody here asked for came in by/);
    expect(stdout).toMatch(/mapped {2}Anyone can join at 11\.0\.\d+\.2:7777/);
    expect(stdout).toMatch(
      /candidate {2}host 192\.168\.\d+\.\d+:7777, this computer's own: for players in the same network/,
    );
    expect(stdout).toMatch(/candidate {2}mapped 11\.0\.\d+\.2:7777, the router forwards it to us, by upnp/);
    // oxlint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/\u001b/);
    expect(await gateway.mappings()).toEqual([]);
    // From the first step to the last clean-up.
    expect(output).toContain(`Trace written to ${file}; it names addresses of your network.`);
    const events = readFileSync(file, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events[0]).toMatchObject({ event: "trace", program: "sallyport doctor" });
    const of = (name: string) => events.filter(({ event }) => event === name);
    expect(of("soap").length).toBeGreaterThan(3);
    expect(of("mapped")[0]).toMatchObject({ room: "gateway", via: expect.any(String) });
    expect(of("port-probe")).toContainEqual(expect.objectContaining({ room: "nat", result: "arrived" }));
    expect(of("unmapped").length).toBeGreaterThan(0);
  });

  test("a router that maps behind another NAT is found out", async () => {
    await using lab = await Lab.create();
    // The inner router's outer address looks public, so that only what comes in, or does not, tells.
    const outer = await lab.gateway({ lanPrefix: "11.200.1" });
    const inner = await lab.gateway({ behind: outer, upnp: { igd: 2 } });
    const [host, coturn] = await Promise.all([inner.host(), lab.coturn()]);
    const { stdout, output } = await host.exec(
      [process.execPath, MAIN, "doctor", "--json", "--stun", `${coturn.address}:3478`],
      { timeoutMs: 30_000 },
    );
    const report = JSON.parse(stdout) as Reachability;
    expect(report.verdict, output).toBe("punchable");
    expect(report.nat.carrierGrade).toBe(true);
    expect(report.steps).toContainEqual(expect.objectContaining({ step: "probe", outcome: "failed" }));
  });

  test.each<{ box: "dmz" | "port-restricted"; verdict: string; words: RegExp }>([
    {
      box: "dmz",
      verdict: "mapped",
      words: /Anyone can join at .*the box in front of it passes everything on/,
    },
    { box: "port-restricted", verdict: "punchable", words: /stands behind another NAT/ },
  ])(
    "a router behind a provider's box ($box), its private address accepted: $verdict",
    async ({ box, verdict, words }) => {
      await using lab = await Lab.create();
      const outer = await lab.gateway({ nat: box });
      // It leads everything to its first host. miniupnpd would not map behind a private address: many routers do.
      const inner = await lab.gateway({ behind: outer, nat: "dmz" });
      const [host, coturn] = await Promise.all([inner.host(), lab.coturn()]);
      const addresses = { address: inner.lanAddress, externalAddress: inner.wanAddress };
      await inner.spawnModule(IGD, addresses).waitForLine(/ready/);
      const args = ["doctor", "--json", "--accept-private-address", "--stun", `${coturn.address}:3478`];
      const { stdout, output } = await host.exec([process.execPath, MAIN, ...args], { timeoutMs: 40_000 });
      const report = JSON.parse(stdout) as Reachability;
      expect(report.verdict, output).toBe(verdict);
      expect(report.summary).toMatch(words);
      const mapped = report.endpoints.find(({ kind, protocol }) => kind === "mapped" && protocol === "udp");
      if (verdict !== "mapped") expect(mapped).toBeUndefined();
      else expect(mapped).toMatchObject({ address: outer.wanAddress, proof: "outside", verified: true });
    },
  );

  test("no gateway, no STUN server: exit code 3 and what to do", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway();
    const host = await gateway.host();
    const { code, stdout } = await host.exec([process.execPath, MAIN, "doctor"], {
      timeoutMs: 30_000,
      env: { NO_COLOR: "1" },
    });
    expect(code, stdout).toBe(3);
    expect(stdout).toMatch(/switch UPnP on in its settings/);
    expect(stdout).toMatch(/SALLYPORT_STUN_URLS/);
  });

  test("a TURN server gives a relayed endpoint, also where the NAT is symmetric", async () => {
    await using lab = await Lab.create();
    const gateway = await lab.gateway({ nat: "symmetric" });
    const [host, coturn] = await Promise.all([gateway.host(), lab.coturn({ users: { player: "secret" } })]);
    const turn = ["--turn", `turn:${coturn.address}:3478`, "--turn-username", "player", "--turn-credential", "secret"];
    const { stdout, code, output } = await host.exec(
      [process.execPath, MAIN, "doctor", "--json", "--stun", `${coturn.address}:3478`, ...turn],
      { timeoutMs: 30_000 },
    );
    const report = JSON.parse(stdout) as Reachability;
    expect(report.verdict, output).toBe("relay-only");
    expect(report.endpoints).toContainEqual(expect.objectContaining({ kind: "relayed", via: "turn", verified: true }));
    expect(code).toBe(2);
  });

  test("wrong usage is told, with exit code 64", async () => {
    await using lab = await Lab.create();
    for (const args of [
      ["--port", "0"],
      ["--port", "http"],
      ["--lobby", "x"],
      ["--nope"],
      ["extra"],
      ["--turn", "x"],
      ["--turn", "turn:a:1"],
    ]) {
      const { code, output } = await lab.internet.exec([process.execPath, MAIN, "doctor", ...args]);
      expect(code, args.join(" ")).toBe(64);
      expect(output).toMatch(/sallyport doctor/);
    }
  });
});
