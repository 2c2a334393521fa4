import type { NetworkConditions } from "../channel/line-model.ts";
import type { DeliveryMode, SendOptions } from "../channel/wire/types.ts";
import type { Endpoint } from "../net/endpoint.ts";
import type { SessionPath, SessionPathKind, SessionPathPair } from "./path.ts";

/**
 * Why a session ended.
 * - `local`: this side called `close()`
 * - `remote`: the other side closed; its code and text come along
 * - `timeout`: nothing was heard for the token's timeout
 * - `refused`: the server refused the token, or no answer came to the request
 * - `full`: the server has no free slot
 * - `expired`: the connect token expired before the handshake ended
 * - `protocol-error`: the other side broke the protocol
 * - `limit`: the other side sent a message that is too long, or held too much of the memory that all share; code and text say which
 * - `shutdown`: the server or the socket was closed
 */
export type CloseReason =
  | "local"
  | "remote"
  | "timeout"
  | "refused"
  | "full"
  | "expired"
  | "protocol-error"
  | "limit"
  | "shutdown";

/** Figures of one session. */
export interface SessionStats {
  /** Smoothed round-trip time in ms (RFC 9002 section 5.3); before the first sample what the handshake took. */
  rttMs: number;
  /** Mean deviation of the round-trip time in ms. */
  jitterMs: number;
  /** Share of our packets lost, 0-1. */
  loss: number;
  /** Bytes that came in, netcode's overhead included, IP's not. */
  bytesIn: number;
  /** Bytes that went out, counted alike. */
  bytesOut: number;
  /** Packets that came in. */
  packetsIn: number;
  /** Packets that went out. */
  packetsOut: number;
  /** Packets of ours found lost (RFC 9002 section 6.1). */
  packetsLost: number;
  /** Reliable bytes accepted by `send` and not yet acknowledged. */
  bufferedBytes: number;
  /** Bytes that may be on their way at once (RFC 9002 section 7). */
  congestionWindow: number;
  /** Bytes on their way: sent, neither acknowledged nor lost. */
  bytesInFlight: number;
  /**
   * The longest packet that is sent on this path at present, in bytes before encryption (RFC 8899): 1200 (WebRTC: 1100), up to 1427 where
   * both ends search for it, and less, down to 512, where longer ones vanish. Messages of any size arrive all the same.
   */
  maxPacketBytes: number;
}

/** How a message is delivered: `reliable`, or `unreliable`. */
export type SessionMode = DeliveryMode;

/** One secure conversation with one peer. */
export interface Session {
  /** The client id that the connect token names. */
  readonly clientId: bigint;
  /** The 256 bytes of user data from the connect token (server side); empty on the client. */
  readonly userData: Uint8Array;
  /** The far end of the path in use. */
  readonly remote: Endpoint;
  /** How the far end is reached. */
  readonly pathKind: SessionPathKind;
  /** Round trip, loss and traffic, as they are now. */
  readonly stats: SessionStats;
  /** Since the other side was heard, ms. One that is there says something every 100 ms over UDP, every 250 over WebRTC. */
  readonly silentMs: number;
  /** The ways that ICE tried, best first, where it was ICE that found the path; for diagnosis. */
  pairs?(): readonly SessionPathPair[];
  /** False once it is closed. */
  readonly open: boolean;
  /**
   * Copies `data` at once; it leaves at the end of the tick, together with all else for this peer.
   * False when the session is closed or a cap would be broken. Messages that need several packets yield to all that don't.
   * @param options channel 0-254 and priority, see {@link SendOptions}; each channel keeps its own order
   * @throws RangeError for a mode, channel or priority that there is not
   */
  send(data: Uint8Array, mode: SessionMode, options?: SendOptions): boolean;
  /** Sends now what waits for the end of the tick. */
  flush(): void;
  /**
   * Ends the session after what was sent reliably before. `code` (0-65535, default 1000) and `reason` (at most 123 bytes of
   * UTF-8, as in RFC 6455) reach the other side as far as the path allows.
   */
  close(code?: number, reason?: string): void;
  /**
   * Ends the session at once: what waits to be sent is dropped, and the other side is told `code` and `reason` as by {@link close}. For
   * one that cannot keep up.
   */
  abort(code?: number, reason?: string): void;
  /**
   * A bad line, for trying the game out: what is sent and what arrives passes through it, each way on its own, so that a
   * delay of 50 ms makes the round trip 100 ms longer. netcode's handshake and keep alives, and questions for the path, are spared. Null: as it is.
   */
  conditions: NetworkConditions | null;
  /** `data` is valid only during the call. */
  onMessage: ((data: Uint8Array, mode: SessionMode, channel: number) => void) | null;
  /** Called once, with why it ended, and the code and text of {@link close}. */
  onClose: ((reason: CloseReason, code: number, text: string) => void) | null;
  /** The far end of the path is another: the peer moved, or a better way was found. */
  onPath: ((remote: Endpoint) => void) | null;
}

/** For whom a connect token is, and where it leads. */
export interface SessionTokenOptions {
  /** 64 bits, unique for each player: a server holds one connection per client id. */
  clientId: bigint;
  /** Where the client may reach this server, best first; 1-32. The client tries them in turn. */
  addresses: readonly Endpoint[];
  /** At most 256 bytes that reach the server's session unread by anybody else. */
  userData: Uint8Array;
  /** Seconds until the token can no longer be used. Default and least: the server's token lifetime (30). */
  expireSeconds?: number;
  /** Seconds without a packet after which either side gives the session up. Default 10. */
  timeoutSeconds?: number;
}

/** Where sessions come from. */
export interface SessionServer {
  /** A netcode connect token, 2048 bytes, good for one session. */
  createToken(options: SessionTokenOptions): Uint8Array;
  /** Called for each session that stands. Default null: nobody is told. */
  onSession: ((session: Session) => void) | null;
  /** The sessions that stand. */
  readonly sessions: ReadonlySet<Session>;
  /**
   * Lets a peer in by a path that was found otherwise, as by ICE. The server closes the path with its session; a path
   * whose peer does not come within `timeoutMs` (default 30 000) is closed too.
   */
  addPath?(path: SessionPath, timeoutMs?: number): void;
  /** Ends all sessions and stops; resolves when that is done. */
  close(): Promise<void>;
}
