/** What both ends of an invite tunnel send while ICE looks for a path. */
import { type LocalCandidate } from "../ice/candidate.ts";
import { type IcePeer } from "../ice/peer.ts";
import type { Introduction } from "./sealed/introduction.ts";
import { encodeInviteTunnelMessage, type InviteTunnelMessage } from "./wire/invite-tunnel.ts";

/** @returns false where it could not be sent: closed, too long, or too many */
export function sendInviteTunnelMessage(introduction: Introduction, message: InviteTunnelMessage): boolean {
  return introduction.send(encodeInviteTunnelMessage(message));
}

/** How often a side looks for new candidates, ms. */
const TRICKLE_MS = 150;
/** Candidates found later than this (ms) are for the next introduction. */
const TRICKLE_FOR_MS = 15_000;

/** Tells the other side of candidates as they are found (RFC 8838), until the introduction ends. */
export function trickle(introduction: Introduction, id: number, peer: IcePeer, told: Iterable<LocalCandidate>): void {
  const known = new Set<LocalCandidate>(told);
  const began = performance.now();
  const timer = setInterval(() => {
    if (introduction.closed || peer.state === "closed" || performance.now() - began > TRICKLE_FOR_MS) {
      clearInterval(timer);
      return;
    }
    const fresh = peer.localCandidates.filter((candidate) => !known.has(candidate));
    if (fresh.length === 0) return;
    if (!sendInviteTunnelMessage(introduction, { type: "candidates", id, candidates: fresh })) return;
    for (const candidate of fresh) known.add(candidate);
  }, TRICKLE_MS);
  timer.unref();
  introduction.onClose(() => clearInterval(timer));
}
