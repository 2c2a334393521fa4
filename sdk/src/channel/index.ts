export { NetworkConditioner, type NetworkConditions } from "./conditioner.ts";
export { MessageEndpoint } from "./endpoint.ts";
export { ReliableEndpoint, type ReliableHandler, type ReliableOptions } from "./reliable.ts";
export type {
  ChannelFailure,
  ChannelHandler,
  ChannelStats,
  DeliveryMode,
  MessageEndpointOptions,
  SendOptions,
} from "./types.ts";
