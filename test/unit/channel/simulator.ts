import { NetworkConditioner } from "../../../sdk/src/channel/conditioner.ts";
import { MessageEndpoint } from "../../../sdk/src/channel/endpoint.ts";
import type { NetworkConditions } from "../../../sdk/src/channel/line-model.ts";
import { seededRandom } from "../../../sdk/src/channel/random.ts";
import type { ChannelFailure, DeliveryMode, MessageEndpointOptions } from "../../../sdk/src/channel/wire/types.ts";

export interface Arrived {
  data: Uint8Array;
  mode: DeliveryMode;
  channel: number;
  at: number;
}

/** One end: an endpoint, what arrived at it, and the line that leads away from it. */
export class Side {
  readonly arrived: Arrived[] = [];
  readonly failures: ChannelFailure[] = [];
  readonly endpoint: MessageEndpoint;
  readonly line: NetworkConditioner;
  /** Added to the simulation's time: a clock that jumps. */
  clockOffset = 0;
  onMessage: ((arrived: Arrived) => void) | undefined;

  constructor(simulation: Simulation, options: MessageEndpointOptions, conditions: NetworkConditions, seed: number) {
    this.line = new NetworkConditioner(conditions, seed);
    this.endpoint = new MessageEndpoint(options, {
      message: (data, mode, channel) => {
        const arrived = { data: data.slice(), mode, channel, at: simulation.now };
        if (this.onMessage) this.onMessage(arrived);
        else this.arrived.push(arrived);
      },
      failed: (reason) => this.failures.push(reason),
    });
  }
}

/** Two endpoints over two conditioned lines, in simulated time that leaps from event to event. */
export class Simulation {
  now = 1000;
  readonly a: Side;
  readonly b: Side;
  readonly random: () => number;
  /** Timers fire at multiples of this alone, ms: 15.625 on Windows. */
  timerTickMs = 0;
  /** Calls of poll that sent something; a simulation that goes round in circles is found out by it. */
  steps = 0;
  readonly #packet: Uint8Array = new Uint8Array(1500);
  readonly #events: { at: number; run: () => void }[] = [];

  constructor(seed: number, conditions: NetworkConditions, options: MessageEndpointOptions = {}) {
    this.random = seededRandom(seed);
    this.a = new Side(this, options, conditions, seed * 2 + 1);
    this.b = new Side(this, options, conditions, seed * 2 + 2);
  }

  /** Does something at a time; events of one time run in the order given. */
  at(time: number, run: () => void): void {
    let index = this.#events.length;
    while (index > 0 && (this.#events[index - 1]?.at ?? 0) > time) index--;
    this.#events.splice(index, 0, { at: time, run });
  }

  flush(): void {
    this.#flush(this.a);
    this.#flush(this.b);
  }

  /** Runs until `time`, or until nothing is left to happen. @returns whether nothing is left. */
  runUntil(time: number): boolean {
    for (;;) {
      const next = Math.min(
        this.#events[0]?.at ?? Infinity,
        this.#wake(this.a),
        this.#wake(this.b),
        this.a.line.nextDue,
        this.b.line.nextDue,
      );
      if (next === Infinity || next > time) {
        this.now = time === Infinity ? this.now : time;
        return next === Infinity;
      }
      this.now = Math.max(this.now, next);
      if (++this.steps > 5_000_000) throw new Error(`the simulation stands still at ${this.now}`);
      for (let event = this.#events[0]; event && event.at <= this.now; event = this.#events[0]) {
        this.#events.shift();
        event.run();
      }
      this.#deliver(this.a, this.b);
      this.#deliver(this.b, this.a);
      this.flush();
    }
  }

  #wake(side: Side): number {
    const wake = side.endpoint.nextTimeout(this.now + side.clockOffset) - side.clockOffset;
    if (this.timerTickMs > 0) return Math.ceil(wake / this.timerTickMs) * this.timerTickMs;
    return side.clockOffset === 0 ? wake : wake + 0.001; // or rounding would have it wake early, for ever
  }

  #deliver(from: Side, to: Side): void {
    for (;;) {
      const length = from.line.receive(this.#packet, this.now);
      if (length < 0) return;
      to.endpoint.receive(this.#packet.subarray(0, length), this.now + to.clockOffset);
    }
  }

  #flush(side: Side): void {
    for (let n = 0; ; n++) {
      const length = side.endpoint.poll(this.#packet, this.now + side.clockOffset);
      if (length === 0) return;
      if (length > 1200) throw new Error(`a packet of ${length} bytes`);
      if (n > 10_000) throw new Error("poll does not end");
      side.line.send(this.#packet.subarray(0, length), this.now);
    }
  }
}
