export { IceAgent } from "./agent.ts";
export {
  type CandidateType,
  candidatePriority,
  candidateToJSON,
  DEFAULT_MAX_CANDIDATES,
  type IceCandidate,
  type IceCandidateJSON,
  type LocalCandidate,
  type LocalCandidateOptions,
  localCandidate,
  parseCandidate,
  parseCandidates,
} from "./candidate.ts";
export { type IceCredentials, newIceCredentials, parseIceCredentials } from "./credentials.ts";
export { type AddRelayOptions, IceMux, type IceMuxOptions, type IcePeerOptions } from "./mux.ts";
export { IcePeer } from "./peer.ts";
export { guessPorts, type PortGuessingOptions } from "./port-guessing.ts";
export {
  birthdayChance,
  type Guess,
  type GuessOptions,
  GuessPlan,
  guessingSide,
  MAX_GUESS_PROBES,
  MAX_GUESS_SOCKETS,
  type NatView,
  predictPorts,
} from "./port-prediction.ts";
export type { RelayPath } from "./relay.ts";
export { onLocalNetwork, sharesNetwork } from "./remote-policy.ts";
export type {
  IceAgentOptions,
  IceCounters,
  IceHandler,
  IcePairInfo,
  IcePath,
  IceRole,
  IceSource,
  IceState,
  RemoteContext,
} from "./types.ts";
export { SOCKET } from "./via.ts";
