/** A player's part in relaying for others: its own relay, and what host and player say of relays. Node's alone. */
import {
  PlayerRelay,
  type PlayerRelayOptions,
  type RelayingLimits,
  type RelayingState,
  type RelayOffer,
} from "../../connectivity/relaying/player-relay.ts";
import { parseCandidates } from "../../ice/candidate.ts";
import { messageOf } from "../../net/message-of.ts";
import { traceOf } from "../../net/trace.ts";
import type { OwnRelay, RelaysTaker } from "../../rendezvous/guest/own-relay.ts";
import type { Session } from "../../session/types.ts";
import {
  encodeRelaying,
  parseRelaying,
  RELAYING_CHANNEL,
  type RelayingMessage,
  type RelayingTerms,
} from "../wire/relaying.ts";
import type { Beside } from "./session-way.ts";

const trace = traceOf("colyseus");

/** What a player gives for the others of its game, and how it is told of it. */
export interface RelayForOthers extends RelayingLimits, Pick<PlayerRelayOptions, "connectivity"> {
  /** Told when this computer begins or ends to relay, and why. Ask the player before you switch it on. */
  onChange?: (state: RelayingState) => void;
}

/** After the last room was left: the host moves to another way meanwhile. */
const LINGER_MS = 1000;

/** A client's own relay, for all rooms of hosts that take one. */
export class SharedRelay implements OwnRelay {
  readonly #options: RelayForOthers;
  readonly #listeners = new Set<() => void>();
  /** Rooms, and attempts to join one. */
  readonly #users = new Set<object>();
  #relay: PlayerRelay | undefined;

  /** @throws RangeError for limits that are not above 0 */
  constructor(options: RelayForOthers) {
    if (!(options.kbps > 0 && options.gb > 0)) throw new RangeError("relayForOthers needs kbps and gb, both above 0");
    this.#options = options;
  }

  get offer(): RelayOffer | undefined {
    return this.#relay?.offer;
  }

  /** For this machine's own sockets; undefined while there is no relay. */
  get ownAccess(): ReturnType<PlayerRelay["ownAccess"]> | undefined {
    return this.#relay?.offer && this.#relay.ownAccess();
  }

  /** Begins to relay, if it has not begun. Its limits are those of the first host and of the player, whichever are less. */
  use(user: object, { kbps, gb }: RelayingLimits, onOffer: () => void): void {
    this.#users.add(user);
    this.#listeners.add(onOffer);
    if (this.#relay !== undefined) {
      if (this.#relay.offer) onOffer();
      return;
    }
    const own = this.#options;
    const relay = new PlayerRelay({ ...own, kbps: Math.min(own.kbps, kbps), gb: Math.min(own.gb, gb) });
    this.#relay = relay;
    relay.onOffer = () => {
      for (const listener of this.#listeners) listener();
    };
    relay.open().catch((error: unknown) => {
      if (trace.on) trace.event("relaying-failed", { reason: messageOf(error) });
      void this.#close();
    });
  }

  /** Resolves when the relay has ended, or somebody else uses it. */
  leave(user: object, onOffer: () => void): Promise<void> {
    this.#listeners.delete(onOffer);
    if (!this.#users.delete(user) || this.#users.size > 0 || this.#relay === undefined) return Promise.resolve();
    const relay = this.#relay;
    return new Promise((resolve) => {
      // Keeps the process for so long: who ends with a word is not missed.
      setTimeout(() => {
        if (this.#users.size > 0 || this.#relay !== relay) resolve();
        else void this.#close().then(resolve, resolve);
      }, LINGER_MS);
    });
  }

  async #close(): Promise<void> {
    const relay = this.#relay;
    this.#relay = undefined;
    await relay?.close();
  }
}

/** One session's messages of relays. */
export class SessionRelaying implements Beside {
  readonly #session: Session;
  readonly #taker: RelaysTaker | undefined;
  readonly #own: OwnRelay | undefined;
  readonly #offer = (): void => this.#tell();
  #left: Promise<void> | undefined;

  constructor(
    session: Session,
    { kbps, gb }: RelayingTerms,
    taker: RelaysTaker | undefined,
    own: OwnRelay | undefined,
  ) {
    this.#session = session;
    this.#taker = taker;
    this.#own = own;
    this.#say({ type: "hello" });
    if (own !== undefined && kbps !== undefined && gb !== undefined) own.use(this, { kbps, gb }, this.#offer);
  }

  receive(data: Uint8Array, channel: number): void {
    if (channel !== RELAYING_CHANNEL) return;
    const message = parseRelaying(data);
    if (message?.type !== "relays") return;
    const { add, remove, turn } = message;
    this.#taker?.takeRelays({ add: parseCandidates(add), remove: parseCandidates(remove), turn });
  }

  leaving(): Promise<void> {
    if (this.#left) return this.#left;
    if (this.#own?.offer) this.#say({ type: "withdraw" });
    this.#left = this.#own?.leave(this, this.#offer) ?? Promise.resolve();
    return this.#left;
  }

  #tell(): void {
    if (this.#left || this.#own === undefined) return;
    const { offer, ownAccess } = this.#own;
    // Others may leave, on whom we stand ourselves.
    if (ownAccess !== undefined && this.#session.pathKind === "relayed") this.#taker?.openOwnRelay(ownAccess);
    this.#say(offer === undefined ? { type: "withdraw" } : { type: "offer", ...offer });
  }

  #say(message: RelayingMessage): void {
    if (!this.#session.open) return;
    this.#session.send(encodeRelaying(message), "reliable", { channel: RELAYING_CHANNEL });
    this.#session.flush();
  }
}
