import { logger, matchMaker } from "@colyseus/core";
import type { ConnectivityManager } from "../../../connectivity/manager/manager.ts";
import type { Reachability } from "../../../connectivity/reachability.ts";
import { isDialable } from "../../../connectivity/verdict.ts";
import { formatEndpoint } from "../../../net/endpoint.ts";
import { addressScope } from "../../../net/scope.ts";
import { HostRegistration, type HostRegistrationOptions } from "../../../rendezvous/host/registration.ts";
import { isLocalLobby } from "../../../rendezvous/wire/local-lobby.ts";

export interface LobbyListingOptions
  extends Omit<HostRegistrationOptions, "endpoints" | "sealedEndpoints" | "verdict" | "players"> {
  /**
   * Lets the lobby itself know the addresses and tell them to whoever has the code, for clients that cannot be introduced: Colyseus'
   * own, say. Default false: only introduced players learn them, sealed.
   */
  openEndpoints?: boolean;
}

/** What the transport knows of its own URLs. */
interface OwnURLs {
  /** Matchmaking is served over TLS. Default false. */
  secure?: boolean;
  /** The name that is announced in place of its addresses. Default: none is. */
  announcedName?: string | undefined;
}

/** How often the number of players is looked at, ms. */
const PLAYERS_MS = 1000;
const MAX_URLS = 16;

/**
 * Keeps a game listed at a lobby as long as it is hosted: with its verdict, its players, and, for invited players only, the URLs
 * under which it can be dialed. What the lobby knows of STUN and TURN, the ladder gets.
 */
export class LobbyListing {
  readonly registration: HostRegistration;
  readonly #lobby: string;
  /** As the lobby calls itself to players. */
  #publicLobby: string;
  readonly #connectivity: ConnectivityManager;
  readonly #timer: NodeJS.Timeout;

  readonly #openEndpoints: boolean;
  /** The link has a page of its own. */
  readonly #hasPage: boolean;
  readonly #scheme: string;
  readonly #announcedName: string | undefined;

  constructor(
    { openEndpoints = false, secure = false, announcedName, ...options }: LobbyListingOptions & OwnURLs,
    connectivity: ConnectivityManager,
  ) {
    this.#openEndpoints = openEndpoints;
    this.#hasPage = options.page !== undefined;
    this.#scheme = secure ? "https" : "http";
    this.#announcedName = announcedName;
    this.#lobby = this.#publicLobby = options.lobby;
    this.#connectivity = connectivity;
    this.registration = new HostRegistration({ ...options, ...this.#details(connectivity.reachability) });
    connectivity.on("change", (reachability) => this.registration.update(this.#details(reachability)));
    this.registration.on("registered", ({ url }) => {
      this.#publicLobby = url;
      this.registration.update(this.#details(connectivity.reachability));
    });
    this.registration.on("servers", ({ stun, turn }) => {
      // A lobby on this network sees no NAT: its STUN would tell nothing.
      if (stun.length > 0 && !this.isLocal) void connectivity.useStunServers(stun);
      // None, where one is needed, is said at once.
      if (turn.length > 0 || connectivity.isHidden) void connectivity.useTurnServers(turn);
    });
    this.registration.on("outdated", (sentence) => logger.warn(`Sallyport: ${sentence}.`));
    // Its events say how it goes; it goes on trying by itself.
    this.registration.open().catch(() => {});
    this.#timer = setInterval(() => {
      this.registration.update({ players: matchMaker.stats.local.ccu });
    }, PLAYERS_MS);
    this.#timer.unref();
  }

  /** By the lobby's own URL too: one that is for the world brings strangers, though it runs beside us. */
  get isLocal(): boolean {
    return isLocalLobby(this.#lobby) && isLocalLobby(this.#publicLobby);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.registration.close();
  }

  #details({
    verdict,
    endpoints,
    nat,
  }: Reachability): Pick<HostRegistrationOptions, "verdict" | "endpoints" | "sealedEndpoints" | "page"> {
    const urls = endpoints
      .filter(({ protocol, address }) => protocol === "tcp" && address !== "")
      .filter((endpoint) => endpoint.kind === "host" || isDialable(endpoint, nat))
      .map(({ via, address, port }) => {
        const name = via === "announce" ? this.#announcedName : undefined;
        return `${this.#scheme}://${name === undefined ? formatEndpoint({ address, port }) : `${name}:${port}`}`;
      });
    if (this.isLocal && !this.#connectivity.isHidden)
      urls.push(`${this.#scheme}://127.0.0.1:${this.#connectivity.port}`);
    const known = [...new Set(urls)].slice(0, MAX_URLS);
    const page = this.#hasPage ? {} : { page: ownPage(endpoints) };
    return { verdict, ...page, ...(this.#openEndpoints ? { endpoints: known } : { sealedEndpoints: known }) };
  }
}

/** The game's own URL, where the world can open it. */
function ownPage(endpoints: Reachability["endpoints"]): string | undefined {
  const own = endpoints.find(
    ({ protocol, kind, address, verified }) =>
      protocol === "tcp" && verified && (kind === "mapped" || kind === "host") && addressScope(address) === "public",
  );
  return own && `http://${formatEndpoint(own)}/`;
}
