/**
 * A laboratory of network address translators: machines, home gateways and an internet, made of Linux network
 * namespaces. Nothing of it is connected to the real network. See README.md beside this folder.
 */
import { removeAtEnd, removeContext, removeLeftovers } from "./cleanup.ts";
import { Coturn, type CoturnOptions } from "./coturn.ts";
import { type Cabling, Gateway, type GatewayOptions } from "./gateway.ts";
import { type Link, machineScript, NO_DAD, type Peer, peerScript } from "./link.ts";
import { Host, Machine } from "./machine.ts";
import { ip, type LabContext, newContext, shell } from "./netns.ts";

export { Coturn, type CoturnOptions, STUN_PORT } from "./coturn.ts";
export { type AddMapping, Gateway, type GatewayOptions } from "./gateway.ts";
export { Line, type LineConditions } from "./line.ts";
export { type ExecOptions, type ExecResult, Host, Machine } from "./machine.ts";
export { type Mapping, Miniupnpd, NAT_PMP_PORT, UPNP_HTTP_PORT, type UpnpOptions } from "./miniupnpd.ts";
export type { NatKind } from "./nat.ts";
export { type Exit, LabProcess, type SpawnOptions } from "./process.ts";

export interface LabOptions {
  /** Public IPv6 addresses on the internet and behind each gateway's firewall; default false. */
  readonly ipv6?: boolean;
}

/**
 * Each thing on the internet has a network of its own, 11.0.N.0/24 (and 2a11:0:N::/48), behind one router. The range
 * must look public: miniupnpd maps nothing when its WAN address is reserved.
 */
const PUBLIC4 = "11.0";
const PUBLIC6 = "2a11:0";

export class Lab implements AsyncDisposable {
  /** The router between all public networks. */
  readonly internet: Machine;
  readonly gateways: Gateway[] = [];

  readonly #context: LabContext;
  readonly #cabling: Cabling;
  readonly #labels = new Map<string, number>();
  #networks = 0;

  private constructor(context: LabContext) {
    this.#context = context;
    this.internet = new Machine(context, `${context.prefix}-internet`);
    this.#cabling = { context, plug: async (label, name, peer) => await this.#plug(label, name, peer) };
  }

  /** An empty internet. The lab is removed by `await using`, or else when the process ends, even by SIGKILL. */
  static async create(options: LabOptions = {}): Promise<Lab> {
    removeLeftovers();
    const context = newContext(options.ipv6 ?? false);
    removeAtEnd(context);
    const lab = new Lab(context);
    try {
      const { namespace } = lab.internet;
      await shell(`ip netns add ${namespace}`);
      const forwarding = "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding";
      await shell(`${NO_DAD}${forwarding}\n${ip(["link set lo up"])}`, namespace);
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
    return lab;
  }

  /** Begins the names of this lab's namespaces: `ip netns list | grep PREFIX`. */
  get prefix(): string {
    return this.#context.prefix;
  }

  /** A gateway on the internet, or behind another one. */
  async gateway(options: GatewayOptions = {}): Promise<Gateway> {
    const label = this.#label("gw");
    const index = this.#labels.get("gw") ?? 1;
    const link = options.behind?.newLink() ?? this.#newLink();
    const namespace = await this.#plug(label, "wan", link.peer);
    const gateway = new Gateway(this.#cabling, label, namespace, link, options, index);
    this.gateways.push(gateway);
    // The other end first: miniupnpd looks at the state of its interface when it starts.
    await shell(peerScript(link), link.peer.namespace);
    await gateway.start();
    return gateway;
  }

  /** A machine on the internet, with a public address and no firewall. */
  async host(): Promise<Host> {
    const { namespace, link } = await this.#publicMachine("host");
    return new Host(this.#context, namespace, link);
  }

  /** coturn, on a machine of its own with two public addresses. */
  async coturn(options: CoturnOptions = {}): Promise<Coturn> {
    const { namespace, link } = await this.#publicMachine("coturn");
    const coturn = new Coturn(this.#context, namespace, link, options);
    await shell(ip([`addr add ${coturn.addresses[1]}/24 dev eth0`]), namespace);
    await coturn.start();
    return coturn;
  }

  /** Kills all that runs in the lab and removes it. Harmless when called again. */
  async [Symbol.asyncDispose](): Promise<void> {
    removeContext(this.#context);
    await Promise.all([...this.#context.processes].map(async ({ exited }) => await exited));
  }

  async #publicMachine(kind: string): Promise<{ namespace: string; link: Link }> {
    const link = this.#newLink();
    const namespace = await this.#plug(this.#label(kind), "eth0", link.peer);
    await Promise.all([shell(machineScript(link, "eth0"), namespace), shell(peerScript(link), link.peer.namespace)]);
    return { namespace, link };
  }

  #newLink(): Link {
    const network = ++this.#networks;
    const prefix6 = `${PUBLIC6}:${network.toString(16)}`;
    const addresses6 = { address6: `${prefix6}::2`, router6: `${prefix6}::1`, delegated6: `${prefix6}:1` };
    return {
      address: `${PUBLIC4}.${network}.2`,
      router: `${PUBLIC4}.${network}.1`,
      ...(this.#context.ipv6 ? addresses6 : {}),
      peer: { namespace: this.internet.namespace, interface: `net${network}`, routed: `net${network}` },
    };
  }

  async #plug(label: string, name: string, peer: Peer): Promise<string> {
    const namespace = `${this.prefix}-${label}`;
    await shell(
      ip([
        `netns add ${namespace}`,
        `link add ${name} netns ${namespace} type veth peer name ${peer.interface} netns ${peer.namespace}`,
      ]),
    );
    return namespace;
  }

  #label(kind: string): string {
    const number = (this.#labels.get(kind) ?? 0) + 1;
    this.#labels.set(kind, number);
    return `${kind}${number}`;
  }
}
