/**
 * netcode 1.02: connect tokens, encrypted packets, and the state machines of client and server. No I/O: bytes and a time
 * go in, bytes and events come out. Wire format: PROTOCOL.md, section 1.
 */
export { NetcodeClient, type NetcodeClientHandler, type NetcodeClientOptions } from "./client.ts";
export { type GenerateConnectTokenOptions, generateConnectToken, readConnectToken } from "./connect-token.ts";
export { MAX_PAYLOAD_BYTES as NETCODE_MAX_PAYLOAD_BYTES } from "./constants.ts";
export type { NetcodeServerCounters } from "./counters.ts";
export { NetcodeError, type NetcodeErrorCode } from "./errors.ts";
export { NetcodeServer, type NetcodeServerHandler, type NetcodeServerOptions } from "./server.ts";
export { netcodeReady } from "./sodium.ts";
export {
  type ConnectToken,
  type ConnectTokenProblem,
  NetcodeClientState,
  type NetcodeDisconnectReason,
  type NetcodeServerClient,
  type RandomSource,
} from "./types.ts";
