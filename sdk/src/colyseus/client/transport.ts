import { CloseCode } from "@colyseus/sdk";
import type { ITransport, ITransportEventMap } from "@colyseus/sdk/transport/ITransport";
import { WebSocketTransport } from "@colyseus/sdk/transport/WebSocketTransport";
import { formatEndpoint } from "../../net/endpoint.ts";
import { messageOf } from "../../net/message-of.ts";
import { traceOf } from "../../net/trace.ts";
import { abortable } from "../../net/wait.ts";
import { CLOSE_ABNORMAL, CLOSE_NO_STATUS, CLOSE_PROTOCOL_ERROR, webSocketCloseCode } from "../../session/close-code.ts";
import type { Session, SessionMode } from "../../session/types.ts";
import { ProtocolMismatchError } from "../../session/versions.ts";
import type { ConnectEndpoint } from "../wire/connect-request.ts";
import { BATCH, readBatch } from "../wire/frame-batch.ts";
import type { JoinProgress, RoomPath } from "./path.ts";
import { PathHistory } from "./path-history.ts";
import { SocketView } from "./socket-view.ts";

const trace = traceOf("colyseus");

/** A way to a room that is tried before WebSocket. */
export interface SessionWay {
  /** As people know it: `UDP`. */
  readonly name: string;
  /** False: not tried. */
  readonly enabled: boolean;
  /** How long the server may stay silent before WebSocket has its turn, ms. */
  readonly timeoutMs: number;
  /**
   * @param roomURL Colyseus' WebSocket address of the seat: `ws://host:port/PREFIX/processId/roomId?sessionId=…`
   * @throws where there is no way; the seat is then still good for WebSocket
   */
  dial(roomURL: URL, options: DialOptions): Promise<{ session: Session; endpoints: readonly ConnectEndpoint[] }>;
  /** The server's URL for WebSocket, where it may be another than the seat's; asked when `dial` has failed. */
  locateWebSocket?(signal: AbortSignal): Promise<URL>;
}

export interface DialOptions {
  headers: Readonly<Record<string, string>>;
  /** Gives the attempt up. */
  signal: AbortSignal;
  onProgress: (stage: JoinProgress["stage"], detail?: string) => void;
}

export interface RoomTransportSettings {
  way: SessionWay;
  /** The server's present URL, asked before each reconnection. */
  resolve?: (() => Promise<URL>) | undefined;
  /** Why the server is not at the address that was asked for; empty where it is. */
  detour?: (() => string) | undefined;
  onProgress: (stage: JoinProgress["stage"], detail?: string) => void;
  onPathChange: () => void;
}

const CODE_MASK = 0x1f;
const ROOM_STATE = 14;
const UNRELIABLE_PATCH = 0x4f;

/**
 * The way a Colyseus room of the client side sends and receives: a session where one gets through, else WebSocket. One object serves a
 * room for its whole life; each reconnection is another `connect()`.
 */
export class RoomTransport implements ITransport {
  readonly events: ITransportEventMap;
  readonly #settings: RoomTransportSettings;
  readonly #history = new PathHistory();
  #attempt: AbortController | undefined;
  #session: Session | undefined;
  #webSocket: WebSocketTransport | undefined;
  /** Once somebody has asked for it. */
  #view: SocketView | undefined;
  #connects = 0;
  /** Where the server was found last, if it has moved. */
  #movedTo: URL | undefined;

  constructor(events: ITransportEventMap, settings: RoomTransportSettings) {
    this.events = events;
    this.#settings = settings;
  }

  get isOpen(): boolean {
    return this.#session?.open ?? this.#webSocket?.isOpen ?? false;
  }

  get path(): RoomPath {
    return this.#history.describe(this.#session);
  }

  /** The WebSocket, where there is one; else the session in its place, for tools that look for one here. */
  get ws(): unknown {
    if (this.#webSocket) return this.#webSocket.ws;
    const isOpen = (): boolean => this.isOpen;
    this.#view ??= new SocketView({
      get isOpen() {
        return isOpen();
      },
      send: (data) => this.#send(data),
      close: (code, reason) => this.close(code, reason),
    });
    return this.#view;
  }

  connect(url: string, headers?: Record<string, string>): void {
    this.#attempt?.abort();
    this.#session = undefined;
    this.#webSocket = undefined;
    const attempt = new AbortController();
    this.#attempt = attempt;
    void this.#connect(url, headers ?? {}, attempt, this.#connects++ > 0);
  }

  send(data: Uint8Array): void {
    if (this.#view && this.#session) this.#view.send(data);
    else this.#send(data);
  }

  #send(data: Uint8Array): void {
    if (!this.#session) this.#webSocket?.send(data);
    else if (!this.#session.send(data, "reliable") && this.#session.open) {
      // To leave a message out would break the promise of the reliable channel: begin anew instead.
      this.#session.close(CloseCode.MAY_TRY_RECONNECT, "more waits to be sent than the session keeps");
    }
  }

  sendUnreliable(data: Uint8Array): void {
    // What is too long to be sent unreliably goes reliably.
    if (this.#session) void (this.#session.send(data, "unreliable") || this.#session.send(data, "reliable"));
    // Not its sendUnreliable, which warns about the very fallback that was asked for.
    else this.#webSocket?.send(data);
  }

  close(code?: number, reason?: string): void {
    if (this.#session) this.#session.close(code ?? CLOSE_NO_STATUS, reason);
    else if (this.#webSocket) this.#webSocket.close(code, reason);
    else if (this.#attempt && !this.#attempt.signal.aborted) {
      this.#attempt.abort(new Error("closed"));
      queueMicrotask(() => this.events.onclose?.({ code: code ?? CLOSE_NO_STATUS, reason: reason ?? "" }));
    }
  }

  async #connect(
    original: string,
    headers: Record<string, string>,
    attempt: AbortController,
    isReconnection: boolean,
  ): Promise<void> {
    const url = isReconnection ? await this.#locate(original, attempt.signal) : original;
    const { way, onProgress } = this.#settings;
    const { signal } = attempt;
    const begun = performance.now();
    let reason = `${way.name} is switched off`;
    let isOutdated = false;
    if (way.enabled) {
      if (trace.on) trace.event("way-tried", { way: way.name, timeoutMs: way.timeoutMs, isReconnection });
      try {
        const { session, endpoints } = await way.dial(new URL(url), { headers, signal, onProgress });
        if (signal.aborted) session.close();
        else this.#adoptSession(session, endpoints);
        return;
      } catch (error) {
        reason = `${way.name}: ${messageOf(error)}`;
        isOutdated = error instanceof ProtocolMismatchError;
        if (trace.on) trace.event("way-failed", { way: way.name, reason, ms: performance.now() - begun });
      }
    }
    const fallback = way.locateWebSocket
      ? await way.locateWebSocket(signal).then(
          (server) => moveTo(url, server),
          () => url,
        )
      : url;
    const meanwhile = isOutdated ? "; playing over WebSocket meanwhile" : "";
    if (!signal.aborted) this.#connectWebSocket(fallback, headers, reason, meanwhile);
  }

  /** The room's URL at the server's present address. */
  async #locate(original: string, signal: AbortSignal): Promise<string> {
    const { resolve, way } = this.#settings;
    if (!resolve) return original;
    try {
      this.#movedTo = await abortable(resolve(), AbortSignal.any([signal, AbortSignal.timeout(way.timeoutMs)]));
    } catch {
      // Nobody knows better: the address of last time it is.
    }
    return this.#movedTo ? moveTo(original, this.#movedTo) : original;
  }

  #adoptSession(session: Session, endpoints: readonly ConnectEndpoint[]): void {
    this.#session = session;
    let hasState = false;
    const deliver = (data: Uint8Array): boolean => {
      hasState ||= ((data[0] ?? 0) & CODE_MASK) === ROOM_STATE;
      this.#view?.received(data);
      this.events.onmessage?.({ data });
      // A handler may have left.
      return session.open;
    };
    session.onMessage = (data: Uint8Array, mode: SessionMode) => {
      const [first] = data;
      if (mode === "reliable") {
        if (first !== BATCH) deliver(data);
        else if (!readBatch(data, deliver)) session.close(CLOSE_PROTOCOL_ERROR, "malformed batch of frames");
      } else if (first !== UNRELIABLE_PATCH || hasState) {
        // A patch that overtook the full state would speak of things that the client does not know yet.
        this.#view?.received(data);
        this.events.onmessage?.({ data });
      }
    };
    session.onClose = (reason, code, text) => {
      this.events.onclose?.({ code: webSocketCloseCode(reason, code), reason: text });
    };
    const { address, port } = session.remote;
    const relayed = endpoints.some(
      (known) => known.kind === "relayed" && known.address === address && known.port === port,
    );
    this.#moved(
      relayed ? "relayed" : session.pathKind,
      formatEndpoint(session.remote),
      `${this.#settings.way.name} gets through`,
    );
    session.onPath = (remote) => this.#moved(session.pathKind, formatEndpoint(remote), "the path has changed");
    this.events.onopen?.({});
  }

  /** @param meanwhile what is to be said once it is open */
  #connectWebSocket(url: string, headers: Record<string, string>, reason: string, meanwhile: string): void {
    const { onProgress } = this.#settings;
    onProgress("websocket", reason);
    // The path names the seat.
    if (trace.on) trace.event("way-tried", { way: "WebSocket", server: new URL(url).host, because: reason });
    const webSocket = new WebSocketTransport({
      onopen: (event) => {
        this.#moved("websocket", new URL(url).host, reason + meanwhile);
        this.events.onopen?.(event);
      },
      onmessage: (event) => this.events.onmessage?.(event),
      onclose: (event) => {
        if (trace.on) trace.event("websocket-closed", { code: event.code, reason: event.reason });
        this.events.onclose?.(event);
      },
      onerror: (event: { message?: string }) => {
        const problem = `WebSocket: ${event.message || "no connection"}; ${reason}`;
        if (trace.on) trace.event("way-failed", { way: "WebSocket", reason: event.message || "no connection" });
        this.events.onerror?.({ code: CLOSE_ABNORMAL, reason: problem });
      },
    });
    this.#webSocket = webSocket;
    try {
      webSocket.connect(url, headers);
    } catch (error) {
      // A secure page may not even try (mixed content).
      const problem = `WebSocket: ${messageOf(error)}; ${reason}`;
      this.#webSocket = undefined;
      this.events.onerror?.({ code: CLOSE_ABNORMAL, reason: problem });
    }
  }

  #moved(kind: RoomPath["kind"], remote: string, reason: string): void {
    const detour = this.#settings.detour?.() ?? "";
    if (trace.on) trace.event("path", { kind, remote, reason, detour: detour || undefined });
    this.#history.moved({ kind, remote, reason: detour ? `${reason}; ${detour}` : reason, since: Date.now() });
    this.#settings.onPathChange();
  }
}

/** `…/processId/roomId?…` of a room's URL, behind another server's address. */
function moveTo(roomURL: string, server: URL): string {
  const moved = new URL(roomURL);
  const secure = server.protocol === "https:" || server.protocol === "wss:";
  moved.protocol = secure ? "wss:" : "ws:";
  moved.hostname = server.hostname;
  moved.port = server.port;
  moved.pathname =
    server.pathname.replace(/\/+$/, "") +
    moved.pathname
      .split("/")
      .slice(-2)
      .map((part) => `/${part}`)
      .join("");
  return moved.href;
}
