/** A gateway and a clock that tests hold in their hands. */
import { EventEmitter } from "node:events";
import {
  type Discover,
  type Gateway,
  GatewayError,
  type GatewayErrorKind,
  type GatewayEvents,
  type Lease,
  type LeaseCheck,
  type PortRequest,
  type SearchEvents,
} from "../../../sdk/src/gateway/gateway.ts";
import type { GatewayInfo, Via } from "../../../sdk/src/gateway/types.ts";
import { type Clock } from "../../../sdk/src/net/clock.ts";

/** Time that passes when it is told to. */
export class FakeClock implements Clock {
  time = 0;
  /** What the wall clock is ahead by. */
  skew = 1_800_000_000_000;
  #timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.time;
  }
  unixNow(): number {
    return this.time + this.skew;
  }
  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets `ms` pass, timer after timer; whatever they set in motion comes to rest in between. */
  async advance(ms: number): Promise<void> {
    const until = this.time + ms;
    for (;;) {
      await settle();
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.time = Math.max(this.time, due.at);
      due.callback();
    }
    this.time = until;
    await settle();
  }
}

/** Until every promise that can be kept without time passing is. */
async function settle(): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A table of port mappings without a network. */
export class FakeGateway extends EventEmitter<GatewayEvents> implements Gateway {
  readonly localAddress = "192.168.1.10";
  readonly rows = new Map<string, { owner: string; internalPort: number }>();
  readonly asked: string[] = [];
  readonly #clock: FakeClock;
  readonly via: Via;
  readonly address: string;
  readonly rank: number;
  externalAddress = "11.0.0.1";
  /** Thrown at the next requests. */
  failures: GatewayError[] = [];
  silent = false;
  maxLifetime = 7200;
  closed = false;
  /** Milliseconds that a request takes. */
  latency = 0;

  constructor(clock: FakeClock, via: Via = "upnp", address = "192.168.1.1", rank = 0) {
    super();
    this.rank = rank;
    this.#clock = clock;
    this.via = via;
    this.address = address;
  }

  get id(): string {
    return `${this.via} ${this.address}`;
  }

  get info(): GatewayInfo {
    return { via: this.via, name: `Fake ${this.via}`, address: this.address, externalAddress: this.externalAddress };
  }

  fail(kind: GatewayErrorKind, code?: number): this {
    this.failures.push(new GatewayError(kind, `fake ${kind}`, { code }));
    return this;
  }

  async request(wish: PortRequest, signal?: AbortSignal): Promise<Lease> {
    this.asked.push(`map ${wish.transport} ${wish.externalPort}`);
    await this.#wait(signal);
    const failure = this.failures.shift();
    if (failure) throw failure;
    const key = `${wish.transport} ${wish.externalPort}`;
    const entry = this.rows.get(key);
    if (entry && (entry.owner !== "us" || entry.internalPort !== wish.internalPort))
      throw new GatewayError("conflict", `${key} is taken`);
    this.rows.set(key, { owner: "us", internalPort: wish.internalPort });
    const lifetimeSeconds = Math.min(wish.lifetimeSeconds, this.maxLifetime);
    return {
      transport: wish.transport,
      internalAddress: this.localAddress,
      internalPort: wish.internalPort,
      externalAddress: this.externalAddress,
      externalPort: wish.externalPort,
      description: wish.description,
      lifetimeSeconds,
      expiresAt: lifetimeSeconds === 0 ? 0 : this.#clock.unixNow() + lifetimeSeconds * 1000,
      verified: true,
    };
  }

  renew(lease: Lease, lifetimeSeconds: number, signal?: AbortSignal): Promise<Lease> {
    return this.request({ ...lease, exact: true, lifetimeSeconds }, signal);
  }

  async check(lease: Lease, signal?: AbortSignal): Promise<LeaseCheck> {
    this.asked.push(`check ${lease.transport} ${lease.externalPort}`);
    if (this.silent) return { state: "unknown", lease };
    await this.#wait(signal);
    const entry = this.rows.get(`${lease.transport} ${lease.externalPort}`);
    if (!entry) return { state: "gone", lease };
    return {
      state: entry.owner === "us" ? "held" : "taken",
      lease: { ...lease, externalAddress: this.externalAddress },
    };
  }

  async release(lease: Lease): Promise<boolean> {
    this.asked.push(`release ${lease.transport} ${lease.externalPort}`);
    if (this.silent) return false;
    const key = `${lease.transport} ${lease.externalPort}`;
    if (this.rows.get(key)?.owner === "us") this.rows.delete(key);
    return true;
  }

  async probe(): Promise<void> {
    this.asked.push("probe");
    if (this.silent) throw new GatewayError("unreachable", "silence");
  }

  onAnnouncement(): boolean {
    return false;
  }
  async close(): Promise<void> {
    this.closed = true;
  }

  async #wait(signal?: AbortSignal): Promise<void> {
    if (this.silent) throw new GatewayError("unreachable", "silence");
    if (this.latency === 0) return;
    await new Promise<void>((resolve, reject) => {
      const cancel = this.#clock.after(this.latency, resolve);
      signal?.addEventListener("abort", () => {
        cancel();
        reject(signal.reason as Error);
      });
    });
  }
}

/** A network on which these gateways answer every search, after `delays` milliseconds. */
export class FakeNetwork {
  readonly gateways: { gateway: FakeGateway; delay: number }[] = [];
  searches = 0;
  readonly #clock: FakeClock;

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  add(gateway: FakeGateway, delay = 10): FakeGateway {
    this.gateways.push({ gateway, delay });
    return gateway;
  }

  discover: Discover = ({ onGateway, onFinding }: SearchEvents) => {
    this.searches++;
    let open = true;
    for (const { gateway, delay } of this.gateways) {
      this.#clock.after(delay, () => {
        if (open && !gateway.silent) onGateway(gateway);
      });
    }
    const settled = new Promise<void>((resolve) => {
      this.#clock.after(850, () => {
        if (this.gateways.length === 0) onFinding({ step: "upnp", outcome: "absent", reason: "nobody there" });
        resolve();
      });
    });
    return {
      settled,
      async [Symbol.asyncDispose]() {
        open = false;
      },
    };
  };
}
