import type { PortMapping } from "../../gateway/types.ts";
import { type Endpoint, formatEndpoint } from "../../net/endpoint.ts";
import { howToLetIn } from "../../net/firewall.ts";
import { addressScope } from "../../net/scope.ts";
import type { StunServerOutcome } from "../../stun/client.ts";
import { stopwatch } from "../clock.ts";
import type { Findings, ReflexiveFinding } from "../verdict.ts";
import type { MappingRung } from "./mapping.ts";
import { type Change, isLoopback, LOOPBACK_ONLY, messageOf, type Rung, type RungContext } from "./rung.ts";

const STUN_TIMEOUT_MS = 3_000;

/**
 * The rung of STUN: how the game's own socket is seen from outside, how the NAT behaves, and whether the mapped port really lets
 * packets in.
 */
export class DetectionRung implements Rung {
  readonly #context: RungContext;
  readonly #mapping: Pick<MappingRung, "held">;
  #servers: readonly string[];
  #isOpen = false;
  #reflexive: readonly ReflexiveFinding[] = [];
  #behaviour: Findings["behaviour"];
  #probe: Findings["probe"];
  /** A server with two addresses, which can prove and discover more (RFC 5780). */
  #examiner: { server: string; address: Endpoint } | undefined;
  /** The server that keeps the mapping alive, and what it saw: one is enough, whatever the NAT. */
  #keeper: { server: Endpoint; mapped: Endpoint } | undefined;
  #answering: readonly string[] = [];
  #asking: Promise<void> | undefined;
  /** Mappings that were deleted and added again: once is enough. */
  readonly #remade = new WeakSet<PortMapping>();

  /** @param mapping whose endpoint is to be proven */
  constructor(context: RungContext, mapping: Pick<MappingRung, "held">) {
    this.#context = context;
    this.#mapping = mapping;
    this.#servers = context.options.stunServers;
  }

  get findings(): Partial<Findings> {
    return { reflexive: this.#reflexive, behaviour: this.#behaviour, probe: this.#probe };
  }

  /** The public IPv4 address as a STUN server sees it, once one has answered; `undefined` if none does. */
  async publicAddress(): Promise<string | undefined> {
    await this.#asking;
    return this.#reflexive.find(({ address }) => !address.includes(":"))?.address;
  }

  /** Servers that answer, those first that can answer from and to other ports. */
  get answering(): readonly string[] {
    return this.#answering;
  }

  async open(): Promise<void> {
    const { socket, step } = this.#context;
    if (isLoopback(socket())) {
      step({ step: "stun", outcome: "skipped", ms: 0, reason: LOOPBACK_ONLY });
      return;
    }
    this.#isOpen = true;
    await this.#ask();
  }

  /** Proves the mapped port and examines the NAT, once everything is known that is quick to know. */
  async settle(): Promise<void> {
    // The proof first, since the examination opens the filter for the very addresses that the proof comes from.
    const [held] = this.#mapping.held;
    if (held) await this.#prove(held);
    await this.#examine();
  }

  async refresh(): Promise<void> {
    if (!this.#isOpen) return;
    await this.#ask();
    if (this.#behaviour === undefined) await this.settle();
  }

  /** Other servers from now on, asked at once. */
  async use(servers: readonly string[]): Promise<void> {
    this.#servers = servers;
    if (!this.#isOpen || this.#context.signal.aborted) return;
    await this.#asking;
    await this.#ask();
    await this.settle();
  }

  /**
   * One packet to one server, so that the NAT does not forget this socket, and a look at the answer. Where the answer is another
   * than before, or none, all servers are asked again.
   */
  async keepAlive(): Promise<void> {
    if (this.#servers.length === 0) return;
    const { dependencies, socket, signal } = this.#context;
    const keeper = this.#keeper;
    if (keeper === undefined) return await this.#ask();
    const { server, mapped } = keeper;
    const options = { timeoutMs: STUN_TIMEOUT_MS, signal };
    const [outcome] = await dependencies.stun(socket(), [formatEndpoint(server)], options);
    const isSame = outcome?.mapped?.address === mapped.address && outcome.mapped.port === mapped.port;
    if (!isSame && !signal.aborted) await this.#ask();
  }

  /** Another network has another NAT, and the proof of a former endpoint says nothing of the new one. */
  forget(changed: Change): void {
    this.#probe = undefined;
    if (changed === "network") this.#behaviour = undefined;
  }

  async close(): Promise<void> {
    // Every request ends with the context's signal.
  }

  /** One question at a time; a second call gets the same answer. */
  #ask(): Promise<void> {
    this.#asking ??= this.#askAll().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askAll(): Promise<void> {
    const { dependencies, socket, signal, step, update } = this.#context;
    if (signal.aborted) return;
    if (this.#servers.length === 0) {
      const reason =
        "No STUN server is known: set SALLYPORT_STUN_URLS (option stunServers) or name a lobby to learn the public address.";
      step({ step: "stun", outcome: "skipped", ms: 0, reason });
      return;
    }
    const elapsedMs = stopwatch(dependencies.clock);
    const seen: ReflexiveFinding[] = [];
    const outcomes = await dependencies.stun(socket(), this.#servers, {
      timeoutMs: STUN_TIMEOUT_MS,
      signal,
      onOutcome: ({ server, mapped }) => {
        if (mapped && isFromOutside(mapped)) seen.push({ server, ...mapped });
        // The first answer is shown at once. When asking again, the old answers are shown until all have been heard.
        if (this.#reflexive.length <= seen.length) this.#reflexive = [...seen];
        update();
      },
    });
    if (signal.aborted) return;
    this.#reflexive = seen;
    const answered = outcomes.filter(({ mapped }) => mapped !== undefined && isFromOutside(mapped));
    this.#examiner = answered.flatMap(examinerOf)[0];
    this.#keeper = answered.flatMap(keeperOf)[0];
    const examiner = this.#examiner?.server;
    const names = answered.map(({ server }) => server);
    this.#answering = examiner === undefined ? names : [examiner, ...names.filter((name) => name !== examiner)];
    const ms = elapsedMs();
    const [first] = seen;
    if (first) {
      const reason = `${first.server} sees this socket as ${first.address}:${first.port}.`;
      step({ step: "stun", outcome: "ok", ms, reason });
    } else if (outcomes.some(({ mapped }) => mapped !== undefined)) {
      const reason = "The STUN server runs on this computer, and does not see it from outside.";
      step({ step: "stun", outcome: "skipped", ms, reason });
    } else {
      const failures = outcomes.flatMap(({ server, error }) => (error ? [`${server}: ${messageOf(error)}`] : []));
      const reason = `No STUN server answered (${failures.join("; ")}).`;
      step({ step: "stun", outcome: "failed", ms, reason });
    }
    update();
  }

  async #examine(): Promise<void> {
    const examiner = this.#examiner;
    const { dependencies, socket, signal, update } = this.#context;
    if (!examiner || this.#behaviour !== undefined || signal.aborted) return;
    const found = await dependencies.natBehaviour(socket(), examiner.server, { signal });
    const { mapping, filtering, hairpinning, portPreservation } = found;
    if (signal.aborted || mapping === "unknown") return;
    this.#behaviour = { mapping, filtering, hairpinning, portPreservation };
    update();
  }

  async #prove(mapping: PortMapping): Promise<void> {
    const examiner = this.#examiner;
    const { dependencies, socket, signal, step, update } = this.#context;
    if (!examiner || signal.aborted) return;
    const elapsedMs = stopwatch(dependencies.clock);
    const ask = (): ReturnType<typeof dependencies.probe> =>
      dependencies.probe(socket(), examiner.address, mapping.externalPort, { signal });
    let result = await ask();
    // Some routers list entries that forward nothing until they are deleted and added again.
    if (result === "silent" && !signal.aborted && !this.#remade.has(mapping)) {
      this.#remade.add(mapping);
      if (await mapping.remake("no packet from outside came in by it")) result = await ask();
    }
    if (signal.aborted) return;
    const ms = elapsedMs();
    const told = mapping.externalAddress;
    const isPublic = addressScope(told) === "public";
    const port = `${isPublic ? told : ((await this.publicAddress()) ?? told)}:${mapping.externalPort}`;
    this.#probe = result === "unsupported" ? undefined : result;
    if (result === "arrived") {
      const reason = `A packet that nobody here asked for came in by ${port}.`;
      step({ step: "probe", outcome: "ok", ms, reason });
    } else if (result === "silent") {
      const reason = `The router says that it forwards ${port}, but no packet from outside came in: a firewall or another NAT stands before it.`;
      step({ step: "probe", outcome: "failed", ms, reason });
      const own = howToLetIn();
      if (own !== "") step({ step: "firewall", outcome: "failed", ms, reason: `${own}.` });
    }
    update();
  }
}

/** A server on this computer, such as a lobby's beside the game, sees a loopback address: nobody else comes by it. */
function isFromOutside({ address }: Endpoint): boolean {
  return addressScope(address) !== "loopback";
}

function keeperOf({ address, mapped }: StunServerOutcome): { server: Endpoint; mapped: Endpoint }[] {
  return address && mapped ? [{ server: address, mapped }] : [];
}

function examinerOf({ server, address, otherAddress }: StunServerOutcome): { server: string; address: Endpoint }[] {
  return address && otherAddress && otherAddress.address !== address.address ? [{ server, address }] : [];
}
