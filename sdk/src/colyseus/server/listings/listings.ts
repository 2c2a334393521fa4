import type { AddressInfo } from "node:net";
import { Server as TLSServer } from "node:tls";
import { type AnnounceOptions, announcedName } from "../../../connectivity/announced.ts";
import type { ConnectivityManager } from "../../../connectivity/manager/manager.ts";
import type { SessionHost } from "../hosts/session-host.ts";
import { type DescribedGame, LanListing } from "./lan-listing.ts";
import { LobbyListing, type LobbyListingOptions } from "./lobby-listing.ts";
import { PublicAddress } from "./public-address.ts";

export interface ListingsOptions extends DescribedGame {
  lobby?: string | undefined;
  relays?: readonly string[] | undefined;
  stunServers?: readonly string[] | undefined;
  page?: string | undefined;
  listing?: Partial<Omit<LobbyListingOptions, "lobby">>;
  listPublicAddress?: boolean;
  announce?: AnnounceOptions;
  /** No address of this machine is told. Default false. */
  relayOnly?: boolean;
  /** Which serves matchmaking: over TLS or not. */
  server?: object;
}

/** Where a game is listed: at a lobby, on the local network, and, with its address, in the matchmaker that a fleet shares. */
export class Listings {
  readonly lan: LanListing | undefined;
  readonly #options: ListingsOptions;
  readonly #connectivity: ConnectivityManager | undefined;
  #lobby: LobbyListing | undefined;
  #publicAddress: PublicAddress | undefined;

  /** @throws RangeError for options out of their ranges */
  constructor(options: ListingsOptions, connectivity: ConnectivityManager | undefined) {
    this.#options = options;
    this.#connectivity = connectivity;
    this.lan = options.relayOnly ? undefined : LanListing.for(options, () => connectivity?.reachability);
  }

  /** Undefined without a lobby, and before `open()`. */
  get lobby(): LobbyListing | undefined {
    return this.#lobby;
  }

  /** `host:port` that other processes' players are given; undefined while there is none. */
  get publicAddress(): string | undefined {
    return this.#publicAddress?.current;
  }

  /** @param bound where the game listens */
  open(host: SessionHost, bound: AddressInfo): void {
    const { lobby, relays, stunServers, page } = this.#options;
    const { listing, description = "Sallyport", listPublicAddress = false } = this.#options;
    const { announce = {}, server } = this.#options;
    const name = announcedName(announce);
    if (lobby !== undefined && this.#connectivity) {
      const options = {
        name: description,
        relays,
        stunServers,
        page,
        ...listing,
        lobby,
        secure: server instanceof TLSServer,
        announcedName: name,
      };
      this.#lobby = new LobbyListing(options, this.#connectivity);
    }
    const publicAddress = new PublicAddress(listPublicAddress);
    this.#publicAddress = publicAddress;
    const named = name === undefined ? undefined : `${name}:${announce.port ?? bound.port}`;
    host.onChange = () => publicAddress.update(host.dialable(), named);
    host.onChange();
    this.lan?.open(bound);
  }

  /** Call it when the host has stopped reporting changes. */
  async close(): Promise<void> {
    this.#publicAddress?.close();
    await Promise.all([this.#lobby?.close(), this.lan?.close()]);
  }
}
