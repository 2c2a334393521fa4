import { debugAndPrintError, type IRoomCache, LocalDriver, matchMaker } from "@colyseus/core";
import { type Endpoint, formatEndpoint } from "../../../net/endpoint.ts";
import { addressScope } from "../../../net/scope.ts";
import { localRoom } from "../admission/local-room.ts";
import { hidePublicAddresses } from "../replaced/room-query.ts";
import { prepareStoredRooms } from "../replaced/room-writes.ts";
import { hideOwnAddressInSeats } from "../replaced/seat-reservation.ts";

/**
 * Tells the processes that share a matchmaker where players reach the rooms of this one, and follows when that changes. The
 * `publicAddress` that a developer gives to Colyseus' `Server` goes before. The address stands in the room's listing, from which
 * Colyseus makes seats; listings that are only shown (LobbyRoom, monitor) leave it out: a home host's address is nobody's business
 * who does not join.
 */
export class PublicAddress {
  readonly #undo: (() => void)[] = [];
  #address: string | undefined;

  /**
   * Call it when the matchmaker is ready.
   * @param listed true shows addresses in listings too
   */
  constructor(listed: boolean) {
    this.#undo.push(prepareStoredRooms((room) => this.#stamp(room)));
    if (!listed) this.#undo.push(hidePublicAddresses());
    this.#undo.push(hideOwnAddressInSeats(() => this.#address));
  }

  /** `host:port` that is told, if any. */
  get current(): string | undefined {
    return matchMaker.publicAddress ?? this.#address;
  }

  /**
   * @param endpoints where TCP and UDP reach this process, best first; see {@link choosePublicEndpoint}
   * @param named `game.example:7777`, where a name is announced: a certificate holds for names
   */
  update(endpoints: readonly Endpoint[], named?: string): void {
    const endpoint = choosePublicEndpoint(endpoints, !(matchMaker.driver instanceof LocalDriver));
    const address = named ?? (endpoint && formatEndpoint(endpoint));
    if (address === this.#address) return;
    this.#address = address;
    this.#updateRooms().catch(debugAndPrintError);
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #stamp(room: IRoomCache): void {
    if (matchMaker.publicAddress) return;
    if (this.#address === undefined) delete room.publicAddress;
    else room.publicAddress = this.#address;
  }

  async #updateRooms(): Promise<void> {
    if (matchMaker.publicAddress) return;
    const { driver, processId } = matchMaker;
    for (const { roomId } of await driver.query({ processId })) {
      const listing = localRoom(roomId)?.["_listing"];
      // Not one that is gone: to update it would bring it back into the list.
      if (!listing) continue;
      this.#stamp(listing);
      await driver.update(listing, { $set: {} });
    }
  }
}

/**
 * The one address that a seat can name. A public one if there is one, IPv4 before IPv6, for everybody has that. In a fleet a
 * private one will do: its processes and players may share a network.
 */
export function choosePublicEndpoint(endpoints: readonly Endpoint[], isFleet: boolean): Endpoint | undefined {
  const isIPv4 = ({ address }: Endpoint): boolean => !address.includes(":");
  const open = endpoints.filter(({ address }) => addressScope(address) === "public");
  const candidates = open.length > 0 || !isFleet ? open : endpoints;
  return candidates.find(isIPv4) ?? candidates[0];
}
