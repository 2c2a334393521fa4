import { SendStream } from "./send-stream.ts";

/** The sending streams of a peer, and which of them comes next. */
export class SendSchedule {
  /** Streams in which something waits, highest priority first. */
  readonly active: SendStream[] = [];
  readonly #streams: Map<number, SendStream> = new Map<number, SendStream>();
  /** The four of channel 0, which most messages take. */
  readonly #first: (SendStream | undefined)[] = [undefined, undefined, undefined, undefined];

  /** The stream of a mode and channel, made when first asked for. */
  stream(mode: number, channel: number): SendStream {
    return (channel === 0 ? this.#first[mode] : this.#streams.get((channel << 2) | mode)) ?? this.#begin(mode, channel);
  }

  #begin(mode: number, channel: number): SendStream {
    const stream = new SendStream(mode, channel);
    this.#streams.set((channel << 2) | mode, stream);
    if (channel === 0) this.#first[mode] = stream;
    return stream;
  }

  setPriority(stream: SendStream, priority: number): void {
    stream.priority = priority;
    if (!this.active.includes(stream)) return;
    this.deactivate(stream);
    this.activate(stream);
  }

  /** Lines a stream up behind those of its priority. */
  activate(stream: SendStream): void {
    const { active } = this;
    let index = active.length;
    active.push(stream);
    for (; index > 0; index--) {
      const before = active[index - 1];
      if (!before || before.priority >= stream.priority) break;
      active[index] = before;
    }
    active[index] = stream;
  }

  deactivate(stream: SendStream): void {
    const index = this.active.indexOf(stream);
    if (index >= 0) this.active.splice(index, 1);
  }

  /** Takes out streams in which nothing waits, and lets the others of a priority come first in turn. */
  rotate(): void {
    const { active } = this;
    let kept = 0;
    for (const stream of active) if (stream.waiting) active[kept++] = stream;
    while (active.length > kept) active.pop();
    const first = active[0];
    if (!first || active[1]?.priority !== first.priority) return;
    active.shift();
    this.activate(first);
  }

  clear(): void {
    for (const stream of this.#streams.values()) stream.clear((message) => message.release());
    this.#streams.clear();
    this.#first.fill(undefined);
    this.active.length = 0;
  }
}
