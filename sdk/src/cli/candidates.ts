/** What ICE would offer a player who comes by invite, and why each way is there. */
import { candidatesOf } from "../connectivity/manager/candidates.ts";
import type { Reachability } from "../connectivity/reachability.ts";
import { localCandidate } from "../ice/candidate.ts";
import { addressScope } from "../net/scope.ts";

export interface OfferedCandidate {
  type: string;
  address: string;
  port: number;
  /** RFC 8445 section 5.1.2. */
  priority: number;
  reason: string;
}

/** The best first. */
export function offeredCandidates(reachability: Reachability): OfferedCandidate[] {
  const relayed = reachability.endpoints.filter(({ kind }) => kind === "relayed");
  const all = [...candidatesOf(reachability), ...relayed.map((endpoint) => localCandidate("relayed", endpoint))];
  return all
    .map(({ type, address, port, priority }) => {
      const endpoint = reachability.endpoints.find((each) => each.kind === type && each.address === address);
      return { type, address, port, priority, reason: reasonOf(type, address, endpoint?.via ?? "") };
    })
    .sort((a, b) => b.priority - a.priority);
}

function reasonOf(type: string, address: string, via: string): string {
  switch (type) {
    case "mapped":
      return `the router forwards it to us, by ${via}: for players anywhere`;
    case "reflexive":
      return "what a STUN server sees of us: for players to whom we send at the same time";
    case "relayed":
      return "a TURN server forwards it: for players whom no other way reaches";
  }
  if (addressScope(address) !== "public") return "this computer's own: for players in the same network";
  return address.includes(":")
    ? "this computer's own: for players with IPv6, as far as a firewall lets them in"
    : "this computer's own: for players anywhere, as far as a firewall lets them in";
}
