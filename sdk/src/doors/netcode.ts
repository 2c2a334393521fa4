/**
 * netcode 1.02: connect tokens, encrypted packets, and the state machines of client and server. No I/O: bytes and a
 * time go in, bytes and events come out. Wire format: PROTOCOL.md, section 1.
 *
 * @module sallyport/netcode
 */

export { NetcodeClient, type NetcodeClientHandler, type NetcodeClientOptions } from "../netcode/client.ts";
export { type GenerateConnectTokenOptions, generateConnectToken, readConnectToken } from "../netcode/connect-token.ts";
export { MAX_PAYLOAD_BYTES as NETCODE_MAX_PAYLOAD_BYTES } from "../netcode/constants.ts";
export type { NetcodeServerCounters } from "../netcode/counters.ts";
export { NetcodeError, type NetcodeErrorCode } from "../netcode/errors.ts";
export { NetcodeServer, type NetcodeServerHandler, type NetcodeServerOptions } from "../netcode/server.ts";
export { netcodeReady } from "../netcode/sodium.ts";
export {
  type ConnectToken,
  type ConnectTokenProblem,
  NetcodeClientState,
  type NetcodeDisconnectReason,
  type NetcodeServerClient,
  type RandomSource,
} from "../netcode/types.ts";
