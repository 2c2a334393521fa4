import { isDeepStrictEqual } from "node:util";
import type { DefaultRoute } from "../../net/default-route.ts";
import { reachableAddresses, type UsableAddress, usableInterfaces } from "../../net/usable-interfaces.ts";
import { every, stopwatch } from "../clock.ts";
import type { Findings } from "../verdict.ts";
import { isLoopback, type Rung, type RungContext } from "./rung.ts";

/** Node has no event for a change of network, so the list is read again and again. */
const WATCH_INTERVAL_MS = 3_000;

type InterfaceAddress = Pick<UsableAddress, "name" | "address">;

/** The rung of the machine's own addresses, which it watches for a change of network. */
export class InterfacesRung implements Rung {
  readonly #context: RungContext;
  #addresses: readonly InterfaceAddress[] = [];
  /** Empty until they are learnt, and where the system does not tell. */
  #defaultRoutes: readonly DefaultRoute[] = [];

  constructor(context: RungContext) {
    this.#context = context;
  }

  get findings(): Partial<Findings> {
    return { interfaces: this.#addresses };
  }

  async open(): Promise<void> {
    const { dependencies, signal, changed } = this.#context;
    this.#look();
    void this.#learnDefaultRoutes();
    every(dependencies.clock, WATCH_INTERVAL_MS, signal, () => {
      if (!isDeepStrictEqual(this.#read(), this.#addresses)) changed("network");
    });
  }

  async refresh(): Promise<void> {
    this.#look();
    void this.#learnDefaultRoutes();
  }

  async close(): Promise<void> {
    // The watch ends with the context's signal.
  }

  /** The default route decides which address is told first, and whether a bridge is one of this machine alone. */
  async #learnDefaultRoutes(): Promise<void> {
    const { dependencies, signal } = this.#context;
    this.#defaultRoutes = await dependencies.defaultRoutes();
    if (!signal.aborted) this.#look();
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
    const usable = usableInterfaces(this.#defaultRoutes, this.#context.dependencies.interfaces());
    const isBound = bound !== "::" && bound !== "0.0.0.0";
    const own = isBound ? usable.filter(({ address }) => address === bound) : reachableAddresses(usable);
    return own.map(({ name, address }) => ({ name, address }));
  }
}
