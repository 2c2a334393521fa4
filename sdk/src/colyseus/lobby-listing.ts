import { matchMaker } from "@colyseus/core";
import type { ConnectivityManager, Reachability } from "../connectivity/index.ts";
import { isDialable } from "../connectivity/verdict.ts";
import { HostRegistration, type HostRegistrationOptions, isLocalLobby } from "../rendezvous/index.ts";
import { formatEndpoint } from "../udp/endpoint.ts";

export type LobbyListingOptions = Omit<HostRegistrationOptions, "endpoints" | "sealedEndpoints" | "verdict" | "players">;

/** How often the number of players is looked at, ms. */
const PLAYERS_MS = 1000;

/**
 * Keeps a game listed at a lobby as long as it is hosted: with its verdict, its players, and, for invited players only, the URLs
 * under which it can be dialed. What the lobby knows of STUN and TURN, the ladder gets.
 */
export class LobbyListing {
  readonly registration: HostRegistration;
  readonly isLocal: boolean;
  readonly #connectivity: ConnectivityManager;
  readonly #timer: NodeJS.Timeout;

  constructor(options: LobbyListingOptions, connectivity: ConnectivityManager) {
    this.isLocal = isLocalLobby(options.lobby);
    this.#connectivity = connectivity;
    this.registration = new HostRegistration({ ...options, ...this.#details(connectivity.reachability) });
    connectivity.on("change", (reachability) => this.registration.update(this.#details(reachability)));
    this.registration.on("servers", ({ stun, turn }) => {
      // A lobby on this network sees no NAT: its STUN would tell nothing.
      if (stun.length > 0 && !this.isLocal) void connectivity.useStunServers(stun);
      if (turn.length > 0) void connectivity.useTurnServers(turn);
    });
    // Its events say how it goes; it goes on trying by itself.
    this.registration.open().catch(() => {});
    this.#timer = setInterval(() => {
      this.registration.update({ players: matchMaker.stats.local.ccu });
    }, PLAYERS_MS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.registration.close();
  }

  #details({ verdict, endpoints, nat }: Reachability): { verdict: Reachability["verdict"]; sealedEndpoints: string[] } {
    const urls = endpoints
      .filter(({ protocol, address }) => protocol === "tcp" && address !== "")
      .filter((endpoint) => endpoint.kind === "host" || isDialable(endpoint, nat))
      .map((endpoint) => `http://${formatEndpoint(endpoint)}`);
    if (this.isLocal) urls.push(`http://127.0.0.1:${this.#connectivity.port}`);
    return { verdict, sealedEndpoints: [...new Set(urls)].slice(0, 16) };
  }
}
