import { describe, expect, test } from "vitest";
import { assess, type Findings, isDialable } from "../../../sdk/src/connectivity/verdict.ts";

const lan: Findings = {
  localPort: 7777,
  interfaces: [{ name: "eth0", address: "192.168.1.5" }],
  mappings: [],
  reflexive: [],
  gateways: [],
  steps: [],
};
const mapping = {
  protocol: "udp" as const,
  address: "11.0.0.9",
  port: 40123,
  via: "upnp" as const,
  expiresAt: 5,
  verified: true,
  proof: "router" as const,
  gatewayName: "Acme Router",
};

describe("the verdict", () => {
  test("a public interface is open, even where STUN is silent", () => {
    const { verdict, summary } = assess({ ...lan, interfaces: [{ name: "eth0", address: "11.0.0.2" }] });
    expect(verdict).toBe("open");
    expect(summary).toContain("11.0.0.2:7777");
  });

  test("a global IPv6 address alone is not open: a home gateway's firewall stands before it", () => {
    expect(assess({ ...lan, interfaces: [{ name: "eth0", address: "2a02:8071::5" }] }).verdict).toBe("lan-only");
  });

  test("a mapping on a public address is mapped, and the sentence names port, router and protocol", () => {
    const { verdict, summary, endpoints } = assess({ ...lan, mappings: [mapping] });
    expect(verdict).toBe("mapped");
    expect(summary).toContain("11.0.0.9:40123");
    expect(summary).toContain("Acme Router");
    expect(summary).toContain("UPnP");
    expect(endpoints[0]).toMatchObject({ kind: "mapped", port: 40123, verified: true });
  });

  test("a mapping behind another NAT is not success: the outer address is private", () => {
    const { verdict, nat, summary } = assess({ ...lan, mappings: [{ ...mapping, address: "100.64.3.4" }] });
    expect(verdict).toBe("lan-only");
    expect(nat.carrierGrade).toBe(true);
    expect(summary).toContain("double or carrier-grade NAT");
  });

  test("a mapping behind another NAT is not success: STUN sees another address than the gateway says", () => {
    const { verdict, nat } = assess({
      ...lan,
      mappings: [mapping],
      reflexive: [{ server: "s", address: "11.0.0.77", port: 7777 }],
    });
    expect(verdict).toBe("punchable");
    expect(nat.carrierGrade).toBe(true);
  });

  test("a gateway that refuses and knows no outer address, while STUN sees one, stands behind another NAT", () => {
    const gateways = [{ via: "upnp" as const, name: "Acme", address: "192.168.1.1", externalAddress: "" }];
    const reflexive = [{ server: "s", address: "11.0.0.77", port: 7777 }];
    const { nat, summary } = assess({ ...lan, gateways, reflexive });
    expect(nat.carrierGrade).toBe(true);
    expect(summary).toContain("behind another NAT");
    expect(assess({ ...lan, gateways }).nat.carrierGrade).toBe(false);
  });

  test("a gateway that does not know its address borrows STUN's", () => {
    const { verdict, summary } = assess({
      ...lan,
      mappings: [{ ...mapping, address: "0.0.0.0" }],
      reflexive: [{ server: "s", address: "11.0.0.77", port: 7777 }],
    });
    expect(verdict).toBe("mapped");
    expect(summary).toContain("11.0.0.77:40123");
  });

  test("the sentence says what is proved: by a packet from outside, by the router, by nothing", () => {
    expect(assess({ ...lan, mappings: [mapping], probe: "arrived" })).toMatchObject({
      verdict: "mapped",
      summary: "Anyone can join at 11.0.0.9:40123: Acme Router forwards the port (UPnP).",
    });
    expect(assess({ ...lan, mappings: [mapping] })).toMatchObject({
      verdict: "mapped",
      summary:
        "Your router forwards port 40123; nobody outside has tried it yet. The address is 11.0.0.9:40123 (Acme Router, UPnP).",
    });
    const unproven = { ...mapping, verified: false, proof: "none" as const };
    expect(assess({ ...lan, mappings: [unproven] }).summary).toMatch(
      /^Your router says that it forwards port 40123; nobody outside has tried it yet\./,
    );
  });

  test.each([
    ["arrived", "outside", true],
    [undefined, "router", true],
  ] as const)("proof of a mapped endpoint, where the probe is %s: %s", (probe, proof, verified) => {
    const { endpoints } = assess({ ...lan, mappings: [mapping], probe });
    expect(endpoints[0]).toMatchObject({ kind: "mapped", proof, verified });
  });

  test("proof of the others: STUN's and TURN's answers came from outside, an interface proves nothing", () => {
    const { endpoints } = assess({
      ...lan,
      reflexive: [{ server: "s", address: "11.0.0.77", port: 7777 }],
      relayed: [{ address: "11.0.0.5", port: 5000, expiresAt: 0 }],
    });
    const proofs = endpoints.filter(({ protocol }) => protocol === "udp").map(({ kind, proof }) => `${kind} ${proof}`);
    expect(proofs.sort()).toEqual(["host none", "reflexive outside", "relayed outside"]);
    for (const { proof, verified } of endpoints) expect(verified).toBe(proof !== "none");
  });

  describe("a router behind a provider's box", () => {
    const behind: Findings = {
      ...lan,
      mappings: [{ ...mapping, address: "192.168.100.2", port: 7777 }],
      reflexive: [{ server: "s", address: "11.0.0.77", port: 7777 }],
    };

    test("a packet from outside came in: the box passes everything on, and it is called so", () => {
      const { verdict, summary, endpoints, nat } = assess({ ...behind, probe: "arrived" });
      expect(verdict).toBe("mapped");
      expect(summary).toBe(
        "Anyone can join at 11.0.0.77:7777: Acme Router forwards the port (UPnP), and the box in front of it passes everything on.",
      );
      expect(endpoints[0]).toMatchObject({ kind: "mapped", address: "11.0.0.77", port: 7777, proof: "outside" });
      expect(nat.carrierGrade).toBe(true);
    });

    test("nobody tried: the router's word says nothing of the box, and no stranger is sent there", () => {
      const assessed = assess(behind);
      expect(assessed.verdict).toBe("punchable");
      const mapped = assessed.endpoints.find(({ kind }) => kind === "mapped");
      expect(mapped).toMatchObject({ address: "11.0.0.77", proof: "none", verified: false });
      expect(mapped && isDialable(mapped, assessed.nat)).toBe(false);
    });

    test("no packet came in: it is no way in", () => {
      const { verdict, endpoints } = assess({ ...behind, probe: "silent" });
      expect(verdict).toBe("punchable");
      expect(endpoints.some(({ kind }) => kind === "mapped")).toBe(false);
    });
  });

  test("a device that says it were the router, and tells another address than STUN sees: nobody is sent there", () => {
    const said = { ...mapping, address: "9.9.9.9", proof: "none" as const, verified: false };
    const { verdict, endpoints, nat } = assess({
      ...lan,
      mappings: [said],
      reflexive: [{ server: "s", address: "11.0.0.77", port: 7777 }],
    });
    expect(verdict).toBe("punchable");
    const mapped = endpoints.find(({ kind }) => kind === "mapped");
    expect(mapped && isDialable(mapped, nat)).toBe(false);
  });

  test("two STUN servers that see one endpoint: punchable", () => {
    const { verdict, nat, endpoints } = assess({
      ...lan,
      reflexive: [
        { server: "a", address: "11.0.0.77", port: 7777 },
        { server: "b", address: "11.0.0.77", port: 7777 },
      ],
    });
    expect(verdict).toBe("punchable");
    expect(nat).toMatchObject({ mapping: "endpoint-independent", portPreservation: true, carrierGrade: false });
    expect(endpoints.filter(({ kind }) => kind === "reflexive")).toHaveLength(1);
  });

  test("two STUN servers that see two endpoints: relay only", () => {
    const { verdict, nat } = assess({
      ...lan,
      reflexive: [
        { server: "a", address: "11.0.0.77", port: 4001 },
        { server: "b", address: "11.0.0.77", port: 4002 },
      ],
    });
    expect(verdict).toBe("relay-only");
    expect(nat.mapping).toBe("address-and-port-dependent");
  });

  test("the reason of a refusing router ends up in the sentence", () => {
    const { verdict, summary } = assess({
      ...lan,
      steps: [
        { step: "pcp", outcome: "absent", ms: 1, reason: "Nothing answered." },
        {
          step: "upnp",
          outcome: "refused",
          ms: 1,
          reason: "Acme: UPnP is switched off for this machine (606).",
        },
      ],
    });
    expect(verdict).toBe("lan-only");
    expect(summary).toBe(
      "Only players on this network can join at 192.168.1.5:7777: Acme: UPnP is switched off for this machine (606).",
    );
  });

  test("no router at all is said as such, with what the person can do", () => {
    const absent = (step: string): Findings["steps"][number] => ({ step, outcome: "absent", ms: 1, reason: "x" });
    const { summary } = assess({ ...lan, steps: [absent("pcp"), absent("nat-pmp"), absent("upnp")] });
    expect(summary).toMatch(/no router here answered.*switch UPnP on/);
  });

  test("no network at all", () => {
    expect(assess({ ...lan, interfaces: [] }).summary).toContain("no network connection");
  });

  test("STUN that reports our own address means there is no NAT", () => {
    const { nat, endpoints } = assess({
      ...lan,
      interfaces: [{ name: "eth0", address: "11.0.0.2" }],
      reflexive: [{ server: "a", address: "11.0.0.2", port: 7777 }],
    });
    expect(nat).toMatchObject({ mapping: "none", filtering: "none" });
    expect(endpoints.every(({ kind }) => kind === "host")).toBe(true);
  });
});
