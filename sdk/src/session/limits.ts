import type { MessageEndpointOptions } from "../channel/wire/types.ts";
import type { HeldBytesBudget } from "../net/held-bytes.ts";

/** What its channels may hold. */
export type ChannelLimits = Pick<
  MessageEndpointOptions,
  "maxMessageBytes" | "maxUnreliableBytes" | "maxBufferedBytes" | "maxUnreliableBufferedBytes" | "maxReceiveBytes"
>;

const NAMES: readonly (keyof ChannelLimits)[] = [
  "maxMessageBytes",
  "maxUnreliableBytes",
  "maxBufferedBytes",
  "maxUnreliableBufferedBytes",
  "maxReceiveBytes",
];

/** What one peer may cost. */
export interface SessionLimits extends ChannelLimits {
  /**
   * What this peer and others may make us hold together. Default: the peers of a server have 64 MiB, or twice `maxMessageBytes` if that
   * is more; a client's only peer has no such limit beside the others.
   */
  budget?: HeldBytesBudget;
  /**
   * The longest packet that is searched for on the path (RFC 8899), 1200-1427 bytes; with its seal 25 more. Above 1200, which is the
   * default, it must be the same at both ends: netcode's standard ends there.
   */
  maxPacketBytes?: number;
  /** Close code of a session that has to go because the budget is spent. Default 1013, "try again later". */
  budgetSpentCode?: number;
}

/** The limits of channels alone, of options that hold other things too. */
export function channelLimitsOf(options: SessionLimits): ChannelLimits {
  const limits: ChannelLimits = {};
  for (const name of NAMES) {
    const value = options[name];
    if (value !== undefined) limits[name] = value;
  }
  return limits;
}
