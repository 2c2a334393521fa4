import type { Server } from "node:http";
import type { ConnectivityManager } from "../../../connectivity/manager/manager.ts";
import type { NatView } from "../../../ice/port-prediction.ts";
import type { HostRegistration } from "../../../rendezvous/host/registration.ts";
import type { RelayMessage } from "../../../rendezvous/wire/invite-tunnel.ts";
import type { SessionServer } from "../../../session/types.ts";
import type { Relaying } from "../relaying/relaying.ts";
import { serveInviteTunnel } from "./invite-tunnel.ts";

/** A game's entry at a lobby. */
export interface LobbyEntry {
  readonly registration: HostRegistration;
  /** The lobby is on this machine or this network, as far as is known now. */
  readonly isLocal: boolean;
}

export interface IntroductionsOptions {
  server: Server;
  sessions: SessionServer;
  connectivity: ConnectivityManager;
  /** Takes relays of players; undefined where none are used. */
  relaying?: Relaying | undefined;
}

const NO_RELAY = "This host hides its address, and has no relay at the moment: ask it to look at its TURN server.";

/** Lets in the players whom a lobby introduces: see {@link serveInviteTunnel}. */
export function serveIntroductions(
  lobby: LobbyEntry,
  { server, sessions, connectivity, relaying }: IntroductionsOptions,
): void {
  const nat = (): NatView | undefined => {
    const { mapping, filtering } = connectivity.reachability.nat;
    return mapping === "unknown" || filtering === "unknown" ? undefined : { mapping, filtering };
  };
  const { isHidden: relayOnly } = connectivity;
  lobby.registration.on("introduction", (introduction) => {
    if (relayOnly && !connectivity.hasRelay) return introduction.close(NO_RELAY);
    const { isLocal } = lobby;
    const onRelay =
      relaying && ((message: RelayMessage, bytes: number) => relaying.offered(introduction, message, bytes));
    const { attested } = introduction;
    serveInviteTunnel(introduction, {
      server,
      sessions,
      ice: connectivity.ice,
      nat,
      isLocal,
      attested,
      relayOnly,
      onRelay,
    });
  });
}
