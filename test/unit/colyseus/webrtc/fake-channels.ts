import { type DataChannelPort } from "../../../../sdk/src/colyseus/webrtc/send-queue.ts";
import {
  DataChannelSession,
  type DataChannelSessionOptions,
  type PeerLink,
} from "../../../../sdk/src/colyseus/webrtc/session.ts";

type Sent = string | Uint8Array;

/** A data channel of which a test decides when it delivers. */
export class FakeChannel implements DataChannelPort {
  readonly sent: Sent[] = [];
  buffered = 0;
  broken = false;
  /** What is sent waits: {@link drain} takes it. */
  isSlow = false;
  #onLow: () => void = () => {};

  onLow(listener: () => void): void {
    this.#onLow = listener;
  }

  /** All that waits leaves, and what the sender sends thereupon waits. */
  drain(): void {
    this.buffered = 0;
    this.#onLow();
  }

  bufferedAmount(): number {
    return this.buffered;
  }

  sendBytes(data: Uint8Array): void {
    this.#send(data.slice());
  }

  sendText(text: string): void {
    this.#send(text);
  }

  #send(data: Sent): void {
    if (this.broken) throw new Error("InvalidStateError");
    this.sent.push(data);
    if (this.isSlow) this.buffered += data.length;
  }
}

/** One end, and the clock of both. */
export class FakeEnd implements PeerLink {
  readonly reliable = new FakeChannel();
  readonly unreliable = new FakeChannel();
  readonly remote = { address: "192.0.2.1", port: 7 };
  readonly pathKind = "direct" as const;
  closed = 0;
  readonly session: DataChannelSession;
  readonly got: { data: Uint8Array; mode: string }[] = [];
  readonly ends: [reason: string, code: number, text: string][] = [];
  readonly later: (() => void)[] = [];

  constructor(clock: { now: number }, options: Partial<DataChannelSessionOptions> = {}) {
    this.session = new DataChannelSession(this, {
      timeoutMs: 9000,
      maxMessageBytes: 1 << 20,
      ...options,
      now: () => clock.now,
      later: (work) => this.later.push(work),
    });
    this.session.onMessage = (data, mode) => this.got.push({ data: data.slice(), mode });
    this.session.onClose = (...end) => this.ends.push(end);
  }

  close(): void {
    this.closed++;
  }
}

/** Two ends; {@link Pair.deliver} carries over what was sent. */
export class Pair {
  readonly clock = { now: 1000 };
  readonly client: FakeEnd;
  readonly server: FakeEnd;

  constructor(options: Partial<DataChannelSessionOptions> = {}) {
    this.client = new FakeEnd(this.clock, options);
    this.server = new FakeEnd(this.clock, options);
  }

  /** @param lost what of the unreliable channel does not arrive */
  deliver(lost: (data: Sent) => boolean = () => false): void {
    for (const [from, to] of [
      [this.client, this.server],
      [this.server, this.client],
    ] as const) {
      for (const data of from.reliable.sent.splice(0)) to.session.receive(data, "reliable");
      for (const data of from.unreliable.sent.splice(0)) if (!lost(data)) to.session.receive(data, "unreliable");
    }
  }

  /** A second's ticks, and what they say. */
  second(lost?: (data: Sent) => boolean): void {
    this.clock.now += 1000;
    this.client.session.tick();
    this.server.session.tick();
    this.deliver(lost);
    this.deliver(lost);
  }
}
