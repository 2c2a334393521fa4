import {
  type GatewayStep,
  type MapProtocol,
  type MappingEvent,
  type MapRequest,
  PortMapError,
  type PortMapping,
} from "../../gateway/types.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import type { Mapper } from "../dependencies.ts";
import type { Step } from "../reachability.ts";
import type { Findings } from "../verdict.ts";
import { isLoopback, LOOPBACK_ONLY, messageOf, type Rung, type RungContext } from "./rung.ts";

/** The rung of the gateways: the game's port, which the port mapper maps and renews, and extra ports. */
export class MappingRung implements Rung {
  readonly #context: RungContext;
  readonly #publicAddress: () => Promise<string | undefined>;
  readonly #mappings = new Set<PortMapping>();
  /** Of other ports than the game's, by the internal port; undefined until it is mapped. */
  readonly #extraPorts = new Map<number, PortMapping | undefined>();
  #mapper: Mapper | undefined;

  /** @param publicAddress as somebody outside sees it, for a router that does not tell its own */
  constructor(context: RungContext, publicAddress: () => Promise<string | undefined>) {
    this.#context = context;
    this.#publicAddress = publicAddress;
  }

  /** All that a router may hold for us, extra ports among them. */
  get mappings(): PortMapping[] {
    return this.#mapper?.mappings() ?? [];
  }

  /** The mappings of the game's port that hold now. */
  get held(): PortMapping[] {
    return [...this.#mappings].filter(({ state }) => state === "mapped");
  }

  /** Mappings that hold now, one for each transport. */
  get findings(): Partial<Findings> {
    const mappings = this.held.flatMap((mapping) =>
      (mapping.protocol === "both" ? (["udp", "tcp"] as const) : [mapping.protocol]).map((protocol) => ({
        protocol,
        address: mapping.externalAddress,
        port: mapping.externalPort,
        via: mapping.via,
        expiresAt: mapping.expiresAt,
        verified: mapping.verified,
        proof: mapping.proof,
        gatewayName: mapping.gateway.name,
      })),
    );
    return { mappings, gateways: this.#mapper?.gateways() ?? [] };
  }

  /** The mapper goes on trying where the first attempt fails. */
  async open(): Promise<void> {
    const { options, dependencies, signal, socket, step } = this.#context;
    const { via, protocol, renewIntervalMs } = options;
    if (via.length === 0 || isLoopback(socket())) {
      const reason = isLoopback(socket()) ? LOOPBACK_ONLY : "Switched off: no router is asked.";
      for (const each of ["pcp", "nat-pmp", "upnp"]) step({ step: each, outcome: "skipped", ms: 0, reason });
      return;
    }
    // The manager guards the end of the process, for all that is open and not for the mappings alone.
    const gateway = options.gateway || undefined;
    this.#mapper = dependencies.createMapper({ via: [...via], gateway, renewIntervalMs, signal, signals: false });
    this.#mapper.on("mapped", ({ mapping }) => this.#adopt(mapping));
    for (const port of this.#extraPorts.keys()) this.#requestExtraPort(this.#mapper, port);
    await this.#map(this.#mapper, this.#request(socket().localPort, protocol));
  }

  /** Maps another UDP port, as soon as the rung is open. */
  mapExtraPort(internalPort: number): void {
    if (this.#extraPorts.has(internalPort)) return;
    this.#extraPorts.set(internalPort, undefined);
    if (this.#mapper) this.#requestExtraPort(this.#mapper, internalPort);
  }

  /** Where an extra port is reached from outside, if it is mapped now. */
  extraEndpoint(internalPort: number): Endpoint | undefined {
    const mapping = this.#extraPorts.get(internalPort);
    if (mapping?.state !== "mapped") return undefined;
    return { address: mapping.externalAddress, port: mapping.externalPort };
  }

  async refresh(): Promise<void> {
    this.#mapper?.refresh();
  }

  async close(): Promise<void> {
    await this.#mapper?.close();
    this.#mappings.clear();
  }

  #request(internalPort: number, protocol: MapProtocol): MapRequest {
    const { description, lifetimeSeconds, acceptPrivateAddress } = this.#context.options;
    return {
      internalPort,
      protocol,
      description,
      application: description,
      lifetimeSeconds,
      acceptPrivateAddress,
      publicAddress: this.#publicAddress,
    };
  }

  async #map(mapper: Mapper, request: MapRequest): Promise<void> {
    const { signal, step } = this.#context;
    const onStep = (each: GatewayStep): void => step(plainStep(each));
    try {
      this.#adopt(await mapper.map(request, { signal, onStep }));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof PortMapError) error.steps.forEach(onStep);
      else {
        const reason = `Asking the router failed: ${messageOf(error)}`;
        step({ step: "upnp", outcome: "failed", ms: 0, reason });
      }
    }
  }

  #requestExtraPort(mapper: Mapper, internalPort: number): void {
    const { signal } = this.#context;
    mapper.map(this.#request(internalPort, "udp"), { signal }).then(
      (mapping) => this.#adopt(mapping),
      () => {},
    );
  }

  #adopt(mapping: PortMapping): void {
    if (this.#extraPorts.has(mapping.internalPort)) {
      this.#extraPorts.set(mapping.internalPort, mapping);
      return;
    }
    if (this.#mappings.has(mapping)) return;
    this.#mappings.add(mapping);
    const { step, update, changed } = this.#context;
    const report =
      (outcome: Step["outcome"]) =>
      ({ reason, ms }: MappingEvent): void => {
        step({ step: mapping.via, outcome, ms, reason });
        update();
      };
    mapping.on("mapped", report("ok"));
    mapping.on("changed", (event) => {
      changed("mapping");
      report("ok")(event);
    });
    mapping.on("lost", report("failed"));
    mapping.on("renewed", () => update());
    mapping.on("unmapped", () => {
      this.#mappings.delete(mapping);
      update();
    });
    update();
  }
}

const plainStep = ({ step, outcome, ms, reason }: GatewayStep): Step => ({ step, outcome, ms, reason });
