/** Relays of players, as a guest's search for a path sees them. */
import type { IceCandidate } from "../../ice/candidate.ts";
import type { TurnServer } from "../../turn/open.ts";
import type { TurnAccess } from "../wire/servers.ts";

/** The relay on this very machine, where the player relays for others. */
export interface OwnRelay {
  /** What the host is told; undefined while there is nothing to offer. */
  readonly offer: { urls: string[]; secret: string } | undefined;
  /** For this machine's own sockets; undefined while there is no relay. */
  readonly ownAccess: TurnServer | undefined;
  /** Begins to relay, within the host's terms. `onOffer` is called when the offer is another, and now where there is one. */
  use(user: object, terms: { kbps: number; gb: number }, onOffer: () => void): void;
  /** Resolves when the relay has ended, or somebody else uses it. */
  leave(user: object, onOffer: () => void): Promise<void>;
}

/** What may use relays that become known while a session is under way. */
export interface RelaysTaker {
  /** This player's own relay, on this machine: a host that comes to it is met there. */
  openOwnRelay(server: TurnServer): void;
  takeRelays(change: {
    add: readonly IceCandidate[];
    remove: readonly IceCandidate[];
    turn: readonly TurnAccess[];
  }): void;
}
