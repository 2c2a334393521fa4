/** A data channel takes what is sent until so many bytes wait in it; the rest waits here, for Chromium's takes no more than 16 MiB. */
const HIGH_BYTES = 256 * 1024;
/** And gets more once so few do. */
export const LOW_BYTES: number = 64 * 1024;

/** One data channel, a browser's or libdatachannel's. Each of these may throw where it is closed or full. */
export interface DataChannelPort {
  /** Bytes that wait to be sent. */
  bufferedAmount(): number;
  /** Copies `data` at once. */
  sendBytes(data: Uint8Array): void;
  sendText(text: string): void;
  /** Has `listener` called whenever no more than {@link LOW_BYTES} wait any longer. */
  onLow(listener: () => void): void;
}

/** What waits until a data channel takes it, in order. */
export class SendQueue {
  /** May be replaced by one that leads to the same. */
  channel: DataChannelPort;
  #items: (Uint8Array | string)[] = [];
  #next = 0;
  #bytes = 0;

  constructor(channel: DataChannelPort) {
    this.channel = channel;
  }

  /** Bytes that wait here and in the channel; those that it is about to send anyway count as none. */
  get bytes(): number {
    const inChannel = this.channel.bufferedAmount();
    return this.#bytes + (inChannel > LOW_BYTES ? inChannel : 0);
  }

  /** Whether all has left. */
  get isEmpty(): boolean {
    return !this.#isWaiting && this.channel.bufferedAmount() === 0;
  }

  get #isWaiting(): boolean {
    return this.#next < this.#items.length;
  }

  /** @param data is copied where it has to wait */
  push(data: Uint8Array | string): void {
    if (!this.#isWaiting && this.channel.bufferedAmount() < HIGH_BYTES) {
      this.#send(data);
      return;
    }
    this.#items.push(typeof data === "string" ? data : data.slice());
    this.#bytes += data.length;
  }

  /** Gives the channel what it takes by now. */
  pump(): void {
    while (this.#isWaiting && this.channel.bufferedAmount() < HIGH_BYTES) {
      const item = this.#items[this.#next++];
      if (item === undefined) break;
      this.#bytes -= item.length;
      this.#send(item);
      if (this.#next * 2 < this.#items.length) continue;
      this.#items = this.#items.slice(this.#next);
      this.#next = 0;
    }
  }

  clear(): void {
    this.#items = [];
    this.#next = 0;
    this.#bytes = 0;
  }

  #send(data: Uint8Array | string): void {
    if (typeof data === "string") this.channel.sendText(data);
    else this.channel.sendBytes(data);
  }
}
