/** One guest at the host: its session, and what it has at the local program. */
import type { Socket } from "node:net";
import { CLOSE_PROTOCOL_ERROR } from "../../session/close-code.ts";
import type { SessionPathKind } from "../../session/path.ts";
import type { Session } from "../../session/types.ts";
import { DatagramLine } from "../flows/datagram-line.ts";
import { HostFlows } from "../flows/host-flows.ts";
import { TunnelStreams } from "../streams/streams.ts";
import type { WindowBudget } from "../streams/window.ts";
import { DATAGRAM_CHANNEL, type TunnelWriter } from "../wire/protocol.ts";

export interface SharedGuestOptions {
  /** Counts the guests of this run from 1. */
  number: number;
  /** Its address at the local program. */
  source: string;
  windows: WindowBudget;
  /** One for all: a message is sent before the next is written. */
  writer: TunnelWriter;
  /** ms, monotonic. */
  now: () => number;
  target: (port: number) => { address: string; port: number } | undefined;
  mayOpen: () => boolean;
  /** Connects to a shared TCP port's program, by its place in the offer; undefined for any other port. */
  dial: (port: number, guest: SharedGuest) => Promise<Socket> | undefined;
}

export class SharedGuest {
  readonly number: number;
  readonly source: string;
  readonly line: DatagramLine;
  readonly flows: HostFlows;
  /** When its last session ended; its flows wait for it since. */
  leftAt: number | undefined;
  /** By which it came last, and from where. */
  path: SessionPathKind = "direct";
  remote = "";
  readonly #options: SharedGuestOptions;
  #session: Session | undefined;
  #streams: TunnelStreams | undefined;

  constructor(options: SharedGuestOptions) {
    const { number, source, writer, now, target, mayOpen } = options;
    this.#options = options;
    this.number = number;
    this.source = source;
    this.line = new DatagramLine(writer, now);
    this.flows = new HostFlows({ line: this.line, target, source, now, mayOpen });
  }

  /** Undefined while it is away. */
  get session(): Session | undefined {
    return this.#session;
  }

  get streams(): number {
    return this.#streams?.size ?? 0;
  }

  /** It has come, or come back: its flows go on, and connections of an earlier session do not. */
  attach(session: Session): void {
    const before = this.#session;
    this.detach();
    before?.abort();
    const { windows, writer, now, dial } = this.#options;
    const streams = new TunnelStreams({
      session,
      writer,
      windows,
      now,
      dial: (port) => dial(port, this),
      onViolation: (reason) => session.abort(CLOSE_PROTOCOL_ERROR, reason),
    });
    this.#session = session;
    this.#streams = streams;
    this.line.session = session;
    this.leftAt = undefined;
    this.look();
    session.onMessage = (data, mode, channel) => {
      if (channel !== DATAGRAM_CHANNEL) streams.receive(data);
      else if (mode === "unreliable") this.flows.receive(data);
    };
  }

  /** Its path may be another one. */
  look(): void {
    if (this.#session === undefined) return;
    this.path = this.#session.pathKind;
    this.remote = this.#session.remote.address;
  }

  detach(): void {
    this.#streams?.close();
    this.#streams = undefined;
    this.#session = undefined;
    this.line.session = undefined;
    this.leftAt = this.#options.now();
  }

  close(): void {
    this.detach();
    this.flows.close();
  }
}
