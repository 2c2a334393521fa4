import { type Client, type ClientPrivate, ClientState, enqueueClientRaw, type ISendOptions } from "@colyseus/core";
import type { HeldBytes } from "../../../net/held-bytes.ts";
import { describeQueueFull } from "../../wire/traffic-limits.ts";

/** What a frame weighs beyond its bytes. */
const FRAME_OVERHEAD = 64;

/** The frames that Colyseus keeps, without a limit of its own, for a client that has not said yet that it has joined. */
export class EarlyFrames {
  readonly #held: HeldBytes;
  readonly #limit: number;
  readonly #end: (text: string) => void;
  #bytes = 0;

  /**
   * @param held counts them
   * @param limit bytes
   * @param end the client let too many wait; told in words
   */
  constructor(held: HeldBytes, limit: number, end: (text: string) => void) {
    this.#held = held;
    this.#limit = limit;
    this.#end = end;
  }

  /** As Colyseus' `enqueueRaw`, within the limit. */
  enqueue(client: Client & ClientPrivate, frame: Uint8Array, options: ISendOptions | undefined): void {
    if (client.state === ClientState.JOINED || options?.afterNextPatch || this.#take(frame.length)) {
      enqueueClientRaw(client, frame, options);
    }
  }

  /** They are being sent. */
  release(): void {
    if (this.#bytes === 0) return;
    this.#held.give(this.#bytes);
    this.#bytes = 0;
  }

  #take(bytes: number): boolean {
    const cost = bytes + FRAME_OVERHEAD;
    if (this.#bytes + cost > this.#limit) {
      this.#end(describeQueueFull(this.#bytes, bytes, this.#limit));
      return false;
    }
    if (!this.#held.take(cost)) return false;
    this.#bytes += cost;
    return true;
  }
}
