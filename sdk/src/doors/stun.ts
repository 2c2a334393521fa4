/**
 * STUN, TURN and the examination of NATs: clients, servers, and the protocols without I/O.
 *
 * @module sallyport/stun
 */

export {
  discoverBehaviour,
  mappingFromBindings,
  type NatAnswer,
  type NatAsk,
  type NatBehaviour,
  type NatDependence,
  type NatProbe,
  type NatSubject,
} from "../nat/behaviour.ts";
export { isLocalEndpoint, type NatBehaviourOptions, natBehaviour } from "../nat/behaviour-discovery.ts";
export {
  DEFAULT_WAITS_MS,
  type NatLifetime,
  type NatLifetimeHandler,
  NatLifetimeProbe,
  type NatLifetimeProbeOptions,
} from "../nat/lifetime.ts";
export { type NatLifetimeOptions, natLifetime } from "../nat/lifetime-discovery.ts";
export { checkWaits } from "../nat/lifetime-search.ts";
export { type ProbeOptions, type ProbeResult, probePort } from "../nat/probe.ts";
export { type StunBindingRequestOptions, type StunBindingResult, StunBindings } from "../stun/binding.ts";
export { type StunTCPOptions, type StunTCPResult, stunBindingOverTCP } from "../stun/binding-tcp.ts";
export { newTransactionId, StunBuilder } from "../stun/builder.ts";
export { resolveStunServer, type StunBindingOptions, type StunServerOutcome, stunBinding } from "../stun/client.ts";
export {
  CHANGE_IP,
  CHANGE_PORT,
  MAGIC_COOKIE,
  STUN_HEADER_BYTES,
  STUN_PORT,
  StunAttribute,
  StunErrorCode,
  StunMethod,
} from "../stun/constants.ts";
export { StunError, type StunFailure } from "../stun/errors.ts";
export { type IntegrityAlgorithm, longTermKey, shortTermKey, userHash } from "../stun/integrity.ts";
export { KEEP_ALIVE_MS, keepAliveFor } from "../stun/keep-alive.ts";
export { isStun, type StunClass, StunMessage } from "../stun/message.ts";
export type { StunReplyLimits } from "../stun/reply-limiter.ts";
export { respondToStun, type StunLocal, type StunReply, type StunResponderOptions } from "../stun/responder.ts";
export { answerStun, StunServer, type StunServerOptions } from "../stun/server.ts";
export { parseStunServer, type StunServerAddress } from "../stun/server-url.ts";
export { StunBindingSession } from "../stun/session.ts";
export { TurnStreamReader } from "../stun/stream-reader.ts";
export {
  REALTIME_SCHEDULE_MS,
  type StunOutcome,
  type StunTransactionOptions,
  StunTransactions,
  type StunTransmit,
} from "../stun/transaction.ts";
export { TurnAllocation, type TurnState } from "../turn/allocation.ts";
export type { TurnAllocationOptions, TurnAllocationSink, TurnTiming } from "../turn/allocation-options.ts";
export {
  checkTurnCredentials,
  mintTurnCredentials,
  type TurnCredentials,
  type TurnCredentialVerdict,
  type TurnMintOptions,
  turnCredentialsExpiry,
} from "../turn/credentials.ts";
export { TurnError, type TurnFailure } from "../turn/errors.ts";
export { TurnKeeper, type TurnKeeperOptions } from "../turn/keeper.ts";
export { type OpenTurnRelayOptions, openTurnRelay, type TurnProgress, type TurnServer } from "../turn/open.ts";
export { TurnRedirect } from "../turn/refusal.ts";
export { TurnRelay } from "../turn/relay.ts";
export type { RelayPath } from "../turn/relay-path.ts";
export type { TurnServerCounters } from "../turn/server/core.ts";
export type { TurnServerCoreOptions, TurnServerLimits } from "../turn/server/options.ts";
export { TurnRelayServer, type TurnRelayServerOptions } from "../turn/server/relay-server.ts";
export { parseTurnUrl, type TurnServerUrl, type TurnTransport } from "../turn/url.ts";
