import type { ChannelHandler, ChannelStats, DeliveryMode, MessageEndpointOptions, SendOptions } from "./types.ts";

/** Messages over packets. Does no I/O: packets and a time go in, packets and messages come out. (API first; body follows.) */
export class MessageEndpoint {
  constructor(_options: MessageEndpointOptions, _handler: ChannelHandler) {}

  /** Counters and estimates; the same object for the endpoint's life. */
  get stats(): ChannelStats {
    throw new Error("not built yet");
  }

  /** Whether {@link close} was called or the peer failed. */
  get closed(): boolean {
    return true;
  }

  /** Reliable bytes that wait, as `stats.bufferedBytes`. */
  get bufferedBytes(): number {
    return 0;
  }

  /**
   * Queues a message; `data` is copied. The next {@link poll} carries it.
   *
   * @returns false if it is too long, if `maxBufferedBytes` would be passed, or if the endpoint is closed.
   */
  send(_data: Uint8Array, _mode: DeliveryMode, _options?: SendOptions): boolean {
    return false;
  }

  /** Takes one netcode payload that arrived at `now` (ms). Never throws, whatever the packet holds. */
  receive(_packet: Uint8Array, _now: number): void {}

  /**
   * Writes the next packet that is due at `now` into `out` (at least `maxPacketBytes` long). Call until it answers 0.
   *
   * @returns the packet's length, or 0: nothing to send, or the congestion window or the pacer says later.
   */
  poll(_out: Uint8Array, _now: number): number {
    return 0;
  }

  /** When {@link poll} should be called again, in ms of the same clock; `now` if at once, Infinity if idle. */
  nextTimeout(_now: number): number {
    return Infinity;
  }

  /** Forgets everything; afterwards every call is without effect. Idempotent. */
  close(): void {}
}
