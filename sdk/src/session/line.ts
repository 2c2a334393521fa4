import { NetworkConditioner } from "../channel/conditioner.ts";
import type { NetworkConditions } from "../channel/line-model.ts";
import { MAX_LONG_PAYLOAD_BYTES } from "../netcode/constants.ts";

/** A bad line between a session and its peer, each way its own. */
export class Line {
  readonly #out: NetworkConditioner;
  readonly #in: NetworkConditioner;
  // Not one for the process: what is taken out here may be answered before it is read to its end.
  readonly #packet: Uint8Array = new Uint8Array(MAX_LONG_PAYLOAD_BYTES);

  constructor(conditions: NetworkConditions) {
    this.#out = new NetworkConditioner(conditions);
    this.#in = new NetworkConditioner(conditions);
  }

  get conditions(): NetworkConditions {
    return this.#out.conditions;
  }

  set conditions(conditions: NetworkConditions) {
    this.#out.conditions = conditions;
    this.#in.conditions = conditions;
  }

  /** When something comes through next, either way. */
  get nextDue(): number {
    return Math.min(this.#out.nextDue, this.#in.nextDue);
  }

  send(payload: Uint8Array, now: number): void {
    this.#out.send(payload, now);
  }

  receive(payload: Uint8Array, now: number): void {
    this.#in.send(payload, now);
  }

  /** The next payload that has come through by `now`; null if there is none. Valid until the next call. */
  arrived(now: number): Uint8Array | null {
    return this.#take(this.#in, now);
  }

  /** The next payload that is to leave by `now`. */
  leaving(now: number): Uint8Array | null {
    return this.#take(this.#out, now);
  }

  #take(way: NetworkConditioner, now: number): Uint8Array | null {
    const length = way.receive(this.#packet, now);
    return length < 0 ? null : this.#packet.subarray(0, length);
  }
}
