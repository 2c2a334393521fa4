import type { MessageLine } from "../../session/message-line.ts";
import type { DataChannelPort } from "./session.ts";

/** A data channel behind a bad line. */
export class LinedPort implements DataChannelPort {
  readonly #port: DataChannelPort;
  readonly #line: MessageLine;
  readonly #channel: "reliable" | "unreliable";
  readonly #onBroken: () => void;

  /** @param onBroken the channel threw after it had been promised that the message goes out */
  constructor(port: DataChannelPort, line: MessageLine, channel: "reliable" | "unreliable", onBroken: () => void) {
    this.#port = port;
    this.#line = line;
    this.#channel = channel;
    this.#onBroken = onBroken;
  }

  bufferedAmount(): number {
    return this.#port.bufferedAmount();
  }

  sendBytes(data: Uint8Array): void {
    const copy = data.slice();
    this.#later(data.length, () => this.#port.sendBytes(copy));
  }

  sendText(text: string): void {
    this.#later(text.length, () => this.#port.sendText(text));
  }

  #later(bytes: number, send: () => void): void {
    this.#line[this.#channel](bytes, () => {
      try {
        send();
      } catch {
        this.#onBroken();
      }
    });
  }
}
