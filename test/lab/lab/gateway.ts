/** A home gateway, or a carrier's NAT: a router with a NAT, a firewall and, if wanted, miniupnpd. */
import { type Link, machineScript, nextAddress, type Peer, Plug, peerScript } from "./link.ts";
import { Host, Machine } from "./machine.ts";
import { type Mapping, Miniupnpd, UPNP_HTTP_PORT, type UpnpOptions } from "./miniupnpd.ts";
import { blackHoleRules, forgetRules, lossRules, type NatKind, ruleset } from "./nat.ts";
import { ip, type LabContext, nft, shell } from "./netns.ts";
import { unmap } from "./unmapping.ts";

export interface GatewayOptions {
  /** Default "port-restricted", as most home gateways are. */
  readonly nat?: NatKind;
  /** miniupnpd; default none. */
  readonly upnp?: UpnpOptions | false;
  /** Seconds until an idle UDP mapping is forgotten; default 30 before an answer, 120 after (Linux). */
  readonly udpTimeout?: { readonly unreplied?: number; readonly stream?: number };
  /** Forwards no UDP at all, as some firewalls of firms and hotels. */
  readonly blockUdp?: boolean;
  /** Puts this gateway behind another one, instead of on the internet. */
  readonly behind?: Gateway;
  /** Gives the side inside 100.64.N.0/24 (RFC 6598): the gateway of a carrier, behind which others stand. */
  readonly carrierGrade?: boolean;
  /** First three bytes of the LAN; default 192.168.N with N = 1, 2, … */
  readonly lanPrefix?: string;
}

/** What a gateway asks of its lab. */
export interface Cabling {
  readonly context: LabContext;
  /** Makes a namespace with an interface NAME that is plugged into `peer`; gives the namespace. */
  plug(label: string, name: string, peer: Peer): Promise<string>;
}

export class Gateway extends Machine {
  readonly lanPrefix: string;
  /** Its address on the LAN; default route of the hosts. */
  readonly lanAddress: string;
  readonly hosts: Host[] = [];
  /** The miniupnpd of this gateway, if it has one. */
  readonly miniupnpd: Miniupnpd | undefined;
  /** The `/64` of the LAN (first four groups), in a lab with IPv6 when the gateway is not behind another. */
  readonly lanPrefix6: string | undefined;

  readonly #options: GatewayOptions;
  readonly #cabling: Cabling;
  readonly #label: string;
  readonly #wan: Plug;
  #ports = 0;
  #hosts = 0;

  constructor(cabling: Cabling, label: string, namespace: string, link: Link, options: GatewayOptions, index: number) {
    super(cabling.context, namespace);
    this.#cabling = cabling;
    this.#label = label;
    this.#wan = new Plug(namespace, "wan", link);
    this.#options = options;
    this.lanPrefix = options.lanPrefix ?? `${options.carrierGrade === true ? "100.64" : "192.168"}.${index}`;
    this.lanAddress = `${this.lanPrefix}.1`;
    this.lanPrefix6 = link.delegated6;
    if (options.upnp !== undefined && options.upnp !== false) {
      this.miniupnpd = new Miniupnpd(this, options.upnp, this.lanPrefix6 !== undefined);
    }
  }

  /** The address on the side of the internet (or of the gateway before it). */
  get wanAddress(): string {
    return this.#wan.address;
  }

  /** Its global IPv6 address on the LAN. */
  get lanAddress6(): string | undefined {
    return this.lanPrefix6 === undefined ? undefined : `${this.lanPrefix6}::1`;
  }

  /** UPnP's description of this gateway, as seen from the LAN. */
  get descriptionUrl(): string {
    return `http://${this.lanAddress}:${UPNP_HTTP_PORT}/rootDesc.xml`;
  }

  /** Called once by the lab. */
  async start(): Promise<void> {
    const { nat = "port-restricted", udpTimeout = {}, blockUdp = false } = this.#options;
    const { unreplied = 30, stream = 120 } = udpTimeout;
    const rules = ruleset({
      nat,
      blockUdp,
      lanPrefix: this.lanPrefix,
      wanAddress: this.wanAddress,
      dmzAddress: hostAddress(this.lanPrefix, 0),
      udpTimeoutSeconds: stream,
    });
    const lan6 = this.lanPrefix6 === undefined ? [] : [`addr add ${this.lanAddress6}/64 dev lan`];
    await shell(
      [
        machineScript(this.#wan.link, "wan"),
        ip([
          // Multicast goes to every port, as on a switch without snooping.
          "link add lan type bridge mcast_snooping 0 forward_delay 0",
          "link set lan up",
          `addr add ${this.lanAddress}/24 dev lan`,
          ...lan6,
        ]),
        "cd /proc/sys/net",
        "echo 1 >ipv4/ip_forward",
        "echo 1 >ipv6/conf/all/forwarding",
        // Frames between two hosts of the LAN don't pass the router's rules.
        "for file in bridge/bridge-nf-call-*; do echo 0 >$file; done",
        `echo ${unreplied} >netfilter/nf_conntrack_udp_timeout`,
        `echo ${stream} >netfilter/nf_conntrack_udp_timeout_stream`,
        nft(rules),
      ].join("\n"),
      this.namespace,
    );
    await this.miniupnpd?.start();
  }

  /** A machine on the LAN. */
  async host(): Promise<Host> {
    const link = this.newLink();
    const namespace = await this.#cabling.plug(`${this.#label}h${++this.#hosts}`, "eth0", link.peer);
    const host = new Host(this.context, namespace, link);
    this.hosts.push(host);
    await Promise.all([shell(machineScript(link, "eth0"), namespace), shell(peerScript(link), this.namespace)]);
    return host;
  }

  /** The next free place on the LAN. */
  newLink(): Link {
    const port = this.#ports++;
    const prefix6 = this.lanPrefix6;
    return {
      address: hostAddress(this.lanPrefix, port),
      router: this.lanAddress,
      ...(prefix6 === undefined ? {} : { address6: `${prefix6}::${port + 10}`, router6: `${prefix6}::1` }),
      peer: { namespace: this.namespace, interface: `lan${port}`, routed: "lan" },
    };
  }

  /**
   * Drops `percent` (0 to 100) of what the gateway forwards between LAN and WAN, in each direction; 0 ends it. What goes to the
   * gateway itself (UPnP, NAT-PMP) is not lost.
   */
  async setLoss(percent: number, protocol: "udp" | "all" = "all"): Promise<void> {
    await shell(nft(lossRules(percent, protocol)), this.namespace);
  }

  /**
   * Gives the cable to the provider an MTU, in bytes of an IP packet (1500 at first). Longer packets that must not be fragmented, as
   * Linux sends them, vanish there in both directions without a word of ICMP.
   */
  async setMtu(bytes: number): Promise<void> {
    const { namespace, interface: name } = this.#wan.link.peer;
    await Promise.all([
      shell(ip([`link set wan mtu ${bytes}`]) + nft(blackHoleRules()), this.namespace),
      shell(ip([`link set ${name} mtu ${bytes}`]) + nft(blackHoleRules()), namespace),
    ]);
  }

  /** The mappings that packets really follow, read from nftables. */
  async mappings(): Promise<Mapping[]> {
    return (await this.miniupnpd?.mappings()) ?? [];
  }

  /** Maps a port to a host of this LAN, asked for by that host through UPnP. @throws when the gateway refuses. */
  async addMapping(mapping: AddMapping): Promise<void> {
    const { host, protocol, externalPort, internalPort = externalPort } = mapping;
    const { description = "another machine", leaseSeconds = 0 } = mapping;
    const ports = [String(internalPort), String(externalPort), protocol, String(leaseSeconds)];
    const upnpc = ["upnpc", "-u", this.descriptionUrl, "-e", description, "-a", host.address, ...ports];
    const { output } = await host.exec(upnpc);
    if (!/is redirected to internal/.test(output)) throw new Error(`not mapped: ${output}`);
  }

  /**
   * Removes a mapping behind the back of the program that made it, by that one's protocol and in the name of its host.
   * (Removed by nft alone it would still be in miniupnpd's answers, which come from a cache.)
   */
  async removeMapping(protocol: "udp" | "tcp", externalPort: number): Promise<void> {
    const find = async (): Promise<Mapping | undefined> =>
      (await this.mappings()).find((mapping) => mapping.protocol === protocol && mapping.externalPort === externalPort);
    const mapping = await find();
    const host = this.hosts.find(({ address }) => address === mapping?.internalAddress);
    if (mapping === undefined || host === undefined)
      throw new Error(`no host of the lab has ${protocol} ${externalPort}`);
    const output = await unmap(host, mapping, this.descriptionUrl);
    if ((await find()) !== undefined) throw new Error(`still mapped: ${output}`);
  }

  /**
   * Restarts miniupnpd. With `keepState` (default true) mappings and lease file survive, else they are lost; a
   * `crash` is sudden, without ssdp:byebye. PCP's and NAT-PMP's epoch begins anew.
   */
  async restartUpnp(options: { readonly keepState?: boolean; readonly crash?: boolean } = {}): Promise<void> {
    await this.stopUpnp(options);
    await this.startUpnp();
  }

  /** The first half of `restartUpnp`. */
  async stopUpnp(options: { readonly keepState?: boolean; readonly crash?: boolean } = {}): Promise<void> {
    await this.miniupnpd?.stop(options.crash === true ? "SIGKILL" : "SIGTERM");
    if (options.keepState === false) await this.miniupnpd?.forget();
  }

  async startUpnp(): Promise<void> {
    await this.miniupnpd?.start();
  }

  /** Power off and on: mappings and all connections are forgotten. */
  async reboot(): Promise<void> {
    await this.stopUpnp({ keepState: false, crash: true });
    await this.forgetConnections();
    await this.startUpnp();
  }

  /** Empties conntrack: all NAT bindings are gone. */
  async forgetConnections(): Promise<void> {
    const { nat = "port-restricted" } = this.#options;
    await shell(`conntrack -F 2>&1\n${nft(forgetRules(nat, this.wanAddress))}`, this.namespace);
  }

  /** The provider gives another address (also a private one, if one is given); the old one's connections are gone. */
  async setWanAddress(address: string = nextAddress(this.wanAddress)): Promise<void> {
    await this.#wan.setAddress(address);
    await this.forgetConnections();
  }

  /** Pulls the cable to the provider. */
  async unplug(): Promise<void> {
    await this.#wan.unplug();
  }

  async replug(): Promise<void> {
    await this.#wan.replug();
  }
}

export interface AddMapping {
  readonly host: Host;
  readonly protocol: "udp" | "tcp";
  readonly externalPort: number;
  /** Default: the same. */
  readonly internalPort?: number;
  readonly description?: string;
  /** Default 0: as long as the gateway likes. */
  readonly leaseSeconds?: number;
}

function hostAddress(prefix: string, index: number): string {
  return `${prefix}.${index + 10}`;
}
