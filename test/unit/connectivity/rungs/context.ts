import { type ConnectivityDependencies, REAL_DEPENDENCIES } from "../../../../sdk/src/connectivity/dependencies.ts";
import { type ConnectivityOptions, withDefaults } from "../../../../sdk/src/connectivity/options.ts";
import type { Reachability, Step } from "../../../../sdk/src/connectivity/reachability.ts";
import type { Change, RungContext } from "../../../../sdk/src/connectivity/rungs/rung.ts";
import { assess, type Findings } from "../../../../sdk/src/connectivity/verdict.ts";
import { UDPSocket } from "../../../../sdk/src/net/udp-socket.ts";
import { FakeClock } from "../../gateway/fake.ts";

/** What the manager hands to a rung, with a clock that the test advances, and what the rung reports. */
export class TestContext implements RungContext, AsyncDisposable {
  readonly clock: FakeClock = new FakeClock();
  readonly steps: Step[] = [];
  readonly changes: Change[] = [];
  updates = 0;
  /** What the other rungs found. */
  findings: Partial<Findings> = {};
  readonly options: RungContext["options"];
  readonly dependencies: ConnectivityDependencies;
  readonly #abort = new AbortController();
  readonly #socket: UDPSocket;

  constructor(options: ConnectivityOptions, dependencies: Partial<ConnectivityDependencies>) {
    this.options = withDefaults({ port: 0, ...options });
    this.dependencies = { ...REAL_DEPENDENCIES, clock: this.clock, ...dependencies };
    const { port, address } = this.options;
    this.#socket = UDPSocket.open({ port, address });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  readonly socket = (): UDPSocket => this.#socket;
  readonly reachability = (): Reachability => assess({ ...NOTHING, ...this.findings });
  readonly step = (step: Step): void => void this.steps.push(step);
  readonly update = (): void => void this.updates++;
  readonly changed = (what: Change): void => void this.changes.push(what);

  end(): void {
    this.#abort.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.end();
    await this.#socket.close();
  }
}

const NOTHING = { localPort: 7777, interfaces: [], mappings: [], reflexive: [], gateways: [], steps: [] };
