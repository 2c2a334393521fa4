import { debugAndPrintError, type IRoomCache, LocalDriver, matchMaker } from "@colyseus/core";
import { type Endpoint, formatEndpoint } from "../../../net/endpoint.ts";
import { addressScope } from "../../../net/scope.ts";
import { replaceMethod } from "./replace-method.ts";

/**
 * Tells the processes that share a matchmaker where players reach the rooms of this one, and follows when that changes. The
 * `publicAddress` that a developer gives to Colyseus' `Server` goes before. What is told stands in the room's listing, from which
 * Colyseus makes seats; it is kept from those who only ask for the list (LobbyRoom, monitor): a home host's address is nobody's
 * business who does not join. A seat in this very process carries none: whoever asked has already found the way here, and an
 * address from outside might not lead back in.
 */
export class PublicAddress {
  readonly #undo: (() => void)[] = [];
  #address: string | undefined;

  /**
   * Call it when the matchmaker is ready.
   * @param listed true shows addresses in listings too
   */
  constructor(listed: boolean) {
    const { driver, controller } = matchMaker;
    for (const method of ["insert", "persist"] as const) {
      this.#wrap(driver, method, (room: IRoomCache) => {
        if (room.processId === matchMaker.processId) this.#stamp(room);
      });
    }
    if (!listed) this.#undo.push(hidePublicAddresses(driver));
    this.#wrap(controller, "invokeMethod", undefined, async (result: Promise<unknown>) => {
      const seat = (await result) as { processId?: string; publicAddress?: string };
      const isOurs = seat.processId === matchMaker.processId && seat.publicAddress === this.#address;
      if (isOurs && !matchMaker.publicAddress) delete seat.publicAddress;
      return seat;
    });
  }

  /** `host:port` that is told, if any. */
  get current(): string | undefined {
    return matchMaker.publicAddress ?? this.#address;
  }

  /** @param endpoints where TCP and UDP reach this process, best first; see {@link choosePublicEndpoint} */
  update(endpoints: readonly Endpoint[]): void {
    const endpoint = choosePublicEndpoint(endpoints, !(matchMaker.driver instanceof LocalDriver));
    const address = endpoint && formatEndpoint(endpoint);
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
      const listing = matchMaker.getLocalRoomById(roomId)?.["_listing"];
      // Not one that is gone: to update it would bring it back into the list.
      if (!listing) continue;
      this.#stamp(listing);
      await driver.update(listing, { $set: {} });
    }
  }

  /** Replaces a method of an object that is Colyseus', and remembers how to put it back. */
  #wrap(
    target: object,
    method: string,
    before?: (...parameters: never[]) => void,
    after: (result: Promise<unknown>) => unknown = (result) => result,
  ): void {
    this.#undo.push(
      replaceMethod(target, method, (original) => (...parameters) => {
        before?.(...(parameters as never[]));
        return after(original(...parameters) as Promise<unknown>);
      }),
    );
  }
}

/**
 * Keeps `publicAddress` out of what `matchMaker.query()` finds, hence out of LobbyRoom; seats are made of `findOne()`, which still
 * has it. SallyportTransport does so where it runs; this is for a lobby process of a fleet that has another transport. Call it when
 * the matchmaker is ready, after `listen()` at the latest.
 * @returns undoes it
 */
export function hidePublicAddresses(driver: typeof matchMaker.driver = matchMaker.driver): () => void {
  const hide = (rooms: IRoomCache[]): IRoomCache[] =>
    rooms.map((room) => {
      if (room.publicAddress === undefined) return room;
      // A copy: the local driver's rooms are the rooms' own.
      const { publicAddress: _, ...listed } = room;
      return listed;
    });
  // The local driver answers at once, and counts on that.
  return replaceMethod(driver, "query", (original) => (...parameters) => {
    const rooms = original(...parameters) as IRoomCache[] | Promise<IRoomCache[]>;
    return Array.isArray(rooms) ? hide(rooms) : rooms.then(hide);
  });
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
