import type { NetworkConditions } from "../../channel/line-model.ts";
import type { SendOptions } from "../../channel/wire/types.ts";
import type { Endpoint } from "../../net/endpoint.ts";
import { traceOf } from "../../net/trace.ts";
import { CLOSE_ABNORMAL, CLOSE_NORMAL } from "../../session/close-code.ts";
import type { SessionPathKind, SessionPathPair } from "../../session/path.ts";
import type { CloseReason, Session, SessionMode, SessionStats } from "../../session/types.ts";
import { encodeControl, parseControl } from "../wire/websocket-control.ts";
import type { WebSocketSession } from "./session.ts";

const trace = traceOf("colyseus");

/** What may come over the new session before the old one has brought its last; beyond it somebody breaks the rules. */
const MAX_HELD_BYTES = 8 << 20;
const HELD_MESSAGE_BYTES = 128;
/** How long the old one's last is waited for once the new session has ended, ms. */
const LAST_WORD_MS = 2000;

interface Held {
  data: Uint8Array;
  mode: SessionMode;
  channel: number;
}

interface End {
  reason: CloseReason;
  code: number;
  text: string;
}

/**
 * A player's conversation that begins on a WebSocket and moves to a better session when there is one, as Engine.IO upgrades: the new
 * one is opened beside the old, and each side says `moved` on the WebSocket as the last that it sends there. What comes over the new
 * session before that word is held until it has come, so that nothing is lost, doubled or out of order. Both ends are alike, but that
 * the client begins.
 *
 * Until one side has said it, the new session can be given up at no cost. Between the two words what is lost with either of them is
 * lost for good, and the conversation ends as a lost connection does.
 */
export class MovingSession implements Session {
  readonly clientId = 0n;
  readonly userData: Uint8Array = new Uint8Array(0);
  onMessage: Session["onMessage"] = null;
  onClose: Session["onClose"] = null;
  /** Called also when the conversation has moved. */
  onPath: Session["onPath"] = null;
  /** The server's key: a session that is brought with it is taken for this player's. */
  onUpgrade: ((key: string) => void) | null = null;
  readonly #webSocket: WebSocketSession;
  readonly #later: (work: () => void, ms: number) => void;
  /** Beside the WebSocket. */
  #next: Session | undefined;
  #nextEnd: End | undefined;
  #held: Held[] = [];
  #heldBytes = 0;
  /** We said `moved`: we send over the next. */
  #said = false;
  /** Both have. */
  #moved = false;
  #ended = false;

  /** @param later runs `work` once, later */
  constructor(webSocket: WebSocketSession, later: (work: () => void, ms: number) => void) {
    this.#webSocket = webSocket;
    this.#later = later;
    webSocket.onMessage = (data, mode, channel) => this.onMessage?.(data, mode, channel);
    webSocket.onText = (text) => this.#control(text);
    webSocket.onClose = (reason, code, text) => this.#webSocketClosed({ reason, code, text });
  }

  /** Whether all goes over the WebSocket still. */
  get isWebSocket(): boolean {
    return !this.#said;
  }

  get conditions(): NetworkConditions | null {
    return this.#webSocket.conditions;
  }

  set conditions(conditions: NetworkConditions | null) {
    this.#webSocket.conditions = conditions;
    if (this.#next) this.#next.conditions = conditions;
  }

  get open(): boolean {
    return !this.#ended && this.#current.open;
  }

  get remote(): Endpoint {
    return this.#current.remote;
  }

  get pathKind(): SessionPathKind {
    return this.#current.pathKind;
  }

  get stats(): SessionStats {
    return this.#current.stats;
  }

  get silentMs(): number {
    return this.#current.silentMs;
  }

  pairs(): readonly SessionPathPair[] {
    return this.#current.pairs?.() ?? [];
  }

  send(data: Uint8Array, mode: SessionMode, options?: SendOptions): boolean {
    return !this.#ended && this.#current.send(data, mode, options);
  }

  flush(): void {
    this.#current.flush();
  }

  close(code?: number, reason?: string): void {
    if (this.#ended) return;
    if (!this.#said) {
      this.#webSocket.close(code, reason);
      this.#dropNext();
      return;
    }
    const next = this.#next;
    if (next) next.onClose = null;
    next?.close(code, reason);
    this.#end({ reason: "local", code: code ?? CLOSE_NORMAL, text: reason ?? "" });
  }

  /** A session to this same player, to which the conversation may move. It takes the place of one that was offered before. */
  offer(next: Session): void {
    if (this.#said || !this.open) {
      next.close(CLOSE_NORMAL, "not needed any more");
      return;
    }
    this.#dropNext();
    this.#next = next;
    if (this.conditions) next.conditions = this.conditions;
    next.onMessage = (data, mode, channel) => this.#hold({ data: new Uint8Array(data), mode, channel });
    next.onClose = (reason, code, text) => this.#nextClosed(next, { reason, code, text });
  }

  /** Begins to move. @returns false where there is nothing to move to, or nothing left to move */
  move(): boolean {
    if (this.#said || !this.#next?.open || !this.#webSocket.open || this.#ended) return false;
    this.#say();
    return true;
  }

  get #current(): Session {
    return (this.#said && this.#next) || this.#webSocket;
  }

  #control(text: string): void {
    const [kind, key] = parseControl(text) ?? [];
    if (kind === "upgrade" && key !== undefined) this.onUpgrade?.(key);
    else if (kind === "moved") this.#heard();
  }

  #say(): void {
    this.#webSocket.sendText(encodeControl(["moved"]));
    this.#said = true;
  }

  /** The other side sends no more over the WebSocket. */
  #heard(): void {
    const next = this.#next;
    if (this.#moved || this.#ended) return;
    if (!next || (this.#nextEnd && this.#nextEnd.reason !== "remote")) {
      // What the other side has sent by now went nowhere.
      return this.#broken("there is no session to move to");
    }
    if (!this.#said) this.#say();
    this.#moved = true;
    if (trace.on) trace.event("moved", { remote: next.remote, held: this.#held.length });
    this.#webSocket.onMessage = this.#webSocket.onClose = null;
    this.#webSocket.close(CLOSE_NORMAL, "moved");
    this.onPath?.(next.remote);
    next.onPath = (remote) => this.onPath?.(remote);
    for (const { data, mode, channel } of this.#held.splice(0)) {
      // A handler may have closed.
      if (!this.#ended && (next.open || this.#nextEnd)) this.onMessage?.(data, mode, channel);
    }
    next.onMessage = (data, mode, channel) => this.onMessage?.(data, mode, channel);
    if (this.#nextEnd) this.#end(this.#nextEnd);
  }

  #hold(held: Held): void {
    this.#heldBytes += held.data.length + HELD_MESSAGE_BYTES;
    if (this.#heldBytes > MAX_HELD_BYTES) this.#broken("more came before the move than is kept");
    else this.#held.push(held);
  }

  #nextClosed(next: Session, end: End): void {
    if (next !== this.#next) return;
    if (this.#moved) this.#end(end);
    // Its last words may stand behind what the WebSocket still brings.
    else this.#nextEnd = end;
    if (!this.#moved && this.#said) this.#later(() => this.#end(end), LAST_WORD_MS);
  }

  #webSocketClosed(end: End): void {
    // A WebSocket that was closed with a code has the last word: the other side has not moved then.
    this.#end(this.#nextEnd && this.#said && end.code === CLOSE_ABNORMAL ? this.#nextEnd : end);
  }

  /** Half of a conversation is of no use. */
  #broken(text: string): void {
    if (trace.on) trace.event("move-failed", { reason: text });
    this.#webSocket.close(CLOSE_MAY_TRY_RECONNECT, text);
    this.#dropNext(CLOSE_MAY_TRY_RECONNECT, text);
    this.#end({ reason: "timeout", code: 0, text });
  }

  #dropNext(code: number = CLOSE_NORMAL, text = "not needed any more"): void {
    const next = this.#next;
    this.#next = this.#nextEnd = undefined;
    this.#held = [];
    this.#heldBytes = 0;
    if (next) next.onMessage = next.onClose = null;
    next?.close(code, text);
  }

  #end({ reason, code, text }: End): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#moved) this.#next?.close();
    else this.#dropNext();
    this.#webSocket.close();
    this.onClose?.(reason, code, text);
  }
}

/** Colyseus' code for a connection that may come back. */
const CLOSE_MAY_TRY_RECONNECT = 4010;
