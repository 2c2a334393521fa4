import { seededRandom } from "../../../../sdk/src/channel/random.ts";
import {
  DataChannelLink,
  type DataChannelLinkOptions,
  type DataChannelPeer,
  type DataChannelPort,
} from "../../../../sdk/src/colyseus/webrtc/link.ts";
import { SessionPump } from "../../../../sdk/src/session/pump.ts";

/** One way of an unordered data channel that sends nothing twice, on a line of 10 ms. */
export class FakeChannel implements DataChannelPort {
  /** All that was ever sent. */
  readonly sent: Uint8Array[] = [];
  broken = false;
  /** What is sent waits until {@link drain}. */
  isSlow = false;
  /** Share that is lost, 0-1. */
  loss = 0;
  deliver: (data: Uint8Array) => void = () => {};
  onLow: () => void = () => {};
  readonly #random = seededRandom(7);
  #waiting: Uint8Array[] = [];

  bufferedAmount(): number {
    return this.#waiting.reduce((sum, { length }) => sum + length, 0);
  }

  send(data: Uint8Array): void {
    if (this.broken) throw new Error("InvalidStateError");
    const copy = data.slice();
    this.sent.push(copy);
    if (this.isSlow) this.#waiting.push(copy);
    else this.#carry(copy);
  }

  /** All that waits leaves. */
  drain(): void {
    for (const data of this.#waiting.splice(0)) this.#carry(data);
    this.onLow();
  }

  #carry(data: Uint8Array): void {
    if (this.#random() >= this.loss) setTimeout(() => this.deliver(data), 10);
  }
}

export class FakeEnd implements DataChannelPeer {
  readonly channel = new FakeChannel();
  readonly remote = { address: "192.0.2.1", port: 7 };
  readonly pathKind = "direct" as const;
  closed = 0;
  readonly link: DataChannelLink;
  readonly got: { data: Uint8Array; mode: string }[] = [];
  readonly ends: [reason: string, code: number, text: string][] = [];

  constructor(options: Partial<DataChannelLinkOptions>) {
    this.link = new DataChannelLink(this, new SessionPump(), { timeoutMs: 9000, limits: {}, ...options });
    this.channel.onLow = () => this.link.drained();
    this.session.onMessage = (data, mode) => this.got.push({ data: data.slice(), mode });
    this.session.onClose = (...end) => this.ends.push(end);
  }

  get session() {
    return this.link.session;
  }

  close(): void {
    this.closed++;
  }
}

/** Two ends. Needs fake timers. */
export class Pair {
  readonly client: FakeEnd;
  readonly server: FakeEnd;

  constructor(options: Partial<DataChannelLinkOptions> = {}) {
    this.client = new FakeEnd(options);
    this.server = new FakeEnd(options);
    this.client.channel.deliver = (data) => this.server.closed === 0 && this.server.link.receive(data);
    this.server.channel.deliver = (data) => this.client.closed === 0 && this.client.link.receive(data);
  }
}
