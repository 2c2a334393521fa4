import { logger } from "@colyseus/core";
import type { ConnectivityManager } from "../../../connectivity/manager/manager.ts";
import type { RelayingLimits } from "../../../connectivity/relaying/player-relay.ts";
import { candidateToJSON } from "../../../ice/candidate.ts";
import type { Introduction } from "../../../rendezvous/sealed/introduction.ts";
import type { RelayMessage } from "../../../rendezvous/wire/invite-tunnel.ts";
import type { IntroducedDetails } from "../../../rendezvous/wire/protocol.ts";
import type { Session } from "../../../session/types.ts";
import {
  encodeRelaying,
  parseOffer,
  parseRelaying,
  RELAYING_CHANNEL,
  RELAYING_PROTOCOL,
  type RelayingTerms,
} from "../../wire/relaying.ts";
import { PlayerRelays, type RelayChange } from "./player-relays.ts";

/** A player who offered its relay in its introduction comes into the game within this time, or the offer lapses, ms. */
const GRACE_MS = 20_000;
/** Of one player: offers, withdrawals and what else it may say, at once and within a minute. */
const MESSAGES_A_MINUTE = 30;

/** A host's part in {@link RelayingMessage}s: takes offers of players, and tells the others. */
export class Relaying {
  readonly #takes: RelayingLimits;
  readonly #relays: PlayerRelays;
  /** Sessions of players who understand. */
  readonly #sessions = new Set<Session>();
  readonly #said = new Map<Session, number>();
  readonly #timer: NodeJS.Timeout;

  /** @throws RangeError for limits that are not above 0 */
  constructor(takes: RelayingLimits, connectivity: ConnectivityManager) {
    if (!(takes.kbps > 0 && takes.gb > 0)) throw new RangeError("relayForOthers needs kbps and gb, both above 0");
    this.#takes = takes;
    this.#relays = new PlayerRelays(connectivity);
    this.#relays.onChange = (change) => this.#tell(change);
    this.#timer = setInterval(() => this.#said.clear(), 60_000).unref();
  }

  /** For the reply to a connect request. */
  get terms(): RelayingTerms {
    const { kbps, gb } = this.#takes;
    return { protocol: RELAYING_PROTOCOL, kbps, gb };
  }

  /** For an introduction, sealed. */
  introduced(): Pick<IntroducedDetails, "playerRelays" | "takesRelays"> {
    const { kbps, gb } = this.#takes;
    return { takesRelays: { kbps, gb }, playerRelays: this.#relays.accessForGuest() };
  }

  /** A player who cannot get in without its own relay. */
  offered(introduction: Introduction, { urls, secret }: RelayMessage, bytes: number): void {
    const offer = parseOffer({ urls, secret });
    if (offer === undefined) return introduction.close("That is no relay.");
    if (!this.#relays.offer(introduction, offer, bytes)) return;
    setTimeout(() => this.#relays.withdraw(introduction), GRACE_MS).unref();
  }

  /** A message on {@link RELAYING_CHANNEL}. */
  receive(session: Session, data: Uint8Array): void {
    const count = (this.#said.get(session) ?? 0) + 1;
    this.#said.set(session, count);
    if (count > MESSAGES_A_MINUTE) return;
    const message = parseRelaying(data);
    switch (message?.type) {
      case "hello":
        this.#sessions.add(session);
        return;
      case "offer":
        if (!this.#relays.offer(session, message, data.length))
          logger.debug("Sallyport: one relay more is not needed.");
        return;
      case "withdraw":
        this.#relays.withdraw(session);
        return;
      case "relays":
      case undefined:
        // Nothing that a player says.
        return;
    }
  }

  /** The session has ended. */
  forget(session: Session): void {
    this.#sessions.delete(session);
    this.#said.delete(session);
    this.#relays.withdraw(session);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#relays.close();
  }

  #tell({ add, remove }: RelayChange): void {
    const turn = add.length > 0 ? this.#relays.accessForGuest() : [];
    const [added, removed] = [add.map(candidateToJSON), remove.map(candidateToJSON)];
    const message = encodeRelaying({ type: "relays", add: added, remove: removed, turn });
    for (const session of this.#sessions) {
      session.send(message, "reliable", { channel: RELAYING_CHANNEL });
      session.flush();
    }
  }
}
