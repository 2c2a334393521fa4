import type { MessageEndpointOptions } from "../channel/wire/types.ts";

/** What one peer may cost. Both sides should have the same. */
export type SessionLimits = Pick<
  MessageEndpointOptions,
  "maxMessageBytes" | "maxUnreliableBytes" | "maxBufferedBytes" | "maxUnreliableBufferedBytes" | "maxReceiveBytes"
>;

const NAMES = [
  "maxMessageBytes",
  "maxUnreliableBytes",
  "maxBufferedBytes",
  "maxUnreliableBufferedBytes",
  "maxReceiveBytes",
] as const satisfies readonly (keyof SessionLimits)[];

/** The limits alone, of options that hold other things too. */
export function limitsOf(options: SessionLimits): SessionLimits {
  const limits: SessionLimits = {};
  for (const name of NAMES) {
    const value = options[name];
    if (value !== undefined) limits[name] = value;
  }
  return limits;
}
