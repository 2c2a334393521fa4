import { traceOf } from "../../net/trace.ts";
import type { Findings } from "../verdict.ts";
import { AnnouncedRung } from "./announced.ts";
import { DetectionRung } from "./detection.ts";
import { InterfacesRung } from "./interfaces.ts";
import { LifetimeRung } from "./lifetime.ts";
import { MappingRung } from "./mapping.ts";
import { RelayRung } from "./relay.ts";
import type { Change, Rung, RungContext } from "./rung.ts";

const trace = traceOf("connectivity");

/** All rungs as one: opened in parallel, so that none waits for another. */
export class Ladder implements Rung {
  readonly mapping: MappingRung;
  readonly detection: DetectionRung;
  readonly lifetime: LifetimeRung;
  readonly relay: RelayRung;
  readonly #rungs: readonly Rung[];
  #settled: Promise<void> = Promise.resolve();

  constructor(context: RungContext) {
    this.mapping = new MappingRung(context, () => this.detection.publicAddress());
    this.detection = new DetectionRung(context, this.mapping);
    this.relay = new RelayRung(context);
    this.lifetime = new LifetimeRung(context, this);
    const [interfaces, announced] = [new InterfacesRung(context), new AnnouncedRung(context)];
    // Where addresses stay hidden, the others would learn and tell them.
    this.#rungs = context.options.relayOnly
      ? [this.relay]
      : [interfaces, announced, this.mapping, this.detection, this.lifetime, this.relay];
  }

  get findings(): Partial<Findings> {
    const all: Partial<Findings> = {};
    for (const { findings } of this.#rungs) Object.assign(all, findings);
    return all;
  }

  /** Resolves when each rung's first attempt has ended. */
  async open(): Promise<void> {
    const opened = Promise.all(this.#rungs.map((rung) => rung.open()));
    this.#settled = opened.then(() => this.#settle());
    // Reported by `open()` and `settled()`, where they are awaited.
    this.#settled.catch(() => {});
    await opened;
  }

  /** Resolves when each rung has also done what depends on the others. */
  settled(): Promise<void> {
    return this.#settled;
  }

  async refresh(): Promise<void> {
    await Promise.all(this.#rungs.map((rung) => rung.refresh()));
    this.measureIfNeeded();
  }

  /** Measures the NAT's lifetime in the background, once it is clear whether anybody depends on it. */
  measureIfNeeded(): void {
    this.#settled.then(
      () => this.lifetime.settle(),
      () => {},
    );
  }

  forget(changed: Change): void {
    trace.event(`${changed}-changed`);
    for (const rung of this.#rungs) rung.forget?.(changed);
    if (changed === "network") void this.refresh();
  }

  async close(): Promise<void> {
    await Promise.all(this.#rungs.map((rung) => rung.close()));
  }

  async #settle(): Promise<void> {
    for (const rung of this.#rungs) await rung.settle?.();
  }
}
