export { MessageEndpoint } from "./endpoint.ts";
export type {
  ChannelFailure,
  ChannelHandler,
  ChannelStats,
  DeliveryMode,
  MessageEndpointOptions,
  SendOptions,
} from "./types.ts";
export { NetworkConditioner, type NetworkConditions } from "./conditioner.ts";
export { ReliableEndpoint, type ReliableHandler, type ReliableOptions } from "./reliable.ts";
