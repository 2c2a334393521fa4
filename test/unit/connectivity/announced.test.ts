import { describe, expect, test } from "vitest";
import { AnnouncedHost, announcedName, checkAnnounce, isHostName } from "../../../sdk/src/connectivity/announced.ts";
import { optionsFromEnvironment } from "../../../sdk/src/connectivity/environment.ts";
import { withDefaults } from "../../../sdk/src/connectivity/options.ts";
import { AnnouncedRung } from "../../../sdk/src/connectivity/rungs/announced.ts";
import { assess, type Findings } from "../../../sdk/src/connectivity/verdict.ts";
import { TestContext } from "./rungs/context.ts";

const FINDINGS: Findings = {
  localPort: 2567,
  interfaces: [{ name: "eth0", address: "172.17.0.2" }],
  mappings: [],
  reflexive: [],
  gateways: [],
  steps: [],
};

describe("the options", () => {
  test.each([
    { host: "http://game.example" },
    { host: "game.example:2567" },
    { host: "" },
    { host: "10.0.0.300" },
    { host: `${"a".repeat(64)}.example` },
    { port: 0 },
    { port: 65_536 },
    { webrtcPort: 1.5 },
  ])("%o is refused", (announce) => {
    expect(() => checkAnnounce(announce)).toThrow(RangeError);
    expect(() => withDefaults({ announce })).toThrow(/^announce\.(host|port|webrtcPort) is/);
  });

  test("names and addresses are told apart", () => {
    for (const name of ["game.example", "localhost", "my_game", "xn--bcher-kva.example", "a.example."]) {
      expect([name, isHostName(name), announcedName({ host: name })]).toEqual([name, true, name]);
    }
    expect(announcedName({ host: "203.0.113.7" })).toBeUndefined();
    expect(announcedName({ host: "2001:db8::7" })).toBeUndefined();
    expect(announcedName({})).toBeUndefined();
  });

  test("a program's environment says them", () => {
    const environment = {
      SALLYPORT_ANNOUNCE_HOST: " game.example ",
      SALLYPORT_ANNOUNCE_PORT: "30000",
      SALLYPORT_ANNOUNCE_WEBRTC_PORT: "30001",
    };
    expect(optionsFromEnvironment(environment)).toEqual({
      announce: { host: "game.example", port: 30_000, webrtcPort: 30_001 },
    });
    const wrong = {
      SALLYPORT_ANNOUNCE_HOST: "http://x",
      SALLYPORT_ANNOUNCE_PORT: "0",
      SALLYPORT_ANNOUNCE_WEBRTC_PORT: "x",
    };
    expect(optionsFromEnvironment(wrong)).toEqual({});
    expect(optionsFromEnvironment({ SALLYPORT_ANNOUNCE_HOST: "" })).toEqual({});
  });
});

describe("the name", () => {
  test("keeps its addresses while nobody knows it any more", async () => {
    const answers: (string[] | Error)[] = [["11.0.1.1", "2a11::1"], new Error("ENOTFOUND"), [], ["11.0.1.2"]];
    const host = new AnnouncedHost({ host: "game.example" }, async () => {
      const answer = answers.shift() ?? [];
      if (answer instanceof Error) throw answer;
      return answer.map((address) => ({ address }));
    });
    const found = [];
    for (let i = 0; i < 4; i++) found.push([await host.refresh(), [...host.addresses]]);
    expect(found).toEqual([
      [true, ["11.0.1.1", "2a11::1"]],
      [false, ["11.0.1.1", "2a11::1"]],
      [false, ["11.0.1.1", "2a11::1"]],
      [true, ["11.0.1.2"]],
    ]);
  });

  test("an address is not looked up", async () => {
    const host = new AnnouncedHost({ host: "11.0.1.1" }, () => Promise.reject(new Error("asked")));
    expect([await host.refresh(), host.addresses]).toEqual([true, ["11.0.1.1"]]);
  });

  test("the rung says what it found, and what to check where it found nothing", async () => {
    let answer: { address: string }[] = [{ address: "11.0.1.1" }];
    await using context = new TestContext(
      { announce: { host: "game.example", port: 30_000 } },
      { lookUp: async () => answer },
    );
    const rung = new AnnouncedRung(context);
    await rung.open();
    expect(rung.findings).toEqual({ announced: { addresses: ["11.0.1.1"], port: 30_000 } });
    answer = [];
    await rung.refresh();
    expect(context.steps.map(({ outcome, reason }) => `${outcome}: ${reason}`)).toEqual([
      "ok: Announced at 11.0.1.1.",
      "failed: The announced name game.example has no address: check the name and this machine's DNS.",
    ]);
  });

  test("nothing is looked up, and nothing said, where nothing is announced", async () => {
    await using context = new TestContext({}, { lookUp: () => Promise.reject(new Error("asked")) });
    const rung = new AnnouncedRung(context);
    await rung.open();
    expect([rung.findings, context.steps]).toEqual([{}, []]);
  });
});

describe("the verdict", () => {
  test("an announced address comes first, and anyone can join there", () => {
    const { verdict, summary, endpoints } = assess({
      ...FINDINGS,
      announced: { addresses: ["11.0.1.1"], port: 30_000 },
    });
    expect(verdict).toBe("mapped");
    expect(summary).toBe("Anyone can join at 11.0.1.1:30000, as announced; nobody outside has tried it yet.");
    expect(endpoints.slice(0, 2)).toEqual(
      ["udp", "tcp"].map((protocol) => ({
        kind: "mapped",
        protocol,
        address: "11.0.1.1",
        port: 30_000,
        via: "announce",
        expiresAt: 0,
        verified: false,
        proof: "none",
      })),
    );
  });

  test("it holds behind another NAT too, whose address STUN sees: the person knows better", () => {
    const reflexive = [{ server: "stun", address: "11.0.9.9", port: 4000 }];
    const mappings = [
      {
        protocol: "udp",
        address: "100.64.0.2",
        port: 2567,
        via: "upnp",
        expiresAt: 0,
        verified: false,
        proof: "none",
        gatewayName: "box",
      },
    ] as const;
    const found = assess({ ...FINDINGS, reflexive, mappings, announced: { addresses: ["11.0.1.1"], port: undefined } });
    expect([found.verdict, found.endpoints[0]?.address, found.endpoints[0]?.port]).toEqual([
      "mapped",
      "11.0.1.1",
      2567,
    ]);
  });

  test("a port alone is announced at the address that others see", () => {
    const reflexive = [{ server: "stun", address: "11.0.9.9", port: 4000 }];
    const { endpoints } = assess({ ...FINDINGS, reflexive, announced: { addresses: undefined, port: 30_000 } });
    expect(endpoints[0]).toMatchObject({ via: "announce", address: "11.0.9.9", port: 30_000 });
    expect(assess({ ...FINDINGS, announced: { addresses: undefined, port: 30_000 } }).verdict).toBe("lan-only");
  });

  test("a private address is for this network, and one of this machine's own is told once", () => {
    const near = assess({ ...FINDINGS, announced: { addresses: ["192.168.1.10"], port: 2567 } });
    expect([near.verdict, near.endpoints[0]?.address]).toEqual(["lan-only", "192.168.1.10"]);
    const own = assess({
      ...FINDINGS,
      interfaces: [{ name: "eth0", address: "11.0.1.1" }],
      announced: { addresses: ["11.0.1.1"], port: undefined },
    });
    expect([own.verdict, own.endpoints.length]).toEqual(["open", 2]);
  });
});
