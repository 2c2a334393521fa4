export { MessageEndpoint } from "./endpoint.ts";
export type {
  ChannelFailure,
  ChannelHandler,
  ChannelStats,
  DeliveryMode,
  MessageEndpointOptions,
  SendOptions,
} from "./types.ts";
