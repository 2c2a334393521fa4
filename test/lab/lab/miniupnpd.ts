/** Debian's miniupnpd on a gateway: UPnP IGD:1 or :2, NAT-PMP and PCP. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machine.ts";
import { nft, shell } from "./netns.ts";
import type { LabProcess } from "./process.ts";

/** Where miniupnpd's description and control stand on the LAN side. */
export const UPNP_HTTP_PORT = 5000;
const SSDP_PORT = 1900;
/** Where NAT-PMP and PCP are asked for. */
export const NAT_PMP_PORT = 5351;
/** In table `inet filter`; made by `ruleset`. */
const CHAINS = { prerouting: "prerouting_miniupnpd", postrouting: "postrouting_miniupnpd", forward: "miniupnpd" };

export interface UpnpOptions {
  /** Version of the InternetGatewayDevice, default 2; `false` switches UPnP off. */
  readonly igd?: 1 | 2 | false;
  /** NAT-PMP and PCP, which miniupnpd has only together; default off. */
  readonly natpmp?: boolean;
  /** The same as `natpmp`. */
  readonly pcp?: boolean;
  /** Hosts may map only to themselves, as on most home gateways; default true. */
  readonly secure?: boolean;
  /** Bounds of PCP lifetimes in seconds; miniupnpd's own are 120 and 86400. */
  readonly minLifetime?: number;
  readonly maxLifetime?: number;
  /** Seconds between SSDP announcements, default 30. */
  readonly notifyInterval?: number;
  readonly friendlyName?: string;
  /** More lines for the configuration, e.g. `deny 0-65535 0.0.0.0/0 0-65535`. */
  readonly config?: readonly string[];
}

/** A mapping as the gateway's packet filter has it. */
export interface Mapping {
  readonly protocol: "udp" | "tcp";
  readonly externalPort: number;
  readonly internalAddress: string;
  readonly internalPort: number;
  /** As the client gave it, from miniupnpd's lease file. */
  readonly description?: string;
  /** When it ends, from the lease file. */
  readonly expiresAtUnixSeconds?: number;
}

export class Miniupnpd {
  readonly options: UpnpOptions;
  readonly #gateway: Machine;
  readonly #ipv6: boolean;
  #process: LabProcess | undefined;

  constructor(gateway: Machine, options: UpnpOptions, ipv6: boolean) {
    this.options = options;
    this.#gateway = gateway;
    this.#ipv6 = ipv6;
  }

  get running(): boolean {
    return this.#process !== undefined && !this.#process.ended;
  }

  /** What miniupnpd logged since its last start. */
  get log(): readonly string[] {
    return this.#process?.output ?? [];
  }

  /** Starts it; resolves when its ports are open. */
  async start(): Promise<void> {
    const config = join(this.#gateway.directory, "miniupnpd.conf");
    writeFileSync(config, `${this.#config().join("\n")}\n`);
    const pidFile = join(this.#gateway.directory, "miniupnpd.pid");
    const daemon = this.#gateway.spawn(["miniupnpd", "-d", "-f", config, "-P", pidFile]);
    this.#process = daemon;
    if (this.options.igd !== false) {
      await daemon.waitForPort("tcp", UPNP_HTTP_PORT);
      await daemon.waitForPort("udp", SSDP_PORT);
    }
    if (this.#natPmp) await daemon.waitForPort("udp", NAT_PMP_PORT);
  }

  /** Stops it: politely (it says ssdp:byebye), or as a power cut does. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    this.#process?.kill(signal);
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** Forgets all mappings, as a gateway does that keeps no leases. Only while it is stopped: miniupnpd caches rules. */
  async forget(): Promise<void> {
    rmSync(this.#leaseFile, { force: true });
    const rules = Object.values(CHAINS).map((chain) => `flush chain inet filter ${chain}`);
    await shell(nft(rules.join("\n")), this.#gateway.namespace);
  }

  /** The mappings that packets really follow: the rules, with descriptions from the lease file. */
  async mappings(): Promise<Mapping[]> {
    const text = await shell(`nft -j list chain inet filter ${CHAINS.prerouting}`, this.#gateway.namespace);
    const { nftables } = JSON.parse(text) as { nftables: readonly { rule?: { expr: readonly Expression[] } }[] };
    const leases = this.#leases();
    return nftables.flatMap(({ rule }) => {
      const mapping = rule === undefined ? undefined : parseRule(rule.expr);
      if (mapping === undefined) return [];
      return [{ ...mapping, ...leases.get(`${mapping.protocol}:${mapping.externalPort}`) }];
    });
  }

  get #natPmp(): boolean {
    return this.options.natpmp === true || this.options.pcp === true;
  }

  get #leaseFile(): string {
    return join(this.#gateway.directory, "leases");
  }

  #config(): string[] {
    const { igd = 2, secure = true, notifyInterval = 30, minLifetime, maxLifetime, friendlyName } = this.options;
    const yes = (value: boolean): string => (value ? "yes" : "no");
    return [
      "ext_ifname=wan",
      "listening_ip=lan",
      `http_port=${UPNP_HTTP_PORT}`,
      `enable_upnp=${yes(igd !== false)}`,
      `force_igd_desc_v1=${yes(igd === 1)}`,
      `enable_natpmp=${yes(this.#natPmp)}`,
      `secure_mode=${yes(secure)}`,
      `ipv6_disable=${yes(!this.#ipv6)}`,
      "upnp_table_name=filter",
      "upnp_nat_table_name=filter",
      `upnp_forward_chain=${CHAINS.forward}`,
      `upnp_nat_chain=${CHAINS.prerouting}`,
      `upnp_nat_postrouting_chain=${CHAINS.postrouting}`,
      `lease_file=${this.#leaseFile}`,
      `notify_interval=${notifyInterval}`,
      "system_uptime=no",
      "clean_ruleset_interval=0",
      "bitrate_up=20000000",
      "bitrate_down=100000000",
      // The last part of the namespace's name tells the gateways of a lab apart.
      `uuid=5a11f0b7-0000-4000-8000-${Buffer.from(this.#gateway.namespace).toString("hex").slice(-12)}`,
      ...(minLifetime === undefined ? [] : [`min_lifetime=${minLifetime}`]),
      ...(maxLifetime === undefined ? [] : [`max_lifetime=${maxLifetime}`]),
      ...(friendlyName === undefined ? [] : [`friendly_name=${friendlyName}`]),
      ...(this.options.config ?? []),
    ];
  }

  /** Lines are `UDP:7777:192.168.1.10:7777:1795173382:description`. */
  #leases(): Map<string, Pick<Mapping, "description" | "expiresAtUnixSeconds">> {
    const leases = new Map<string, Pick<Mapping, "description" | "expiresAtUnixSeconds">>();
    let text = "";
    try {
      text = readFileSync(this.#leaseFile, "utf8");
    } catch {
      // nothing was mapped yet
    }
    for (const line of text.split("\n")) {
      const [, protocol = "", port, expires, description = ""] = /^(\w+):(\d+):[^:]*:\d+:(\d+):(.*)$/.exec(line) ?? [];
      leases.set(`${protocol.toLowerCase()}:${port}`, { description, expiresAtUnixSeconds: Number(expires) });
    }
    return leases;
  }
}

/** What `nft -j` says of the rules that miniupnpd writes. */
interface Expression {
  readonly match?: { left: { payload?: { base?: string; offset?: number; field?: string } }; right: unknown };
  readonly dnat?: { addr: string; port: number };
}

function parseRule(expressions: readonly Expression[]): Mapping | undefined {
  let protocol: unknown;
  let externalPort: unknown;
  for (const { match, dnat } of expressions) {
    const payload = match?.left.payload;
    // Byte 9 of the IPv4 header, which miniupnpd compares raw.
    if (payload?.base === "nh" && payload.offset === 72) protocol = match?.right;
    if (payload?.field === "dport") externalPort = match?.right;
    if (dnat === undefined || typeof externalPort !== "number") continue;
    const name = protocol === 17 || protocol === "udp" ? "udp" : "tcp";
    return { protocol: name, externalPort, internalAddress: dnat.addr, internalPort: dnat.port };
  }
  return undefined;
}
