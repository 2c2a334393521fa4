import type { natBehaviour } from "../../nat/behaviour-discovery.ts";
import type { probePort } from "../../nat/probe.ts";
import type { StunServerOutcome, stunBinding } from "../../stun/client.ts";
import { type Endpoint, formatEndpoint } from "../../udp/endpoint.ts";
import { stopwatch } from "../clock.ts";
import type { Findings, ReflexiveFinding } from "../verdict.ts";
import { messageOf, type RungContext } from "./rung.ts";

export interface DetectionDependencies {
  stun: typeof stunBinding;
  natBehaviour: typeof natBehaviour;
  probe: typeof probePort;
}

const STUN_TIMEOUT_MS = 3_000;

/** The rung of STUN: how the game's own socket is seen from outside, how the NAT behaves, and whether a mapping is true. */
export class DetectionRung {
  servers: readonly string[];
  reflexive: readonly ReflexiveFinding[] = [];
  behaviour: Findings["behaviour"];
  probe: Findings["probe"];
  readonly #context: RungContext;
  readonly #dependencies: DetectionDependencies;
  /** A server with two addresses, which can prove and discover more (RFC 5780). */
  #examiner: { server: string; address: Endpoint } | undefined;
  /** The server that keeps the mapping alive, and what it saw: one is enough, whatever the NAT. */
  #keeper: { server: Endpoint; mapped: Endpoint } | undefined;
  #answering: readonly string[] = [];
  #asking: Promise<void> | undefined;

  constructor(context: RungContext, dependencies: DetectionDependencies, servers: readonly string[]) {
    this.#context = context;
    this.#dependencies = dependencies;
    this.servers = servers;
  }

  /** One question at a time; whoever asks meanwhile gets the same answer. */
  ask(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Servers that answer, those first that can answer from and to other ports. */
  get answering(): readonly string[] {
    return this.#answering;
  }

  /**
   * One packet to one server, so that the NAT does not forget this socket, and a look at the answer. Where it is another than
   * before, or none, all servers are asked anew.
   */
  async keepAlive(): Promise<void> {
    const { socket, signal } = this.#context;
    const keeper = this.#keeper;
    if (keeper === undefined) return await this.ask();
    const { server, mapped } = keeper;
    const [outcome] = await this.#dependencies.stun(socket, [formatEndpoint(server)], {
      timeoutMs: STUN_TIMEOUT_MS,
      signal,
    });
    const isSame = outcome?.mapped?.address === mapped.address && outcome.mapped.port === mapped.port;
    if (!isSame && !signal.aborted) await this.ask();
  }

  /** Other servers from now on, asked at once. */
  async use(servers: readonly string[]): Promise<void> {
    this.servers = servers;
    await this.#asking;
    await this.ask();
  }

  /** Another network has another NAT. */
  forget(): void {
    this.behaviour = undefined;
    this.probe = undefined;
  }

  async #ask(): Promise<void> {
    const { socket, clock, signal } = this.#context;
    if (signal.aborted) return;
    if (this.servers.length === 0) {
      const reason = "No STUN server is known: set SALLYPORT_STUN_URLS, or give a lobby, to learn the public address.";
      this.#context.step({ step: "stun", outcome: "skipped", ms: 0, reason });
      return;
    }
    const elapsedMs = stopwatch(clock);
    const seen: ReflexiveFinding[] = [];
    const outcomes = await this.#dependencies.stun(socket, this.servers, {
      timeoutMs: STUN_TIMEOUT_MS,
      signal,
      onOutcome: ({ server, mapped }) => {
        if (mapped) seen.push({ server, ...mapped });
        // The first answer is shown at once; when asking anew, the old answers stand until all have been heard.
        if (this.reflexive.length <= seen.length) this.reflexive = [...seen];
        this.#context.update();
      },
    });
    if (signal.aborted) return;
    this.reflexive = seen;
    const answered = outcomes.filter(({ mapped }) => mapped !== undefined);
    this.#examiner = answered.flatMap(examinerOf)[0];
    this.#keeper = answered.flatMap(keeperOf)[0];
    const examiner = this.#examiner?.server;
    const names = answered.map(({ server }) => server);
    this.#answering = examiner === undefined ? names : [examiner, ...names.filter((name) => name !== examiner)];
    const ms = elapsedMs();
    const [first] = seen;
    if (first) {
      const reason = `${first.server} sees this socket as ${first.address}:${first.port}.`;
      this.#context.step({ step: "stun", outcome: "ok", ms, reason });
    } else {
      const failures = outcomes.flatMap(({ server, error }) => (error ? [`${server}: ${messageOf(error)}`] : []));
      const reason = `No STUN server answered (${failures.join("; ")}).`;
      this.#context.step({ step: "stun", outcome: "failed", ms, reason });
    }
    this.#context.update();
  }

  /**
   * Once everything is known that is quick to know.
   * @param mapped what a gateway says that it forwards
   */
  async examine(mapped: Endpoint | undefined): Promise<void> {
    // The proof first, since the examination opens the filter for the very addresses that the proof comes from.
    if (mapped) await this.#prove(mapped);
    const examiner = this.#examiner;
    const { socket, signal } = this.#context;
    if (!examiner || this.behaviour !== undefined || signal.aborted) return;
    const { mapping, filtering, hairpinning, portPreservation } = await this.#dependencies.natBehaviour(
      socket,
      examiner.server,
      {
        signal,
      },
    );
    if (signal.aborted || mapping === "unknown") return;
    this.behaviour = { mapping, filtering, hairpinning, portPreservation };
    this.#context.update();
  }

  async #prove(mapped: Endpoint): Promise<void> {
    const examiner = this.#examiner;
    const { socket, clock, signal } = this.#context;
    if (!examiner || signal.aborted) return;
    const elapsedMs = stopwatch(clock);
    const result = await this.#dependencies.probe(socket, examiner.address, mapped.port, { signal });
    if (signal.aborted) return;
    const ms = elapsedMs();
    const port = `${mapped.address}:${mapped.port}`;
    this.probe = result === "unsupported" ? undefined : result;
    if (result === "arrived") {
      const reason = `A packet that nobody here asked for came in by ${port}.`;
      this.#context.step({ step: "probe", outcome: "ok", ms, reason });
    } else if (result === "silent") {
      const reason = `The router says that it forwards ${port}, but no packet from outside came in: a firewall or another NAT stands before it.`;
      this.#context.step({ step: "probe", outcome: "failed", ms, reason });
    }
    this.#context.update();
  }
}

function keeperOf({ address, mapped }: StunServerOutcome): { server: Endpoint; mapped: Endpoint }[] {
  return address && mapped ? [{ server: address, mapped }] : [];
}

function examinerOf({ server, address, otherAddress }: StunServerOutcome): { server: string; address: Endpoint }[] {
  return address && otherAddress && otherAddress.address !== address.address ? [{ server, address }] : [];
}
