import { unboundedBytes } from "../net/held-bytes.ts";
import { LONGEST_PACKET_BYTES, MAX_MESSAGE_BYTES, MAX_PACKET_BYTES } from "./wire/frames.ts";
import type { MessageEndpointOptions } from "./wire/types.ts";

const MIN_PACKET_BYTES = 256;
/** 4096 blocks of 128 bytes are the window, and no part of an unreliable message is ever acknowledged. */
const MAX_UNRELIABLE_BYTES = 256 * 1024;

/**
 * Fills in the defaults.
 *
 * @throws RangeError for an option outside its range
 */
export function resolveOptions(options: MessageEndpointOptions): Required<MessageEndpointOptions> {
  const { maxPacketBytes = MAX_PACKET_BYTES, maxMessageBytes = 4 << 20, maxUnreliableBytes = 64 << 10 } = options;
  return {
    maxPacketBytes: inRange("maxPacketBytes", maxPacketBytes, MIN_PACKET_BYTES, LONGEST_PACKET_BYTES),
    maxMessageBytes: inRange("maxMessageBytes", maxMessageBytes, 1, MAX_MESSAGE_BYTES),
    maxUnreliableBytes: inRange("maxUnreliableBytes", maxUnreliableBytes, 1, MAX_UNRELIABLE_BYTES),
    maxBufferedBytes: options.maxBufferedBytes ?? 8 << 20,
    maxUnreliableBufferedBytes: Math.max(options.maxUnreliableBufferedBytes ?? 64 << 10, maxUnreliableBytes + 64),
    maxReceiveBytes: options.maxReceiveBytes ?? 8 << 20,
    held: options.held ?? unboundedBytes(),
    initialRttMs: options.initialRttMs ?? 100,
  };
}

export function inRange(name: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new RangeError(`${name} is ${value}, it must be an integer from ${min} to ${max}`);
}
