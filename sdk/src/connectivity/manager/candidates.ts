import { type LocalCandidate, localCandidate } from "../../ice/candidate.ts";
import { type IceMux } from "../../ice/mux.ts";
import type { TurnRelay } from "../../turn/relay.ts";
import type { Reachability } from "../reachability.ts";

/** What the ladder found, as ICE's candidates (RFC 8445 section 5.1.1). Relays are bases of their own and not among them. */
export function candidatesOf({ endpoints }: Reachability): LocalCandidate[] {
  const base = endpoints.find(({ kind, address }) => kind === "host" && !address.includes(":"))?.address;
  return endpoints.flatMap(({ kind, protocol, address, port }) => {
    if (protocol !== "udp" || address === "" || kind === "relayed") return [];
    return [localCandidate(kind, { address, port }, kind === "host" || base === undefined ? {} : { base })];
  });
}

/** The manager, as far as ICE follows it. */
interface Source {
  readonly reachability: Reachability;
  on(event: "change", listener: (reachability: Reachability) => void): unknown;
}

/** What of ICE follows the ladder. */
type Follower = Pick<
  IceMux,
  "addLocalCandidate" | "removeLocalCandidate" | "addRelay" | "removeBase" | "fitKeepAlive" | "networkChanged"
>;

/** Gives ICE the ladder's candidates, relay and keep-alive, as the ladder finds and loses them. */
export function feedIce(mux: Follower, source: Source, currentRelay: () => TurnRelay | undefined): void {
  let known = new Map<string, LocalCandidate>();
  let relay: TurnRelay | undefined;
  let lifetimeSeconds: number | null = null;
  const updateCandidates = (reachability: Reachability): void => {
    const now = new Map(candidatesOf(reachability).map((each) => [`${each.type} ${each.address} ${each.port}`, each]));
    for (const [key, candidate] of known) if (!now.has(key)) mux.removeLocalCandidate(candidate);
    for (const [key, candidate] of now) if (!known.has(key)) mux.addLocalCandidate(candidate);
    const moved = [...known.keys()].some((key) => key.startsWith("host") && !now.has(key));
    known = now;
    if (moved) mux.networkChanged();
  };
  const updateRelay = (now: TurnRelay | undefined): void => {
    if (now === relay) return;
    if (relay) mux.removeBase(relay.id);
    if (now) mux.addRelay(now);
    relay = now;
  };
  const update = (reachability: Reachability): void => {
    const { mappingLifetimeSeconds } = reachability.nat;
    if (mappingLifetimeSeconds !== lifetimeSeconds) mux.fitKeepAlive((lifetimeSeconds = mappingLifetimeSeconds));
    updateCandidates(reachability);
    updateRelay(currentRelay());
  };
  update(source.reachability);
  source.on("change", update);
}
