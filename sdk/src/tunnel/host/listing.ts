/** Keeps a shared port known under its invite, and the ladder told of the servers that come with it. */
import type { ConnectivityManager } from "../../connectivity/manager/manager.ts";
import { HostRegistration, type HostRegistrationOptions } from "../../rendezvous/host/registration.ts";
import { isLocalLobby } from "../../rendezvous/wire/local-lobby.ts";

export type TunnelListingOptions = Pick<
  HostRegistrationOptions,
  "lobby" | "name" | "secret" | "secretFile" | "relays" | "stunServers" | "page"
>;

export class TunnelListing {
  readonly registration: HostRegistration;
  readonly #lobby: string;
  /** As the lobby calls itself to guests. */
  #publicLobby: string;

  /** @throws RendezvousError `invalid` */
  constructor(options: TunnelListingOptions, connectivity: ConnectivityManager) {
    this.#lobby = this.#publicLobby = options.lobby;
    const { verdict } = connectivity.reachability;
    this.registration = new HostRegistration({ ...options, verdict });
    connectivity.on("change", (reachability) => this.registration.update({ verdict: reachability.verdict }));
    this.registration.on("registered", ({ url }) => {
      this.#publicLobby = url;
    });
    this.registration.on("servers", ({ stun, turn }) => {
      // A lobby on this network sees no NAT: its STUN would tell nothing.
      if (stun.length > 0 && !this.isLocal) void connectivity.useStunServers(stun);
      if (turn.length > 0) void connectivity.useTurnServers(turn);
    });
  }

  /** By the lobby's own URL too: one that is for the world brings strangers, though it runs beside us. */
  get isLocal(): boolean {
    return isLocalLobby(this.#lobby) && isLocalLobby(this.#publicLobby);
  }

  close(): Promise<void> {
    return this.registration.close();
  }
}
