import type { HeldBytes } from "../../net/held-bytes.ts";

/**
 * What is promised about a message:
 * - `reliable`: arrives once and, within its channel, in the order of sending.
 * - `reliable-unordered`: arrives once, as soon as it is there.
 * - `unreliable`: arrives at most once, in whatever order.
 * - `unreliable-sequenced`: arrives at most once, and never after a newer one of its channel.
 */
export type DeliveryMode = "reliable" | "reliable-unordered" | "unreliable" | "unreliable-sequenced";

/** Why a peer cannot be talked to any longer. After it the endpoint is closed. */
export interface ChannelFailure {
  /**
   * - `malformed`: a packet that no correct sender makes.
   * - `message-too-large`: a message above {@link MessageEndpointOptions.maxMessageBytes} was begun.
   * - `window-exceeded`: a message or a slice further ahead than the protocol allows.
   */
  code: "malformed" | "message-too-large" | "window-exceeded";
  /** One sentence for a log. */
  message: string;
}

/** Receives what the peer sent. Called from within {@link MessageEndpoint.receive}. */
export interface ChannelHandler {
  /**
   * A message arrived.
   *
   * @param data valid only during the call: it may look into the datagram.
   */
  message(data: Uint8Array, mode: DeliveryMode, channel: number): void;
  /** The peer broke the protocol or a cap; of the endpoint there is only {@link MessageEndpoint.farewell} left. */
  failed?(reason: ChannelFailure): void;
}

/** Options of {@link MessageEndpoint}. */
export interface MessageEndpointOptions {
  /**
   * The longest packet that `poll` makes: 256-1427 bytes, default 1200 (netcode's largest payload). More than 1200 is searched for first
   * (RFC 8899). On a path that carries less packets become shorter by themselves, down to 512 bytes; see `stats.maxPacketBytes`.
   */
  maxPacketBytes?: number;
  /**
   * The longest message that is taken from the peer, in bytes: up to 2^28 - 1, default 4 MiB. What is sent may be as long as
   * `maxBufferedBytes` allows, and 2^28 - 1; the peer says if it takes no such message.
   */
  maxMessageBytes?: number;
  /**
   * The longest unreliable message, both ways, in bytes: up to 256 KiB, default 64 KiB; of the peer's no more than `maxMessageBytes`. Above
   * one packet it is lost whole if a part is.
   */
  maxUnreliableBytes?: number;
  /**
   * How many reliable bytes (each message counts 384 more, above 1024 bytes 1408 more) may wait for being sent and
   * acknowledged; beyond, `send` answers false. Default 8 MiB.
   */
  maxBufferedBytes?: number;
  /** How many unreliable bytes may wait for being sent; beyond, the oldest give way. Default 64 KiB. */
  maxUnreliableBufferedBytes?: number;
  /**
   * How many reliable bytes may be held because an earlier part is missing, beside one message that is next; beyond, packets are
   * taken for lost, so that the peer sends them again and slows down. Default 8 MiB; with less than 512 KiB long messages of several
   * channels may stand in each other's way.
   */
  maxReceiveBytes?: number;
  /** Counts what is held for this peer, both ways, against what is held for all. Default: counted nowhere. */
  held?: HeldBytes;
  /** Round trip assumed until one is measured (RFC 9002 section 6.2.2 has 333). Default 100 ms. */
  initialRttMs?: number;
}

/** Options of {@link Session.send}. */
export interface SendOptions {
  /** 0-255, default 0. Order is kept within a channel (and mode); channels don't wait for one another. */
  channel?: number;
  /**
   * -128 to 127, default 0. Of what waits, the higher goes first. It is a property of the channel and mode: the latest
   * one given holds. Messages that need several packets yield to all that don't, whatever their priority.
   */
  priority?: number;
}

/** Counters and estimates of one endpoint, updated in place. */
export interface ChannelStats {
  /** Smoothed round trip without the peer's acknowledgement delay (RFC 9002 section 5.3), in ms. */
  rttMs: number;
  /** Mean deviation of the round trip (RFC 9002's rttvar), in ms. */
  rttVarMs: number;
  /** Lowest round trip seen, in ms. */
  minRttMs: number;
  /** The most recent round trip, in ms. */
  latestRttMs: number;
  /** Share of sent packets that were lost lately, 0-1 (moving average). */
  loss: number;
  /** Packets out, with those that only acknowledge. */
  packetsSent: number;
  /** Packets in that were taken (neither duplicate nor stale nor malformed). */
  packetsReceived: number;
  bytesSent: number;
  bytesReceived: number;
  /** Packets of ours found lost (RFC 9002 section 6.1). */
  packetsLost: number;
  /** Packets found lost that arrived after all. */
  packetsSpuriouslyLost: number;
  /** Packets in that were dropped: duplicate, stale or no reliable 1.0 header. */
  packetsDropped: number;
  /** Packets out that only acknowledged. */
  acksSent: number;
  /** Probe timeouts (RFC 9002 section 6.2). */
  probes: number;
  /** The longest packet that is sent on this path at present, in bytes (RFC 8899): it shrinks where longer ones vanish. */
  maxPacketBytes: number;
  /** Packets out that only tried whether a longer one gets through. Their loss counts nowhere. */
  mtuProbes: number;
  messagesSent: number;
  messagesReceived: number;
  /** Messages and slices sent again because they were found lost or probed for. */
  retransmissions: number;
  /** Bytes sent a second time ahead of any evidence of loss, see PROTOCOL.md. */
  redundantBytes: number;
  /** Unreliable messages that gave way in a full queue. */
  unreliableDropped: number;
  /** In bytes (RFC 9002 section 7). */
  congestionWindow: number;
  /** Bytes sent and neither acknowledged nor lost. */
  bytesInFlight: number;
  /** Reliable bytes that wait for being sent or acknowledged, as counted against `maxBufferedBytes`. */
  bufferedBytes: number;
  /** Bytes held for the peer's incomplete or early messages. */
  receiveBufferedBytes: number;
}
