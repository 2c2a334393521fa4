export {
  discoverBehaviour,
  mappingFromBindings,
  type NatAnswer,
  type NatAsk,
  type NatBehaviour,
  type NatDependence,
  type NatProbe,
  type NatSubject,
} from "./behaviour.ts";
export { isLocalEndpoint, type NatBehaviourOptions, natBehaviour } from "./behaviour-discovery.ts";
export { type StunBindingRequestOptions, type StunBindingResult, StunBindings } from "./binding.ts";
export { type StunTCPOptions, type StunTCPResult, stunBindingOverTCP } from "./binding-tcp.ts";
export { newTransactionId, StunBuilder } from "./builder.ts";
export { resolveStunServer, type StunBindingOptions, type StunServerOutcome, stunBinding } from "./client.ts";
export {
  CHANGE_IP,
  CHANGE_PORT,
  MAGIC_COOKIE,
  STUN_HEADER_BYTES,
  STUN_PORT,
  StunAttribute,
  StunErrorCode,
  StunMethod,
} from "./constants.ts";
export { StunError, type StunFailure } from "./errors.ts";
export { type IntegrityAlgorithm, longTermKey, shortTermKey, userHash } from "./integrity.ts";
export { KEEP_ALIVE_MS, keepAliveFor } from "./keep-alive.ts";
export {
  DEFAULT_WAITS_MS,
  type NatLifetime,
  type NatLifetimeHandler,
  NatLifetimeProbe,
  type NatLifetimeProbeOptions,
} from "./lifetime.ts";
export { type NatLifetimeOptions, natLifetime } from "./lifetime-discovery.ts";
export { checkWaits } from "./lifetime-search.ts";
export { isStun, type StunClass, StunMessage } from "./message.ts";
export { type ProbeOptions, type ProbeResult, probePort } from "./probe.ts";
export { respondToStun, type StunLocal, type StunReply, type StunResponderOptions } from "./responder.ts";
export { answerStun, StunServer, type StunServerOptions } from "./server.ts";
export { parseStunServer, type StunServerAddress } from "./server-url.ts";
export { StunBindingSession } from "./session.ts";
export {
  REALTIME_SCHEDULE_MS,
  type StunOutcome,
  type StunTransactionOptions,
  StunTransactions,
  type StunTransmit,
} from "./transaction.ts";
export * from "./turn/index.ts";
