import { isDeepStrictEqual } from "node:util";
import { every, stopwatch } from "../clock.ts";
import type { InterfaceAddress } from "../interfaces.ts";
import type { Findings } from "../verdict.ts";
import { isLoopback, type Rung, type RungContext } from "./rung.ts";

/** Node has no event for a change of network, so the list is read again and again. */
const WATCH_INTERVAL_MS = 3_000;

/** The rung of the machine's own addresses, which it watches for a change of network. */
export class InterfacesRung implements Rung {
  readonly #context: RungContext;
  #addresses: readonly InterfaceAddress[] = [];

  constructor(context: RungContext) {
    this.#context = context;
  }

  get findings(): Partial<Findings> {
    return { interfaces: this.#addresses };
  }

  async open(): Promise<void> {
    const { dependencies, signal, changed } = this.#context;
    this.#look();
    every(dependencies.clock, WATCH_INTERVAL_MS, signal, () => {
      if (!isDeepStrictEqual(this.#read(), this.#addresses)) changed("network");
    });
  }

  async refresh(): Promise<void> {
    this.#look();
  }

  async close(): Promise<void> {
    // The watch ends with the context's signal.
  }

  #look(): void {
    const { dependencies, step } = this.#context;
    const elapsedMs = stopwatch(dependencies.clock);
    this.#addresses = this.#read();
    const names = this.#addresses.map(({ name, address }) => `${address} (${name})`).join(", ");
    const ms = elapsedMs();
    if (names === "") {
      const reason = "No network interface is up: check the cable or the Wi-Fi.";
      step({ step: "interfaces", outcome: "absent", ms, reason });
    } else step({ step: "interfaces", outcome: "ok", ms, reason: `Found ${names}.` });
  }

  /** A socket that is bound to one address has that address alone. */
  #read(): InterfaceAddress[] {
    const socket = this.#context.socket();
    const bound = socket.localAddress;
    if (isLoopback(socket)) return [{ name: "loopback", address: bound }];
    const all = this.#context.dependencies.interfaces();
    return bound === "::" || bound === "0.0.0.0" ? all : all.filter(({ address }) => address === bound);
  }
}
