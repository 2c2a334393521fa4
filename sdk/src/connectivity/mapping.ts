import { type PortMapper } from "../gateway/mapper/port-mapper.ts";
import {
  type GatewayInfo,
  type GatewayStep,
  type MappingEvent,
  type MapRequest,
  PortMapError,
  type PortMapping,
} from "../gateway/types.ts";
import type { Step } from "./reachability.ts";
import { messageOf, type RungContext } from "./rung.ts";
import type { Findings } from "./verdict.ts";

/** What of the port mapper is used here. */
export type Mapper = Pick<PortMapper, "map" | "gateways" | "refresh" | "close" | "on">;

/** The rung of the gateways: a mapping, kept by the port mapper, and told of as it comes, changes and goes. */
export class MappingRung {
  readonly #context: RungContext;
  readonly #mapper: Mapper;
  readonly #mappings = new Set<PortMapping>();
  /** Of other ports than the game's, by the port inside; undefined until it is mapped. */
  readonly #beside = new Map<number, PortMapping | undefined>();
  /** The way in is another than before. */
  onChanged: (() => void) | null = null;

  constructor(context: RungContext, mapper: Mapper) {
    this.#context = context;
    this.#mapper = mapper;
    mapper.on("mapped", ({ mapping }) => this.#adopt(mapping));
  }

  get gateways(): GatewayInfo[] {
    return this.#mapper.gateways();
  }

  /** Those that hold now. */
  get held(): PortMapping[] {
    return [...this.#mappings].filter(({ state }) => state === "mapped");
  }

  /** Those that hold now, one for each transport. */
  get findings(): Findings["mappings"] {
    return this.held.flatMap((mapping) =>
      (mapping.protocol === "both" ? (["udp", "tcp"] as const) : [mapping.protocol]).map((protocol) => ({
        protocol,
        address: mapping.externalAddress,
        port: mapping.externalPort,
        via: mapping.via,
        expiresAt: mapping.expiresAt,
        verified: mapping.verified,
        gatewayName: mapping.gateway.name,
      })),
    );
  }

  /** Resolves when the first attempt has ended, well or not; the mapper goes on trying. */
  async open(request: MapRequest): Promise<void> {
    const { signal } = this.#context;
    try {
      const onStep = (step: GatewayStep): void => this.#context.step(plainStep(step));
      this.#adopt(await this.#mapper.map(request, { signal, onStep }));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof PortMapError) for (const step of error.steps) this.#context.step(plainStep(step));
      else {
        const reason = `Asking the router failed: ${messageOf(error)}`;
        this.#context.step({ step: "upnp", outcome: "failed", ms: 0, reason });
      }
    }
  }

  /** Another port, UDP alone. The mapper goes on trying where the first attempt fails. */
  mapBeside(
    internalPort: number,
    { description, lifetimeSeconds }: Pick<MapRequest, "description" | "lifetimeSeconds">,
  ): void {
    if (this.#beside.has(internalPort)) return;
    this.#beside.set(internalPort, undefined);
    const { signal } = this.#context;
    this.#mapper
      .map({ internalPort, protocol: "udp", description, application: description, lifetimeSeconds }, { signal })
      .then(
        (mapping) => this.#adopt(mapping),
        () => {},
      );
  }

  /** Where another port is reached from outside, if it is mapped now. */
  beside(internalPort: number): { address: string; port: number } | undefined {
    const mapping = this.#beside.get(internalPort);
    if (mapping?.state !== "mapped") return undefined;
    return { address: mapping.externalAddress, port: mapping.externalPort };
  }

  refresh(): void {
    this.#mapper.refresh();
  }

  async close(): Promise<void> {
    await this.#mapper.close();
    this.#mappings.clear();
  }

  #adopt(mapping: PortMapping): void {
    if (this.#beside.has(mapping.internalPort)) {
      this.#beside.set(mapping.internalPort, mapping);
      return;
    }
    if (this.#mappings.has(mapping)) return;
    this.#mappings.add(mapping);
    const say =
      (outcome: Step["outcome"]) =>
      ({ reason, ms }: MappingEvent): void => {
        this.#context.step({ step: mapping.via, outcome, ms, reason });
        this.#context.update();
      };
    mapping.on("mapped", say("ok"));
    mapping.on("changed", (event) => {
      this.onChanged?.();
      say("ok")(event);
    });
    mapping.on("lost", say("failed"));
    mapping.on("renewed", () => this.#context.update());
    mapping.on("unmapped", () => {
      this.#mappings.delete(mapping);
      this.#context.update();
    });
    this.#context.update();
  }
}

const plainStep = ({ step, outcome, ms, reason }: GatewayStep): Step => ({ step, outcome, ms, reason });
