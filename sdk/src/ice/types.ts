import type { Endpoint } from "../net/endpoint.ts";
import type { IntroductionBudget } from "../net/unanswered-budget.ts";
import type { CandidateType, IceCandidate, LocalCandidate } from "./candidate.ts";
import type { IceCredentials } from "./credentials.ts";

/** RFC 8445 section 2.3: the controlling side decides which pair is used. */
export type IceRole = "controlling" | "controlled";

/**
 * - `new`: the peer's credentials are not known yet
 * - `checking`: looking for a path
 * - `connected`: there is one
 * - `failed`: none was found, or consent to the last one expired. Probing goes on slowly, so that it may still connect
 * - `closed`: by us
 */
export type IceState = "new" | "checking" | "connected" | "failed" | "closed";

/** The way that packets take to the peer. Replaced when the way changes; `rttMs` is kept up to date in between. */
export interface IcePath {
  /**
   * - `direct`: at least one side is reached by an address of its own, or one that its gateway maps for it
   * - `punched`: both sides are behind translators that were opened from inside
   * - `relayed`: a TURN server forwards
   */
  readonly kind: "direct" | "punched" | "relayed";
  /** {@link SOCKET}, or the id of our relay. */
  readonly via: string;
  readonly remote: Endpoint;
  /** What the peer sees us as. */
  readonly localType: CandidateType;
  readonly remoteType: CandidateType;
  /** Smoothed round-trip time of connectivity checks, in milliseconds. */
  rttMs: number;
}

/** Where validated packets of the peer come from. */
export interface IceSource {
  readonly via: string;
  readonly address: string;
  readonly port: number;
  /** Set when a packet came from here: silence after packets is the first sign of a dead path. */
  heard: boolean;
}

/**
 * Why packets take a way, and not another that answers:
 * - `first-answer`: there was none before
 * - `nominated`: the controlling side chose it
 * - `more-direct`: fewer relays, or addresses of our own
 * - `shorter-rtt`: of the same kind, and clearly shorter
 * - `peer-moved`: the peer shows up there, and no longer where it was
 * - `old-silent`, `old-gone`: the way before fell silent, or its relay, address or candidate is no more
 */
export type SelectionReason =
  | "first-answer"
  | "nominated"
  | "more-direct"
  | "shorter-rtt"
  | "peer-moved"
  | "old-silent"
  | "old-gone";

/** What an agent wants done. Called inside the agent's own calls; it may be asked and told anything meanwhile. */
export interface IceHandler {
  /** Sends a STUN message; `data` is the receiver's to keep. `via` is {@link SOCKET}, another socket's name or a relay's id. */
  send(data: Uint8Array, via: string, address: string, port: number): void;
  /** Packets go another way from now on; `null` when there is none any more. */
  selected?(path: IcePath | null, previous: IcePath | null): void;
  stateChanged?(state: IceState): void;
  /**
   * An authentic check came from there, and our own is not answered yet: the peer may well send by this way already, since its
   * check of it may have been answered before.
   */
  sourceHeard?(source: IceSource): void;
  /** The peer proved by its credentials that it is there: packets from this address are its own. */
  sourceAdded?(source: IceSource): void;
  sourceRemoved?(source: IceSource): void;
}

/** What is known on both sides, for judging whether a candidate may be tried. */
export interface RemoteContext {
  readonly local: readonly LocalCandidate[];
  readonly remote: readonly IceCandidate[];
}

/**
 * Whether a candidate that the peer names may be tried; `few`: three checks, until one has come from there. Checks that come from
 * one that may not be tried are answered, and asked back within what came.
 */
export type RemoteVerdict = boolean | "few";

export interface IceAgentOptions {
  role: IceRole;
  /** Ours, signalled to the peer. */
  local: IceCredentials;
  /** The peer's, if it is known already; see {@link IceAgent.setRemoteCredentials}. */
  remote?: IceCredentials;
  /** 64 bits that decide when both sides have the same role (RFC 8445 section 16.1). Default: random. */
  tieBreaker?: bigint;
  /** Random bytes. Default: the system's. */
  random?: (bytes: number) => Uint8Array;
  /**
   * Most milliseconds between packets on a path that is held open. Default 15 000; more often where the NAT's lifetime is known
   * to want it, see {@link IceAgent.fitKeepAlive}.
   */
  keepAliveMs?: number;
  /** Milliseconds between checks, Ta of RFC 8445 section 14.2. Default 50; the first few leave every 20. */
  paceMs?: number;
  /**
   * Whether a candidate that the peer names may be tried. Default: public addresses, and private ones when peer and we
   * share the network (see {@link sharesNetwork}), so that a peer cannot make us scan our own.
   */
  allowRemote?: (candidate: IceCandidate, context: RemoteContext) => RemoteVerdict;
  /** What unanswered checks may go on, shared by all paths of one peer. Default: one of this agent alone. */
  budget?: IntroductionBudget;
  /** Candidates kept for each side. Default 32. */
  maxCandidates?: number;
  /** Pairs that are checked. Default 100 (RFC 8445 section 6.1.2.5). */
  maxPairs?: number;
}

/** One row of {@link IceAgent.pairs}. */
export interface IcePairInfo {
  readonly via: string;
  readonly remote: Endpoint;
  readonly localType: CandidateType;
  readonly remoteType: CandidateType;
  readonly state: "waiting" | "in-progress" | "succeeded" | "failed";
  readonly selected: boolean;
  /** Of the selected one. */
  readonly why?: SelectionReason;
  /** Whether it answers; only a succeeded pair does. */
  readonly healthy: boolean;
  readonly checks: number;
  readonly rttMs: number;
}

/** Counted since the agent was made. */
export interface IceCounters {
  checksSent: number;
  responsesReceived: number;
  checksReceived: number;
  responsesSent: number;
  /** STUN messages that were not the peer's: forged, stale, malformed, or too many. */
  dropped: number;
  /** Times that packets took another way. */
  switches: number;
}
