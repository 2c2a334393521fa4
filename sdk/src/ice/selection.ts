import { byPriority, type CandidatePair } from "./pair.ts";
import type { SelectionReason } from "./types.ts";

/** Round trips that must be known on both ways before one is preferred for being shorter. */
const RTT_SAMPLES = 3;
/** By how much: ms, and share of the longer one. */
const RTT_MARGIN_MS = 10;
const RTT_MARGIN = 0.25;

/** How long the way to a new address of the peer may replace one of its class that has stopped answering. */
const MOVE_MS = 5_000;

/** The pair to use: the one in use, unless it is silent or another is clearly better. `null` when none answers. */
export function choosePair(
  pairs: Iterable<CandidatePair>,
  current: CandidatePair | null,
  now: number,
): CandidatePair | null {
  let best = current?.usable === true ? current : null;
  for (const pair of pairs) {
    if (!pair.usable || pair === best) continue;
    if (best === null) best = pair;
    else if (best === current ? mayReplace(pair, best, now) : comesFirst(pair, best)) best = pair;
  }
  return best;
}

/**
 * What spoke for a pair that was chosen, in a word.
 * @param old the pair that was in use; `null` for none, and `isListed` whether it still could be
 */
export function whyChosen(
  pair: CandidatePair,
  old: CandidatePair | null,
  { isListed, isNominated, now }: { isListed: boolean; isNominated: boolean; now: number },
): SelectionReason {
  if (old !== null && !isListed) return "old-gone";
  if (old !== null && hasMoved(pair, old, now)) return "peer-moved";
  if (isNominated) return "nominated";
  if (old === null) return "first-answer";
  if (!old.usable) return "old-silent";
  return pair.tier < old.tier ? "more-direct" : "shorter-rtt";
}

/** Where the peer is now that it was seen to leave the end of a pair; undefined where it was not. */
export function successorOf(
  pairs: Iterable<CandidatePair>,
  left: CandidatePair,
  now: number,
): CandidatePair | undefined {
  for (const pair of pairs) {
    if (pair !== left && pair.usable && pair.tier === left.tier && hasMoved(pair, left, now)) return pair;
  }
  return undefined;
}

/** Among pairs of which none is in use. */
function comesFirst(pair: CandidatePair, other: CandidatePair): boolean {
  return (pair.tier - other.tier || byPriority(pair, other)) < 0;
}

/** Whether packets should leave a way that works for this one. */
function mayReplace(pair: CandidatePair, current: CandidatePair, now: number): boolean {
  if (pair.tier !== current.tier) return pair.tier < current.tier && now >= pair.holdUntil;
  if (hasMoved(pair, current, now)) return true;
  if (now < pair.holdUntil || pair.rttSamples < RTT_SAMPLES || current.rttSamples < RTT_SAMPLES) return false;
  return pair.rttMs < current.rttMs - Math.max(RTT_MARGIN_MS, RTT_MARGIN * current.rttMs);
}

/** The peer shows up at a new address, and the old one has left a check unanswered that the new one answered. */
function hasMoved(pair: CandidatePair, current: CandidatePair, now: number): boolean {
  return (
    !pair.remote.signalled &&
    now - pair.remote.foundAt < MOVE_MS &&
    pair.confirmedAt - pair.rttMs >= current.unansweredSince
  );
}
