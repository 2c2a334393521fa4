import { AnnouncedHost } from "../announced.ts";
import { stopwatch } from "../clock.ts";
import type { Findings } from "../verdict.ts";
import type { Rung, RungContext } from "./rung.ts";

/** The rung of what the person who hosts announces: nothing is asked but the name. */
export class AnnouncedRung implements Rung {
  readonly #context: RungContext;
  readonly #host: AnnouncedHost;

  constructor(context: RungContext) {
    this.#context = context;
    this.#host = new AnnouncedHost(context.options.announce, context.dependencies.lookUp);
  }

  get findings(): Partial<Findings> {
    const { host, port } = this.#context.options.announce;
    if (host === undefined && port === undefined) return {};
    return { announced: { addresses: host === undefined ? undefined : this.#host.addresses, port } };
  }

  async open(): Promise<void> {
    const { options, dependencies, signal, step, update } = this.#context;
    const { host } = options.announce;
    if (host === undefined) return;
    const elapsedMs = stopwatch(dependencies.clock);
    const isFound = await this.#host.refresh(signal);
    if (signal.aborted) return;
    const { addresses } = this.#host;
    step(
      isFound
        ? { step: "announce", outcome: "ok", ms: elapsedMs(), reason: `Announced at ${addresses.join(", ")}.` }
        : {
            step: "announce",
            outcome: "failed",
            ms: elapsedMs(),
            reason: `The announced name ${host} has no address: check the name and this machine's DNS.`,
          },
    );
    update();
  }

  /** A name may lead elsewhere by now (dynamic DNS). */
  refresh(): Promise<void> {
    return this.open();
  }

  async close(): Promise<void> {
    // A look-up ends with the context's signal.
  }
}
