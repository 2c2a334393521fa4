import type { NetworkConditions } from "../../channel/line-model.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { CLOSE_NO_STATUS } from "../../session/close-code.ts";
import { MessageLine } from "../../session/message-line.ts";
import type { Session, SessionMode, SessionStats } from "../../session/types.ts";

/** A WebSocket, a page's or one of Node's. */
export interface WebSocketPort {
  readonly isOpen: boolean;
  /** Whether so many bytes more may wait; if not, it is closed. Default: they may. */
  admits?(bytes: number): boolean;
  send(data: Uint8Array | string): void;
  /** @throws for a code that a WebSocket does not take */
  close(code?: number, reason?: string): void;
}

const TIMERS = { now: () => performance.now(), later: (work: () => void, ms: number) => void setTimeout(work, ms) };

/** Nothing is measured. */
const NO_STATS: SessionStats = {
  rttMs: 0,
  jitterMs: 0,
  loss: 0,
  bytesIn: 0,
  bytesOut: 0,
  packetsIn: 0,
  packetsOut: 0,
  packetsLost: 0,
  bufferedBytes: 0,
  congestionWindow: 0,
  bytesInFlight: 0,
  maxPacketBytes: 0,
};

/** A WebSocket as a {@link Session}: all goes one way, in order. Its owner hands in what comes. */
export class WebSocketSession implements Session {
  readonly clientId = 0n;
  readonly userData: Uint8Array = new Uint8Array(0);
  readonly remote: Endpoint;
  readonly pathKind = "direct";
  readonly stats: SessionStats = NO_STATS;
  /** Not known: TCP tells only of what is sent. */
  readonly silentMs = 0;
  onMessage: Session["onMessage"] = null;
  onClose: Session["onClose"] = null;
  onPath: Session["onPath"] = null;
  /** What Sallyport says beside the game. */
  onText: ((text: string) => void) | null = null;
  readonly #port: WebSocketPort;
  #closing = false;
  #conditions: NetworkConditions | null = null;
  /** A bad line, each way its own. It stays once there was one: what is on its way keeps its place. */
  #line: { readonly out: MessageLine; readonly in: MessageLine } | undefined;

  constructor(port: WebSocketPort, remote: Endpoint) {
    this.#port = port;
    this.remote = remote;
  }

  /** Messages fare as packets do, since the packets are TCP's: a lost one is sent again, and holds up what comes after it. */
  get conditions(): NetworkConditions | null {
    return this.#conditions;
  }

  set conditions(conditions: NetworkConditions | null) {
    this.#conditions = conditions;
    if (conditions !== null) this.#line ??= { out: new MessageLine({}, TIMERS), in: new MessageLine({}, TIMERS) };
    if (this.#line) this.#line.out.conditions = this.#line.in.conditions = conditions ?? {};
  }

  get open(): boolean {
    return !this.#closing && this.#port.isOpen;
  }

  send(data: Uint8Array, _mode?: SessionMode): boolean {
    if (!this.open || this.#port.admits?.(data.length) === false) return false;
    // What cannot be written at once is kept, and Colyseus reuses its buffers. (A Buffer's slice() is no copy.)
    this.#send(new Uint8Array(data));
    return true;
  }

  sendText(text: string): void {
    if (this.open) this.#send(text);
  }

  #send(data: Uint8Array | string): void {
    if (!this.#line) this.#port.send(data);
    else this.#line.out.send(data.length, () => this.#port.isOpen && this.#port.send(data));
  }

  flush(): void {}

  /** `onClose` follows when the other side has answered. */
  close(code: number = CLOSE_NO_STATUS, reason = ""): void {
    if (this.#closing) return;
    // Codes below 1000, and these two, are never sent (RFC 6455 section 7.4).
    if (code === CLOSE_NO_STATUS || code === 0) this.#port.close();
    else this.#port.close(code, reason);
    this.#closing = true;
  }

  /** What waits cannot be taken back. */
  abort(code?: number, reason?: string): void {
    this.close(code, reason);
  }

  /** Something came in. */
  receive(data: string | Uint8Array): void {
    if (this.#line) this.#line.in.send(data.length, () => this.#receive(data));
    else this.#receive(data);
  }

  #receive(data: string | Uint8Array): void {
    if (this.#closing) return;
    if (typeof data === "string") this.onText?.(data);
    else this.onMessage?.(data, "reliable", 0);
  }

  /** The WebSocket is closed, with the code that its event has. */
  ended(code: number, reason: string): void {
    this.#closing = true;
    this.onClose?.("remote", code, reason);
  }
}
