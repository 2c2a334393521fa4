/**
 * NAT behaviours (RFC 4787) as nftables rules, each judged by RFC 5780 discovery against coturn in `lab.test.ts`.
 * The gateway's interfaces are `wan` and `lan` (a bridge).
 */

/**
 * | kind | mapping | filtering | keeps the port | hairpin |
 * |---|---|---|---|---|
 * | `full-cone` | endpoint-independent | endpoint-independent | yes | yes |
 * | `address-restricted` | endpoint-independent | address-dependent | yes | no |
 * | `port-restricted` | endpoint-independent | address and port-dependent | yes | no |
 * | `masquerade-other-port` | endpoint-independent | address and port-dependent | no | no |
 * | `symmetric` | address and port-dependent | address and port-dependent | no | no |
 * | `dmz` (all that comes in goes to the first host) | endpoint-independent | endpoint-independent | yes | no |
 */
export type NatKind =
  | "full-cone"
  | "address-restricted"
  | "port-restricted"
  | "masquerade-other-port"
  | "symmetric"
  | "dmz";

export interface RulesetOptions {
  readonly nat: NatKind;
  /** Drop all UDP between LAN and WAN. */
  readonly blockUdp: boolean;
  /** First three bytes of the LAN's /24. */
  readonly lanPrefix: string;
  readonly wanAddress: string;
  /** The host that gets everything with `dmz`. */
  readonly dmzAddress: string;
  /** How long the cones remember, in seconds; conntrack's own timers are sysctls. */
  readonly udpTimeoutSeconds: number;
}

/** Rules for chains that differ between the kinds. */
interface Behaviour {
  readonly maps?: string;
  readonly chains?: string;
  readonly prerouting?: string;
  readonly postrouting?: string;
  /** Accept what a rule of `prerouting` has led inside. */
  readonly forward?: string;
}

const ACCEPT_DNAT = `iifname "wan" ct status dnat accept`;
const MASQUERADE = `oifname "wan" meta nfproto ipv4 masquerade`;

/**
 * A chain after the translation sees both the port outside and, in the conntrack entry, the address inside. A flow that
 * came in through the cone is refreshed by the host's replies.
 */
function learn(outbound: string, reply: string): string {
  return `
    chain learn {
      type filter hook postrouting priority srcnat + 10; policy accept;
      oifname "wan" meta nfproto ipv4 meta l4proto udp ct direction original update ${outbound}
      oifname "wan" meta nfproto ipv4 meta l4proto udp ct direction reply update ${reply}
    }`;
}

function behaviour({ nat, lanPrefix, wanAddress, dmzAddress, udpTimeoutSeconds }: RulesetOptions): Behaviour {
  const memory = `flags dynamic,timeout; timeout ${udpTimeoutSeconds}s; size 65535;`;
  const inside = "ct original ip saddr . ct original proto-src";
  const insideOfReply = "ct reply ip saddr . ct reply proto-src";
  const behaviours: Record<NatKind, Behaviour> = {
    "port-restricted": { postrouting: MASQUERADE },
    "masquerade-other-port": { postrouting: `oifname "wan" ip protocol udp masquerade to :40000-40999\n${MASQUERADE}` },
    symmetric: { postrouting: `${MASQUERADE} fully-random` },
    dmz: {
      prerouting: `iifname "wan" meta nfproto ipv4 dnat ip to ${dmzAddress}`,
      postrouting: MASQUERADE,
      forward: ACCEPT_DNAT,
    },
    "address-restricted": {
      maps: `map seen { type ipv4_addr . inet_service : ipv4_addr . inet_service; ${memory} }`,
      chains: learn(
        `@seen { ip daddr . udp sport : ${inside} }`,
        `@seen { ip daddr . ct original proto-dst : ${insideOfReply} }`,
      ),
      prerouting: `iifname "wan" ip protocol udp dnat ip to ip saddr . udp dport map @seen`,
      postrouting: MASQUERADE,
      forward: ACCEPT_DNAT,
    },
    "full-cone": {
      maps: `
    map cone { type inet_service : ipv4_addr . inet_service; ${memory} }
    map outside { type ifname : ipv4_addr; elements = { "lan" : ${wanAddress} }; }`,
      chains: learn(`@cone { udp sport : ${inside} }`, `@cone { ct original proto-dst : ${insideOfReply} }`),
      prerouting: `fib daddr type local ip daddr != ${lanPrefix}.1 ip protocol udp dnat ip to udp dport map @cone`,
      // Hairpin: a host that meets another of the same LAN by its outside address sees the outside as source.
      postrouting: `oifname "lan" ct status dnat snat ip to iifname map @outside\n${MASQUERADE}`,
      forward: `iifname { "lan", "wan" } ct status dnat accept`,
    },
  };
  return behaviours[nat];
}

/** The whole ruleset. Table and chains of miniupnpd are made here; miniupnpd only fills them. */
export function ruleset(options: RulesetOptions): string {
  const kind = behaviour(options);
  return `
  table inet filter {
    ${kind.maps ?? ""}
    ${kind.chains ?? ""}
    chain miniupnpd {}
    chain prerouting_miniupnpd {}
    chain postrouting_miniupnpd {}
    chain prerouting {
      type nat hook prerouting priority dstnat; policy accept;
      jump prerouting_miniupnpd
      ${kind.prerouting ?? ""}
    }
    chain postrouting {
      type nat hook postrouting priority srcnat; policy accept;
      jump postrouting_miniupnpd
      ${kind.postrouting ?? ""}
    }
    chain input {
      # Silent, as home gateways are: an answer, or an entry in conntrack, would spoil a punch from inside.
      type filter hook input priority filter; policy drop;
      ct state established,related accept
      iifname != "wan" accept
      meta l4proto { icmp, icmpv6 } accept
    }
    chain forward {
      type filter hook forward priority filter; policy drop;
      ${options.blockUdp ? "meta l4proto udp drop" : ""}
      ct state established,related accept
      iifname "lan" accept
      ${kind.forward ?? ""}
      meta l4proto icmpv6 accept
      jump miniupnpd
    }
  }`;
}

/** Drops a share of what is forwarded, in both directions. */
export function lossRules(percent: number, protocol: "udp" | "all"): string {
  const match = protocol === "udp" ? "meta l4proto udp " : "";
  const rule = percent > 0 ? `${match}numgen random mod 100000 <= ${Math.round(percent * 1000) - 1} drop` : "";
  return `
  table inet loss {}
  delete table inet loss
  table inet loss {
    chain forward {
      type filter hook forward priority filter - 10; policy accept
      ${rule}
    }
  }`;
}

/**
 * A router beside a link whose MTU is smaller: it tells nobody (RFC 2923 section 2.1, a black hole), but clamps TCP's segments as
 * home routers do.
 */
export function blackHoleRules(): string {
  return `
  table inet blackhole {}
  delete table inet blackhole
  table inet blackhole {
    chain output {
      type filter hook output priority filter; policy accept
      icmp type destination-unreachable drop
      icmpv6 type packet-too-big drop
    }
    chain forward {
      type filter hook forward priority mangle; policy accept
      tcp flags syn tcp option maxseg size set rt mtu
    }
  }`;
}

/** Forgets what the cones have learnt (conntrack is emptied by `conntrack -F`), and tells them the address outside. */
export function forgetRules(nat: NatKind, wanAddress: string): string {
  if (nat === "address-restricted") return "flush map inet filter seen";
  if (nat !== "full-cone") return "";
  return ["cone", "outside"]
    .map((map) => `flush map inet filter ${map}`)
    .concat(`add element inet filter outside { "lan" : ${wanAddress} }`)
    .join("\n");
}
