/** An allocation and its scripted server, with a network between them that may lose, double, delay and reorder. */
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import { TurnAllocation } from "../../../sdk/src/turn/allocation.ts";
import type { TurnAllocationOptions } from "../../../sdk/src/turn/allocation-options.ts";
import type { TurnError } from "../../../sdk/src/turn/errors.ts";
import { CREDENTIALS, type ScriptedOptions, ScriptedTurnServer, SERVER } from "./scripted-server.ts";

export interface Network {
  /** Of 1. */
  loss: number;
  duplication: number;
  minDelayMs: number;
  maxDelayMs: number;
}

export class World {
  now = 1000;
  readonly server: ScriptedTurnServer;
  readonly allocation: TurnAllocation;
  readonly received: { data: string; address: string; port: number }[] = [];
  readonly refused: [string, number | undefined][] = [];
  /** Of all that the client sent, when. */
  readonly sentAt: number[] = [];
  ended: TurnError | null = null;
  /** Nothing arrives, either way. */
  cut = false;
  readonly #network: Network;
  readonly #random: () => number;
  #flying: { at: number; order: number; arrive: () => void }[] = [];
  #order = 0;

  constructor(
    options: Partial<TurnAllocationOptions> = {},
    scripted: ScriptedOptions = {},
    network: Partial<Network> = {},
    seed = 1,
  ) {
    this.#network = { loss: 0, duplication: 0, minDelayMs: 10, maxDelayMs: 10, ...network };
    this.#random = seededRandom(seed);
    this.server = new ScriptedTurnServer(scripted);
    this.allocation = new TurnAllocation(
      { server: SERVER, credentials: CREDENTIALS, random: this.#random, ...options },
      {
        transmit: (message) => {
          const copy = Buffer.from(message);
          this.sentAt.push(this.now);
          this.#fly(() => {
            const answer = this.server.receive(copy, this.now);
            if (answer !== null)
              this.#fly(() => this.allocation.receive(answer, SERVER.address, SERVER.port, this.now));
          });
          return true;
        },
        data: (data, address, port) => this.received.push({ data: data.toString(), address, port }),
        allocated: () => {},
        ended: (error) => {
          this.ended = error;
        },
        refused: (address, error) => this.refused.push([address, error.stunCode]),
      },
    );
  }

  /** Starts and runs until there is a relayed address or none. */
  allocate(): this {
    this.allocation.start(this.now);
    for (let i = 0; i < 2000 && this.allocation.state === "allocating"; i++) this.run(10);
    return this;
  }

  peerSends(text: string, address: string, port: number): void {
    const datagram = this.server.fromPeer(Buffer.from(text), { address, port }, this.now);
    if (datagram !== null) this.#fly(() => this.allocation.receive(datagram, SERVER.address, SERVER.port, this.now));
  }

  /** Lets time pass, everything at its own moment. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      this.#flying.sort((a, b) => a.at - b.at || a.order - b.order);
      const packet = this.#flying[0]?.at ?? Number.POSITIVE_INFINITY;
      const timer = this.allocation.nextTimeout() ?? Number.POSITIVE_INFINITY;
      const next = Math.min(packet, timer);
      if (next > end) break;
      this.now = Math.max(this.now, next);
      if (packet <= timer) this.#flying.shift()?.arrive();
      else this.allocation.handleTimeout(this.now);
    }
    this.now = end;
  }

  #fly(arrive: () => void): void {
    const { loss, duplication, minDelayMs, maxDelayMs } = this.#network;
    const copies = this.#random() < loss || this.cut ? 0 : this.#random() < duplication ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const at = this.now + minDelayMs + this.#random() * (maxDelayMs - minDelayMs);
      this.#flying.push({ at, order: this.#order++, arrive });
    }
  }
}
