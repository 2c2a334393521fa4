/** Datagrams of all flows through one session, counted. */
import { frameBytesOf } from "../../channel/wire/frames.ts";
import type { Session } from "../../session/types.ts";
import { DATAGRAM_CHANNEL, DATAGRAM_HEADER_BYTES, type TunnelWriter } from "../wire/protocol.ts";
import { isRakNetProbe } from "./raknet.ts";

/** Before a whole message: its type, and two bytes of length. */
const FRAME_HEADER_BYTES = 3;
/** How often the longest packet is looked up, ms: it changes when the path does. */
const LOOK_MS = 500;

export interface DatagramCounters {
  /** From the other side. */
  datagramsIn: number;
  datagramsOut: number;
  bytesIn: number;
  bytesOut: number;
  /** Of those sent: longer than one packet, so that the loss of either part is theirs. */
  fragmented: number;
  /** Not sent: nothing takes them, or a RakNet probe that does not fit. */
  dropped: number;
}

export class DatagramLine {
  readonly counters: DatagramCounters = {
    datagramsIn: 0,
    datagramsOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    fragmented: 0,
    dropped: 0,
  };
  readonly #writer: TunnelWriter;
  readonly #now: () => number;
  readonly #options = { channel: DATAGRAM_CHANNEL };
  #session: Pick<Session, "send" | "stats"> | undefined;
  /** The longest payload that travels in one packet. */
  #wholeBytes = 0;
  #lookedAt = Number.NEGATIVE_INFINITY;

  /** @param now ms, monotonic */
  constructor(writer: TunnelWriter, now: () => number) {
    this.#writer = writer;
    this.#now = now;
  }

  /** The session that carries them from now on; undefined while there is none, and datagrams are lost. */
  set session(session: Pick<Session, "send" | "stats"> | undefined) {
    this.#session = session;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
  }

  send(port: number, flow: number, payload: Uint8Array): void {
    const session = this.#session;
    const { counters } = this;
    const message = session && this.#writer.datagram(port, flow, payload);
    if (session === undefined || message === undefined) {
      counters.dropped++;
      return;
    }
    const isLong = payload.length > this.#fits(session);
    if ((isLong && isRakNetProbe(payload)) || !session.send(message, "unreliable", this.#options)) {
      counters.dropped++;
      return;
    }
    if (isLong) counters.fragmented++;
    counters.datagramsOut++;
    counters.bytesOut += payload.length;
  }

  #fits(session: Pick<Session, "stats">): number {
    const now = this.#now();
    if (now - this.#lookedAt > LOOK_MS) {
      this.#lookedAt = now;
      this.#wholeBytes = frameBytesOf(session.stats.maxPacketBytes) - FRAME_HEADER_BYTES - DATAGRAM_HEADER_BYTES;
    }
    return this.#wholeBytes;
  }
}
