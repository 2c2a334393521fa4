import { EventEmitter } from "node:events";
import {
  type Client,
  ClientState,
  CloseCode,
  debugAndPrintError,
  getMessageBytes,
  type ISendOptions,
  Protocol,
} from "@colyseus/core";
import { describeFull, type HeldBytes } from "../../../net/held-bytes.ts";
import { CLOSE_ABNORMAL, CLOSE_NO_STATUS, CLOSE_TOO_BIG, webSocketCloseCode } from "../../../session/close-code.ts";
import type { Session, SessionMode } from "../../../session/types.ts";
import { RELAYING_CHANNEL } from "../../wire/relaying.ts";
import { describeQueueFull, type SharedLimits } from "../../wire/traffic-limits.ts";
import type { Relaying } from "../relaying/relaying.ts";
import { EarlyFrames } from "./early-frames.ts";
import type { Batch, BatchReceiver, FrameBatches } from "./frame-batches.ts";
import type { JoiningClient } from "./join.ts";
import { UnreliableSequence, writeSequence } from "./unreliable-sequence.ts";

/** What all UDP clients of a transport share. */
export interface UDPClientSettings {
  /** Delay of outgoing frames, ms (`simulateLatency`). */
  latencyMs: number;
  limits: SharedLimits;
  batches: FrameBatches;
  /** Takes what players say beside Colyseus' frames, of relays. */
  relaying?: Pick<Relaying, "receive" | "forget"> | undefined;
}

type SendCallback = (error?: Error) => void;

/** `readyState` of a WebSocket, which Colyseus asks for. */
const OPEN = 1;
const CLOSED = 3;

/**
 * The connection behind a {@link UDPClient}, which Colyseus hands from one client object to another when a player reconnects.
 * Emits `message` with each whole frame and, once, `close` with the code.
 */
export class UDPConnection
  extends EventEmitter<{ message: [frame: Buffer]; close: [code: number, reason: string] }>
  implements BatchReceiver
{
  readonly session: Session;
  readonly #settings: UDPClientSettings;
  readonly #sequence = new UnreliableSequence();
  readonly early: EarlyFrames;
  pendingBatch: Batch | null = null;
  readonly #held: HeldBytes;
  #closed = false;

  constructor(session: Session, settings: UDPClientSettings) {
    super();
    this.session = session;
    this.#settings = settings;
    const { budget, maxBufferedBytes, budgetSpentCode } = settings.limits;
    const end = (text: string): void => session.abort(budgetSpentCode, text);
    this.#held = budget.open((bytes) => end(describeFull(budget, bytes)));
    this.early = new EarlyFrames(this.#held, maxBufferedBytes, end);
    session.onMessage = (data, _mode, channel) => {
      if (channel === RELAYING_CHANNEL && settings.relaying) settings.relaying.receive(session, data);
      else this.#receive(data);
    };
    session.onClose = (reason, code, text) => this.#ended(webSocketCloseCode(reason, code), text);
  }

  get readyState(): number {
    return this.session.open ? OPEN : CLOSED;
  }

  send(frame: Uint8Array, mode: SessionMode, callback?: SendCallback): void {
    const { latencyMs } = this.#settings;
    if (latencyMs > 0) {
      // Colyseus reuses the buffers of its patches.
      const copy = new Uint8Array(frame);
      setTimeout(() => this.#send(copy, mode, callback), latencyMs);
    } else {
      this.#send(frame, mode, callback);
    }
  }

  /** `code` as for WebSocket.close(); without one the other side sees 1005, as it does there. */
  close(code: number = CLOSE_NO_STATUS, reason = ""): void {
    this.#settings.batches.flush(this);
    this.session.close(code, reason);
  }

  /** The room hears that the connection was lost; the other side, should it live after all, is told not to come back. */
  supersede(): void {
    this.#ended(CLOSE_ABNORMAL, "superseded by a reconnection");
    this.session.close(CloseCode.WITH_ERROR, "superseded by a reconnection");
  }

  sendBatch(message: Uint8Array): void {
    this.#sendNow(message);
  }

  #send(frame: Uint8Array, mode: SessionMode, callback: SendCallback | undefined): void {
    const sent = mode === "reliable" ? this.#sendReliable(frame) : this.#sendUnreliable(frame);
    if (callback) queueMicrotask(() => callback(sent ? undefined : new Error("The UDP session is closed or full.")));
  }

  #sendReliable(frame: Uint8Array): boolean {
    if (!this.session.open) return false;
    this.#sequence.reliable(frame);
    const { batches } = this.#settings;
    if (batches.push(this, frame)) return true;
    batches.flush(this);
    return this.#sendNow(frame);
  }

  #sendNow(message: Uint8Array): boolean {
    if (this.session.send(message, "reliable")) return true;
    // A frame left out would break the state for good; a client that reconnects gets a whole new one.
    const { maxBufferedBytes, budgetSpentCode } = this.#settings.limits;
    const text = describeQueueFull(this.session.stats.bufferedBytes, message.length, maxBufferedBytes);
    this.session.abort(budgetSpentCode, text);
    return false;
  }

  #sendUnreliable(frame: Uint8Array): boolean {
    // Not before what it may speak of.
    this.#settings.batches.flush(this);
    if (!this.#sequence.concerns(frame)) return this.#sendSomehow(frame);
    // The frame is the room's and goes to everyone: lent for the call, which copies it, and given back as it was.
    const roomSequence = this.#sequence.renumber(frame);
    const sent = this.#sendSomehow(frame);
    writeSequence(frame, roomSequence);
    return sent;
  }

  /** What is too long to be sent unreliably goes reliably, as Colyseus' clients do it. */
  #sendSomehow(frame: Uint8Array): boolean {
    return this.session.send(frame, "unreliable") || this.session.send(frame, "reliable");
  }

  #receive(data: Uint8Array): void {
    const { maxMessageBytes } = this.#settings.limits;
    if (data.length > maxMessageBytes) {
      this.session.abort(
        CLOSE_TOO_BIG,
        `The peer sent a message of ${data.length} bytes, ${maxMessageBytes} are allowed.`,
      );
      return;
    }
    try {
      // A copy: message handlers may keep what they get (binary payloads point into the frame).
      this.emit("message", Buffer.from(data));
    } catch (error) {
      // Neither a malformed frame nor an error in a message handler may end the process.
      debugAndPrintError(error as Error);
      this.session.close(CloseCode.WITH_ERROR, "message could not be handled");
    }
  }

  #ended(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#held.close();
    this.#settings.relaying?.forget(this.session);
    // A task of its own, as a WebSocket's event is (WHATWG WebSockets): code of rooms that goes on in microtasks is done by then.
    setImmediate(() => this.emit("close", code, reason));
  }
}

/** A player over UDP, as a room sees it (Colyseus' transport client). */
export class UDPClient implements JoiningClient {
  declare "~messages": Client["~messages"];
  readonly id: string;
  sessionId: string;
  /** Colyseus puts the connection of a player who came back into the client object that the game may still hold. */
  ref: UDPConnection;
  state: ClientState = ClientState.JOINING;
  reconnectionToken = "";
  _enqueuedMessages: Uint8Array[] = [];
  _joinedAt = 0;

  constructor(sessionId: string, ref: UDPConnection) {
    this.id = sessionId;
    this.sessionId = sessionId;
    this.ref = ref;
  }

  get readyState(): number {
    return this.ref.readyState;
  }

  raw(data: Uint8Array, _options?: ISendOptions, callback?: SendCallback): void {
    this.ref.early.release();
    this.ref.send(data, "reliable", callback);
  }

  rawUnreliable(data: Uint8Array, _options?: ISendOptions, callback?: SendCallback): void {
    this.ref.send(data, "unreliable", callback);
  }

  enqueueRaw(data: Uint8Array, options?: ISendOptions): void {
    this.ref.early.enqueue(this, data, options);
  }

  /** `type` is a string or a number; Colyseus' own declaration of it is wider. */
  send(type: PropertyKey, message?: unknown, options?: ISendOptions): void {
    this.enqueueRaw(getMessageBytes.raw(Protocol.ROOM_DATA, type as string | number, message), options);
  }

  sendBytes(type: string | number, bytes: Uint8Array, options?: ISendOptions): void {
    this.enqueueRaw(getMessageBytes.raw(Protocol.ROOM_DATA_BYTES, type, undefined, bytes), options);
  }

  error(code: number, message = "", callback?: SendCallback): void {
    this.raw(getMessageBytes[Protocol.ERROR](code, message), undefined, callback);
  }

  leave(code?: number, data?: string): void {
    this.ref.close(code, data);
  }

  supersede(): void {
    this.ref.supersede();
  }

  /** @deprecated Colyseus' old name of {@link leave}. */
  close(code?: number, data?: string): void {
    this.leave(code, data);
  }

  toJSON(): { sessionId: string; readyState: number } {
    return { sessionId: this.sessionId, readyState: this.readyState };
  }
}
