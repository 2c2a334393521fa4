import { formatEndpoint } from "../net/endpoint.ts";
import { addressScope } from "../net/scope.ts";
import type {
  NatBehaviour,
  NatDescription,
  Reachability,
  ReachableEndpoint,
  ReachableGateway,
  Step,
  Verdict,
} from "./reachability.ts";

/** A public endpoint of our socket as one STUN server saw it. */
export interface ReflexiveFinding {
  server: string;
  address: string;
  port: number;
}

/** All that was learnt, before it is judged. */
export interface Findings {
  /** The port that the game's socket is bound to, UDP and TCP. */
  localPort: number;
  /** Unicast addresses of the usable interfaces. */
  interfaces: readonly { name: string; address: string }[];
  /** What the person who hosts announces: addresses, unless it is the port alone; and the port, unless it is the game's own. */
  announced?: { addresses: readonly string[] | undefined; port: number | undefined } | undefined;
  /** What gateways forward to us. `address` is empty where the gateway does not know its outer address. */
  mappings: readonly (Omit<ReachableEndpoint, "kind"> & { gatewayName: string })[];
  reflexive: readonly ReflexiveFinding[];
  /** Addresses of ours on TURN servers. */
  relayed?: readonly { address: string; port: number; expiresAt: number }[] | undefined;
  /** What RFC 5780's tests found, where a STUN server with two addresses helped. */
  behaviour?: Pick<NatDescription, "mapping" | "filtering" | "hairpinning" | "portPreservation"> | undefined;
  /** How long the NAT remembers a mapping, in s, where that was measured. */
  mappingLifetimeSeconds?: number | null | undefined;
  /** Addresses stay hidden: no other way in than a relay is looked for. */
  relayOnly?: boolean | undefined;
  /** Whether a packet from outside came in by the mapped port; undefined where nobody could send one. */
  probe?: "arrived" | "silent" | undefined;
  gateways: readonly ReachableGateway[];
  steps: readonly Step[];
}

const VIA_NAMES = {
  pcp: "PCP",
  "nat-pmp": "NAT-PMP",
  upnp: "UPnP",
  interface: "",
  announce: "",
  stun: "STUN",
  turn: "TURN",
} as const;

/** Judges what was found: pure, so that each sentence can be tested. */
export function assess(findings: Findings): Reachability {
  const nat = describeNat(findings);
  const endpoints = [
    ...hostEndpoints(findings),
    ...announcedEndpoints(findings),
    ...mappedEndpoints(findings),
    ...reflexiveEndpoints(findings),
    ...relayedEndpoints(findings),
  ];
  endpoints.sort((a, b) => rank(a, nat) - rank(b, nat));
  const verdict = judge(endpoints, nat);
  return {
    verdict,
    summary: summarize(verdict, endpoints, nat, findings),
    endpoints,
    nat,
    gateways: [...findings.gateways],
    steps: [...findings.steps],
  };
}

/** Whether a stranger who knows the address can dial the endpoint without anybody's help. */
export function isDialable(endpoint: ReachableEndpoint, nat: NatDescription): boolean {
  if (addressScope(endpoint.address) !== "public") return false;
  // A NAT that lets everybody in through a mapping (full cone, DMZ host): as long as the mapping is kept alive.
  if (endpoint.kind === "reflexive") {
    return nat.mapping === "endpoint-independent" && nat.filtering === "endpoint-independent";
  }
  // A global IPv6 address usually stands behind the home gateway's firewall: only proof makes it dialable.
  if (endpoint.kind === "host") return !endpoint.address.includes(":") || endpoint.verified;
  if (endpoint.via === "announce") return true;
  // Behind another NAT, nobody's word counts but a packet's.
  return endpoint.kind === "mapped" && (endpoint.proof !== "none" || !nat.carrierGrade);
}

function rank(endpoint: ReachableEndpoint, nat: NatDescription): number {
  const dialable = isDialable(endpoint, nat);
  const kind = { host: dialable ? 1 : 5, mapped: dialable ? 2 : 6, reflexive: 3, relayed: 4 }[endpoint.kind];
  if (endpoint.via === "announce") return endpoint.protocol === "tcp" ? 1 : 0;
  return kind * 4 + (endpoint.protocol === "tcp" ? 2 : 0) + (endpoint.verified ? 0 : 1);
}

function hostEndpoints({ interfaces, localPort }: Findings): ReachableEndpoint[] {
  return interfaces.flatMap(({ address }) =>
    (["udp", "tcp"] as const).map((protocol) => ({
      kind: "host" as const,
      protocol,
      address,
      port: localPort,
      via: "interface" as const,
      expiresAt: 0,
      verified: false,
      proof: "none" as const,
    })),
  );
}

/** Where only a port is announced, the address is the one that others see of us. */
function announcedEndpoints({ announced, reflexive, interfaces, localPort }: Findings): ReachableEndpoint[] {
  if (announced === undefined) return [];
  const { addresses = reflexive.map(({ address }) => address), port = localPort } = announced;
  return [...new Set(addresses)]
    .filter((address) => port !== localPort || !interfaces.some((own) => own.address === address))
    .flatMap((address) =>
      (["udp", "tcp"] as const).map((protocol) => ({
        kind: "mapped" as const,
        protocol,
        address,
        port,
        via: "announce" as const,
        expiresAt: 0,
        verified: false,
        proof: "none" as const,
      })),
    );
}

function mappedEndpoints({ mappings, reflexive, probe }: Findings): ReachableEndpoint[] {
  // What a packet from outside disproved is no way in, whatever the gateway says.
  if (probe === "silent") return [];
  const seen = reflexive.find(({ address }) => !address.includes(":"));
  return mappings.map(({ gatewayName: _, address: told, proof: said, ...mapping }) => {
    const isSeen = seen !== undefined && !told.includes(":") && addressScope(told) !== "public";
    // A router that does not know its own outer address (0.0.0.0 or nothing) confirms the mapping nevertheless. One behind another
    // NAT knows nothing of the outer one.
    const router = isSeen && !isUnknown(told) ? "none" : said;
    const proof = probe === "arrived" ? "outside" : router;
    const address = isSeen ? seen.address : isUnknown(told) ? "" : told;
    return { ...mapping, kind: "mapped", address, proof, verified: proof !== "none" };
  });
}

/** An address that no router has: nothing, or 0.0.0.0. */
const isUnknown = (address: string): boolean => addressScope(address) === "invalid" || address === "0.0.0.0";

function reflexiveEndpoints({ reflexive, interfaces }: Findings): ReachableEndpoint[] {
  const endpoints = new Map<string, ReachableEndpoint>();
  for (const { address, port } of reflexive) {
    if (interfaces.some((own) => own.address === address)) continue;
    endpoints.set(formatEndpoint({ address, port }), {
      kind: "reflexive",
      protocol: "udp",
      address,
      port,
      via: "stun",
      expiresAt: 0,
      verified: true,
      proof: "outside",
    });
  }
  return [...endpoints.values()];
}

function relayedEndpoints({ relayed = [] }: Findings): ReachableEndpoint[] {
  return relayed.map((endpoint) => ({
    kind: "relayed",
    protocol: "udp",
    via: "turn",
    verified: true,
    proof: "outside",
    ...endpoint,
  }));
}

function describeNat(findings: Findings): NatDescription {
  const { reflexive, interfaces, localPort, mappings, gateways, mappingLifetimeSeconds = null } = findings;
  const seen = reflexive.filter(({ address }) => !address.includes(":"));
  const first = seen[0];
  const outer = [...gateways.map(({ externalAddress }) => externalAddress), ...mappings.map(({ address }) => address)]
    .filter((address) => addressScope(address) !== "invalid" && address !== "0.0.0.0")
    .filter((address) => !address.includes(":"));
  const carrierGrade =
    outer.some((address) => addressScope(address) !== "public" || (first !== undefined && first.address !== address)) ||
    isHidden(first, findings);
  if (first === undefined) {
    return { ...UNKNOWN_NAT, ...findings.behaviour, carrierGrade, mappingLifetimeSeconds };
  }
  const direct = interfaces.some(({ address }) => address === first.address) && first.port === localPort;
  return {
    mapping: direct ? "none" : mappingBehaviour(seen),
    // Binding requests alone cannot tell filtering; RFC 5780's tests do.
    filtering: direct ? "none" : "unknown",
    hairpinning: null,
    portPreservation: seen.every(({ port }) => port === localPort),
    ...(direct ? {} : known(findings.behaviour)),
    carrierGrade,
    mappingLifetimeSeconds,
  };
}

const UNKNOWN_NAT = { mapping: "unknown", filtering: "unknown", hairpinning: null, portPreservation: null } as const;

/** Only what the tests could tell. */
function known(behaviour: Findings["behaviour"]): Partial<NatDescription> {
  return Object.fromEntries(
    Object.entries(behaviour ?? {}).filter(([, value]) => value !== null && value !== "unknown"),
  );
}

/** A gateway that says it has no outer address, while packets get out: miniupnpd behind another NAT talks so. */
function isHidden(first: ReflexiveFinding | undefined, { gateways, mappings }: Findings): boolean {
  const silent = gateways.some(({ externalAddress }) => externalAddress === "" || externalAddress === "0.0.0.0");
  return first !== undefined && silent && mappings.length === 0;
}

function mappingBehaviour(seen: readonly ReflexiveFinding[]): NatBehaviour {
  if (seen.length < 2) return "unknown";
  const distinct = new Set(seen.map(formatEndpoint));
  // Two servers differ in address and port, so a difference may depend on either: the stricter word is the safe one.
  return distinct.size === 1 ? "endpoint-independent" : "address-and-port-dependent";
}

function judge(endpoints: readonly ReachableEndpoint[], nat: NatDescription): Verdict {
  const dialable = endpoints.filter((endpoint) => isDialable(endpoint, nat) && endpoint.protocol === "udp");
  if (dialable.some(({ kind }) => kind === "host")) return "open";
  if (
    dialable.some(
      ({ kind, proof, via }) => kind === "mapped" && (proof === "outside" || via === "announce" || !nat.carrierGrade),
    )
  )
    return "mapped";
  if (dialable.some(({ kind }) => kind === "reflexive")) return "open";
  if (endpoints.some(({ kind }) => kind === "reflexive")) {
    return nat.mapping === "address-and-port-dependent" || nat.mapping === "address-dependent"
      ? "relay-only"
      : "punchable";
  }
  if (endpoints.some(({ kind }) => kind === "relayed")) return "relay-only";
  return "lan-only";
}

function summarize(
  verdict: Verdict,
  endpoints: readonly ReachableEndpoint[],
  nat: NatDescription,
  findings: Findings,
): string {
  const find = (kind: ReachableEndpoint["kind"]): ReachableEndpoint | undefined =>
    endpoints.find((endpoint) => endpoint.kind === kind && endpoint.protocol === "udp" && isDialable(endpoint, nat));
  if (findings.relayOnly) return summarizeHidden(endpoints, findings);
  switch (verdict) {
    case "open": {
      const host = find("host");
      return host
        ? `Anyone can join at ${where(host)}: this machine has a public address.`
        : `Anyone can join at ${where(find("reflexive"))}: the router lets everybody through to this port.`;
    }
    case "mapped": {
      const endpoint = find("mapped");
      if (endpoint?.via === "announce") {
        return `Anyone can join at ${where(endpoint)}, as announced; nobody outside has tried it yet.`;
      }
      const name = findings.mappings[0]?.gatewayName || "your router";
      const protocol = VIA_NAMES[endpoint?.via ?? "upnp"];
      if (endpoint?.proof === "outside") {
        const box = nat.carrierGrade ? ", and the box in front of it passes everything on" : "";
        return `Anyone can join at ${where(endpoint)}: ${name} forwards the port (${protocol})${box}.`;
      }
      const says = endpoint?.proof === "router" ? "forwards" : "says that it forwards";
      return `Your router ${says} port ${endpoint?.port}; nobody outside has tried it yet. The address is ${where(endpoint)} (${name}, ${protocol}).`;
    }
    case "punchable": {
      const endpoint = endpoints.find(({ kind }) => kind === "reflexive");
      return `Friends can join by an invite through a lobby, which opens the way to ${where(endpoint)}; nobody can by address alone (${noMapping(nat, findings)}).`;
    }
    case "relay-only":
      return `Friends can join through a relay only: this NAT gives every destination another port (${noMapping(nat, findings)}).`;
    case "lan-only": {
      const lan = endpoints.find(({ kind, address }) => kind === "host" && !address.includes(":")) ?? endpoints[0];
      return `Only players on this network can join${lan ? ` at ${where(lan)}` : ""}: ${noMapping(nat, findings)}.`;
    }
  }
}

function summarizeHidden(endpoints: readonly ReachableEndpoint[], { steps }: Findings): string {
  const relay = endpoints.find(({ kind }) => kind === "relayed");
  if (relay)
    return `Friends can join by invite through the relay ${where(relay)}: this machine's addresses stay hidden.`;
  const turn = steps.find(({ step }) => step === "turn");
  return turn?.reason ?? "Nobody can join yet: this machine's addresses stay hidden, and there is no relay so far.";
}

const where = (endpoint: ReachableEndpoint | undefined): string =>
  endpoint ? formatEndpoint(endpoint) : "this machine";

/** Why no port is mapped, as the end of a sentence. */
function noMapping(nat: NatDescription, { mappings, steps, interfaces }: Findings): string {
  if (interfaces.length === 0) return "this machine has no network connection";
  if (nat.carrierGrade) {
    return mappings.length > 0
      ? "your router forwards the port, but it stands behind another NAT (double or carrier-grade NAT)"
      : "your router stands behind another NAT (double or carrier-grade NAT)";
  }
  const disproved = steps.find(({ step, outcome }) => step === "probe" && outcome === "failed");
  if (disproved) return stripPeriod(disproved.reason);
  const tried = steps.filter(({ step }) => step === "upnp" || step === "pcp" || step === "nat-pmp");
  const worst = tried.find(({ outcome }) => outcome === "refused") ?? tried.find(({ outcome }) => outcome === "failed");
  if (worst) return stripPeriod(worst.reason);
  if (tried.length > 0 && tried.every(({ outcome }) => outcome === "absent")) {
    return "no router here answered UPnP, PCP or NAT-PMP (switch UPnP on in its settings, or forward the port by hand)";
  }
  return "no port could be opened on the router";
}

const stripPeriod = (text: string): string => text.replace(/\.\s*$/, "");
