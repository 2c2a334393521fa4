/** A sealed conversation between a host and an invited player, through a lobby that can relay it or not, and no more. */

import { printable } from "../../net/printable.ts";
import { TokenBucket } from "../../net/token-bucket.ts";
import { describeMismatch, readProtocol } from "../../session/versions.ts";
import { INVITE_TUNNEL_PROTOCOL } from "../wire/invite-tunnel-http.ts";
import { type HostDetails, type IntroducedDetails, parseHostDetails, parseIntroduced } from "../wire/protocol.ts";
import type { TraversalServers, TurnAccess } from "../wire/servers.ts";
import {
  MAX_MESSAGE_BYTES,
  RECORD,
  RecordReader,
  type RecordType,
  recordsOf,
  type Sealer,
  sealRecords,
} from "./records.ts";

/** Why an introduction ended. */
export interface IntroductionClosed {
  /**
   * - `here`: {@link Introduction.close} was called.
   * - `there`: the other side closed it; the reason is its own.
   * - `lost`: the lobby, or the way to it, ended it.
   * - `forged`: what the lobby relayed is not what the other side sent, or not all of it, or not in its order.
   */
  by: "here" | "there" | "lost" | "forged";
  /** A sentence for people, or the other side's reason. */
  reason: string;
}

/** One sealed conversation of a host and a player, through a mailbox. */
export interface Introduction extends Disposable {
  /** `K7Q2-9FXM` */
  readonly code: string;
  /** At the player's: what the host says of itself, sealed. At the host's: its own. */
  readonly details: HostDetails;
  /** At the player's: the host's lasting key. At the host's: the player's, which is of this introduction only. 32 bytes. */
  readonly remoteKey: Uint8Array;
  /**
   * At the player's: the host's key is the one that the link tells of. At the host's: the player has the whole link. With a
   * bare code it is false: then the lobby could be on the other side.
   */
  readonly authenticated: boolean;
  /** The lobby, which sees both sides, has said that they have one public address. */
  readonly attested: boolean;
  /** The same 64 bytes on both sides and in no other conversation: to bind another protocol to this one. */
  readonly handshakeHash: Uint8Array;
  /** STUN and TURN servers that the lobby offers to this side. */
  readonly servers: TraversalServers;
  /** At the player's: TURN servers of other players of the game, who relay for others. They see the addresses of those who ask. */
  readonly playerRelays: readonly TurnAccess[];
  /** At the player's: what the host takes of a player who relays for others; undefined where it takes nothing. */
  readonly takesRelays: { readonly kbps: number; readonly gb: number } | undefined;
  /** Why it is closed; undefined while it is open. */
  readonly closed: IntroductionClosed | undefined;
  /**
   * Sealed, in order, up to 16 KiB. False, and nothing is sent, if it is closed, the message too long, or more than about
   * thirty messages a second (64 at once) were sent: one may be tried again later.
   */
  send(message: Uint8Array): boolean;
  /** What came before the first listener was there is kept for it. */
  onMessage(listener: (message: Uint8Array) => void): void;
  /** Called once; at once if it is closed already. */
  onClose(listener: (closed: IntroductionClosed) => void): void;
  /** The other side gets the reason, up to 200 bytes, sealed. */
  close(reason?: string): void;
}

/** Records at once, and per second. The lobby allows a few more before it ends an introduction. */
export const RECORD_BURST = 64;
export const RECORDS_PER_SECOND = 32;
const MAX_REASON_BYTES = 200;
/** Of messages that nobody has asked for yet. */
const MAX_UNREAD_BYTES = 262_144;

/** The way to the lobby. */
export interface IntroductionWire {
  relay(record: Uint8Array): void;
  /** Nothing is relayed any more. */
  end(): void;
}

export interface SealedIntroductionOptions {
  code: string;
  details: HostDetails;
  remoteKey: Uint8Array;
  authenticated: boolean;
  /** Default false. */
  attested?: boolean;
  servers: () => TraversalServers;
  transport: { send: Sealer; receive: Sealer; handshakeHash: Uint8Array };
  wire: IntroductionWire;
  /** Monotonic, ms. */
  now: () => number;
}

export class SealedIntroduction implements Introduction {
  readonly code: string;
  readonly remoteKey: Uint8Array;
  readonly authenticated: boolean;
  readonly attested: boolean;

  readonly #options: SealedIntroductionOptions;
  readonly #reader: RecordReader;
  readonly #limiter = new TokenBucket(RECORD_BURST, RECORDS_PER_SECOND);
  readonly #messageListeners: ((message: Uint8Array) => void)[] = [];
  readonly #closeListeners: ((closed: IntroductionClosed) => void)[] = [];
  #unread: Uint8Array[] = [];
  #unreadBytes = 0;
  #details: HostDetails;
  #introduced: Pick<IntroducedDetails, "playerRelays" | "takesRelays"> = {};
  #hasDetails = false;
  #closed: IntroductionClosed | undefined;
  #outdated: { protocol: number; sentence: string } | undefined;

  constructor(options: SealedIntroductionOptions) {
    this.#options = options;
    this.code = options.code;
    this.remoteKey = options.remoteKey;
    this.authenticated = options.authenticated;
    this.attested = options.attested ?? false;
    this.#details = options.details;
    this.#reader = new RecordReader(options.transport.receive);
  }

  get handshakeHash(): Uint8Array {
    return this.#options.transport.handshakeHash;
  }

  get details(): HostDetails {
    return this.#details;
  }

  /** That, and what, the other side speaks that we do not; then it is closed. */
  get outdated(): { protocol: number; sentence: string } | undefined {
    return this.#outdated;
  }

  /** Whether the host's own have come. */
  get hasDetails(): boolean {
    return this.#hasDetails;
  }

  get servers(): TraversalServers {
    return this.#options.servers();
  }

  get playerRelays(): readonly TurnAccess[] {
    return this.#introduced.playerRelays ?? [];
  }

  get takesRelays(): IntroducedDetails["takesRelays"] | undefined {
    return this.#introduced.takesRelays;
  }

  get closed(): IntroductionClosed | undefined {
    return this.#closed;
  }

  send(message: Uint8Array): boolean {
    return message.length <= MAX_MESSAGE_BYTES && this.#send(RECORD.message, message);
  }

  /** Sent by hosts, at once. */
  sendDetails(details: IntroducedDetails): boolean {
    const text = new TextEncoder().encode(JSON.stringify({ ...details, protocol: INVITE_TUNNEL_PROTOCOL }));
    return text.length <= MAX_MESSAGE_BYTES && this.#send(RECORD.details, text);
  }

  /** Sent by players, at once. */
  sendReady(): boolean {
    return this.#send(RECORD.ready, readyText());
  }

  onMessage(listener: (message: Uint8Array) => void): void {
    this.#messageListeners.push(listener);
    const unread = this.#unread;
    this.#unread = [];
    this.#unreadBytes = 0;
    for (const message of unread) listener(message);
  }

  onClose(listener: (closed: IntroductionClosed) => void): void {
    if (this.#closed === undefined) this.#closeListeners.push(listener);
    else listener(this.#closed);
  }

  close(reason: string = "done"): void {
    if (this.#closed !== undefined) return;
    const { transport, wire } = this.#options;
    const text = new TextEncoder().encode(reason).subarray(0, MAX_REASON_BYTES);
    for (const record of sealRecords(transport.send, RECORD.close, text)) wire.relay(record);
    this.#end({ by: "here", reason });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * A record from the lobby. False if it was no record of the other side's, and the conversation is over.
   */
  receive(record: Uint8Array): boolean {
    if (this.#closed !== undefined) return false;
    const opened = this.#reader.read(record);
    if (opened === "more") return true;
    if (opened === "forged") {
      this.#end({ by: "forged", reason: "The lobby relayed something else than the other side sent." });
      return false;
    }
    if (opened === "malformed") {
      this.close("malformed");
      return false;
    }
    const { type, content } = opened;
    switch (type) {
      case RECORD.message:
        this.#onMessage(content);
        break;
      case RECORD.details:
        this.#onDetails(content);
        break;
      case RECORD.close:
        this.#end({ by: "there", reason: printable(new TextDecoder().decode(content.subarray(0, MAX_REASON_BYTES))) });
        break;
      case RECORD.ready:
        this.#onReady(content);
        break;
    }
    return true;
  }

  /** Nothing comes through the lobby any more. */
  lose(reason: string): void {
    this.#end({ by: "lost", reason });
  }

  #send(type: RecordType, content: Uint8Array): boolean {
    if (this.#closed !== undefined) return false;
    const { transport, wire, now } = this.#options;
    if (!this.#limiter.take(now(), recordsOf(content.length))) return false;
    for (const record of sealRecords(transport.send, type, content)) wire.relay(record);
    return true;
  }

  #onMessage(message: Uint8Array): void {
    if (this.#messageListeners.length > 0) {
      for (const listener of this.#messageListeners) listener(message);
      return;
    }
    this.#unreadBytes += message.length;
    if (this.#unreadBytes > MAX_UNREAD_BYTES) this.close("nobody reads");
    else this.#unread.push(message);
  }

  #onDetails(content: Uint8Array): void {
    try {
      const said: unknown = JSON.parse(new TextDecoder().decode(content));
      this.#details = parseHostDetails(said);
      this.#introduced = parseIntroduced(said);
      if (this.#speaks((said as { protocol?: unknown }).protocol, "host")) this.#hasDetails = true;
    } catch {
      this.close("malformed");
    }
  }

  /** The first release's says nothing. */
  #onReady(content: Uint8Array): void {
    try {
      const said = (content.length === 0 ? {} : JSON.parse(new TextDecoder().decode(content))) as {
        protocol?: unknown;
      };
      this.#speaks(said.protocol, "player");
    } catch {
      this.close("malformed");
    }
  }

  /** Whether the other side speaks as we do; if not, both are told. */
  #speaks(named: unknown, they: "host" | "player"): boolean {
    const theirs = readProtocol(named);
    if (theirs === INVITE_TUNNEL_PROTOCOL) return true;
    if (theirs === null) this.close("malformed");
    else {
      const sentence = describePassages(
        they === "host" ? [theirs, INVITE_TUNNEL_PROTOCOL] : [INVITE_TUNNEL_PROTOCOL, theirs],
      );
      this.#outdated = { protocol: theirs, sentence };
      this.close(sentence);
    }
    return false;
  }

  #end(closed: IntroductionClosed): void {
    if (this.#closed !== undefined) return;
    this.#closed = closed;
    this.#options.wire.end();
    for (const listener of this.#closeListeners.splice(0)) listener(closed);
  }
}

/** What a player says of itself. */
export function readyText(): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ protocol: INVITE_TUNNEL_PROTOCOL }));
}

function describePassages([host, player]: [host: number, player: number]): string {
  return describeMismatch(
    "introduction protocol",
    { name: "this game's host", update: "the host", speaks: host },
    { name: "this player's game", update: "the player's game", speaks: player },
  );
}
