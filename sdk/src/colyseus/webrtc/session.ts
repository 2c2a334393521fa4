import type { NetworkConditions } from "../../channel/line-model.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { CLOSE_NORMAL, CLOSE_PROTOCOL_ERROR, CLOSE_TOO_BIG } from "../../session/close-code.ts";
import { MessageLine } from "../../session/message-line.ts";
import type { SessionPathKind } from "../../session/path.ts";
import type { CloseReason, Session, SessionMode, SessionStats } from "../../session/types.ts";
import { type ControlMessage, encodeControl, PART_BYTES, parseControl } from "./control.ts";
import { LinedPort } from "./lined-port.ts";
import { Liveness } from "./liveness.ts";
import { PartAssembly } from "./part-assembly.ts";

/** One data channel, a browser's or libdatachannel's. Each of these may throw where it is closed or full. */
export interface DataChannelPort {
  /** Bytes that wait to be sent. */
  bufferedAmount(): number;
  /** Copies `data` at once. */
  sendBytes(data: Uint8Array): void;
  sendText(text: string): void;
}

/** The peer connection under a {@link DataChannelSession}. */
export interface PeerLink {
  readonly reliable: DataChannelPort;
  readonly unreliable: DataChannelPort;
  /** Where the far end is, as far as that is known. */
  readonly remote: Endpoint;
  readonly pathKind: SessionPathKind;
  /** Lets go of everything. Idempotent. */
  close(): void;
}

export interface DataChannelSessionOptions {
  /** A monotonic clock, ms. */
  now: () => number;
  /** Silence after which the other side is given up, ms; 0 = never. */
  timeoutMs: number;
  /** The longest message that is taken from the other side, bytes. Default 4 MiB, as over UDP. */
  maxReceiveBytes?: number;
  /** Runs `work` once, later. */
  later: (work: () => void, ms: number) => void;
}

/** As over UDP (channel/types.ts). */
const DEFAULT_MAX_MESSAGE_BYTES = 4 << 20;
const MAX_BUFFERED_BYTES = 8 << 20;
const MAX_UNRELIABLE_BUFFERED_BYTES = 64 << 10;
/** How long a goodbye may take to arrive, ms; the other side closes the connection when it has it. */
const GOODBYE_MS = 1000;

/**
 * One conversation over two data channels, as a {@link Session} like those over UDP: what stands above, players and rooms, need not
 * know the difference. Does no I/O of its own: bytes and a time come in by `receive` and `tick`.
 */
export class DataChannelSession implements Session {
  readonly clientId = 0n;
  readonly userData: Uint8Array = new Uint8Array(0);
  onMessage: Session["onMessage"] = null;
  onClose: Session["onClose"] = null;
  onPath: Session["onPath"] = null;
  /** The client stands by this way. */
  onJoin: (() => void) | null = null;
  readonly #link: PeerLink;
  readonly #options: DataChannelSessionOptions;
  readonly #maxReceiveBytes: number;
  readonly #liveness: Liveness;
  readonly #traffic = { bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0 };
  #reliable: DataChannelPort;
  #unreliable: DataChannelPort;
  #conditions: NetworkConditions | null = null;
  /** A bad line, each way its own. It stays once there was one: what is on its way keeps its place. */
  #line: { readonly out: MessageLine; readonly in: MessageLine } | undefined;
  #assembly: PartAssembly | undefined;
  #open = true;

  constructor(link: PeerLink, options: DataChannelSessionOptions) {
    this.#link = link;
    this.#reliable = link.reliable;
    this.#unreliable = link.unreliable;
    this.#options = options;
    this.#maxReceiveBytes = options.maxReceiveBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    this.#liveness = new Liveness(options.timeoutMs, options.now());
  }

  get open(): boolean {
    return this.#open;
  }

  get silentMs(): number {
    return this.#liveness.silentMs(this.#options.now());
  }

  get remote(): Endpoint {
    return this.#link.remote;
  }

  get pathKind(): SessionPathKind {
    return this.#link.pathKind;
  }

  /** Messages fare as packets do, since the packets are the browser's. */
  get conditions(): NetworkConditions | null {
    return this.#conditions;
  }

  set conditions(conditions: NetworkConditions | null) {
    this.#conditions = conditions;
    if (conditions !== null) this.#line ??= this.#makeLine();
    if (this.#line) this.#line.out.conditions = this.#line.in.conditions = conditions ?? {};
  }

  /** Counted in messages, for the packets are the browser's; sent again and lost ones cannot be seen. */
  get stats(): SessionStats {
    const { rttMs, jitterMs, loss } = this.#liveness;
    const bufferedBytes = this.#open ? quietly(() => this.#link.reliable.bufferedAmount(), 0) : 0;
    const unseen = { packetsLost: 0, congestionWindow: 0, bytesInFlight: 0, maxPacketBytes: 0 };
    return { rttMs, jitterMs, loss, ...this.#traffic, bufferedBytes, ...unseen };
  }

  /** Takes the seat: after this there is no way back to another transport. */
  join(): void {
    this.#say(this.#reliable, ["join"]);
  }

  send(data: Uint8Array, mode: SessionMode): boolean {
    if (!this.#open) return false;
    return mode === "reliable" || mode === "reliable-unordered" ? this.#sendReliable(data) : this.#sendUnreliable(data);
  }

  flush(): void {}

  close(code: number = CLOSE_NORMAL, reason = ""): void {
    if (!this.#open) return;
    this.#say(this.#reliable, ["close", code, reason]);
    this.#end("local", code, reason);
    // Not at once: what was sent before, and the goodbye, are still on their way.
    this.#options.later(() => this.#link.close(), GOODBYE_MS);
  }

  /** Something came in. `data` is valid only during the call. */
  receive(data: string | Uint8Array, channel: "reliable" | "unreliable"): void {
    if (!this.#line || !this.#open) return this.#receive(data, channel);
    const copy = typeof data === "string" ? data : data.slice();
    this.#line.in[channel](data.length, () => this.#receive(copy, channel));
  }

  #receive(data: string | Uint8Array, channel: "reliable" | "unreliable"): void {
    if (!this.#open) return;
    this.#liveness.heard(this.#options.now());
    this.#traffic.packetsIn++;
    this.#traffic.bytesIn += data.length;
    if (typeof data !== "string") this.#receiveBytes(data, channel);
    else {
      const message = parseControl(data);
      if (!message || !this.#receiveControl(message, channel)) this.#violated("That is no message of Sallyport's.");
    }
  }

  /** To be called about every second. */
  tick(): void {
    if (!this.#open) return;
    const now = this.#options.now();
    if (this.#liveness.isLost(now)) return this.ended("timeout", "nothing was heard from the other side");
    const ping = this.#liveness.nextPing(now);
    if (ping !== undefined) this.#say(this.#unreliable, ["ping", ping]);
  }

  /** The peer connection is gone, or given up. */
  ended(reason: CloseReason, text = ""): void {
    this.#end(reason, 0, text);
    this.#link.close();
  }

  #makeLine(): { out: MessageLine; in: MessageLine } {
    const { now, later } = this.#options;
    const line = { out: new MessageLine({}, { now, later }), in: new MessageLine({}, { now, later }) };
    const broken = (): void => void this.#broken();
    this.#reliable = new LinedPort(this.#link.reliable, line.out, "reliable", broken);
    this.#unreliable = new LinedPort(this.#link.unreliable, line.out, "unreliable", broken);
    return line;
  }

  #sendReliable(data: Uint8Array): boolean {
    const reliable = this.#reliable;
    try {
      if (data.length > DEFAULT_MAX_MESSAGE_BYTES || reliable.bufferedAmount() + data.length > MAX_BUFFERED_BYTES) {
        return false;
      }
      if (data.length <= PART_BYTES) reliable.sendBytes(data);
      else {
        reliable.sendText(encodeControl(["parts", data.length]));
        for (let at = 0; at < data.length; at += PART_BYTES) reliable.sendBytes(data.subarray(at, at + PART_BYTES));
      }
    } catch {
      return this.#broken();
    }
    this.#sent(data);
    return true;
  }

  #sendUnreliable(data: Uint8Array): boolean {
    // Several packets' worth is lost whole if a part is; what is still longer goes reliably.
    if (data.length > PART_BYTES) return false;
    const unreliable = this.#unreliable;
    try {
      // What would come late need not come: to the sender it is lost on the way, as it may be.
      if (unreliable.bufferedAmount() > MAX_UNRELIABLE_BUFFERED_BYTES) return true;
      unreliable.sendBytes(data);
    } catch {
      return this.#broken();
    }
    this.#sent(data);
    return true;
  }

  #sent({ length }: Uint8Array): void {
    this.#traffic.packetsOut++;
    this.#traffic.bytesOut += length;
  }

  /** A channel that threw has lost a message: to go on would break its promise. */
  #broken(): false {
    this.ended("timeout", "the data channel is closed");
    return false;
  }

  #say(channel: DataChannelPort, message: ControlMessage): void {
    quietly(() => channel.sendText(encodeControl(message)), undefined);
  }

  #receiveBytes(data: Uint8Array, channel: "reliable" | "unreliable"): void {
    if (channel === "unreliable" || !this.#assembly) {
      if (data.length > this.#maxReceiveBytes) this.#tooBig();
      else if (data.length > 0) this.onMessage?.(data, channel, 0);
      return;
    }
    const message = this.#assembly.add(data);
    if (message === undefined) return;
    this.#assembly = undefined;
    if (message === null) this.#violated("A part of a message has another length than was announced.");
    else this.onMessage?.(message, "reliable", 0);
  }

  /** @returns false for what cannot stand here */
  #receiveControl(message: ControlMessage, channel: "reliable" | "unreliable"): boolean {
    const [kind, value] = message;
    if (kind === "ping" || kind === "pong") {
      if (channel !== "unreliable") return false;
      if (kind === "ping") this.#say(this.#unreliable, ["pong", value]);
      else this.#liveness.pong(value, this.#options.now());
      return true;
    }
    if (channel !== "reliable") return false;
    if (kind === "close") {
      this.#end("remote", value, message[2]);
      this.#link.close();
      return true;
    }
    if (this.#assembly) return false;
    if (kind === "join") {
      this.onJoin?.();
      return true;
    }
    if (value <= PART_BYTES) return false;
    if (value > this.#maxReceiveBytes) this.#tooBig();
    else this.#assembly = new PartAssembly(value);
    return true;
  }

  #tooBig(): void {
    this.close(CLOSE_TOO_BIG, `Max payload size exceeded: ${this.#maxReceiveBytes} bytes`);
  }

  #violated(text: string): void {
    this.#say(this.#reliable, ["close", CLOSE_PROTOCOL_ERROR, text]);
    this.#end("protocol-error", CLOSE_PROTOCOL_ERROR, text);
    this.#options.later(() => this.#link.close(), GOODBYE_MS);
  }

  #end(reason: CloseReason, code: number, text: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#assembly = undefined;
    this.onClose?.(reason, code, text);
  }
}

function quietly<T>(work: () => T, otherwise: T): T {
  try {
    return work();
  } catch {
    return otherwise;
  }
}
