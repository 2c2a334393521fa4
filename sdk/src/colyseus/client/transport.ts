import { CloseCode } from "@colyseus/sdk";
import type { ITransport, ITransportEventMap } from "@colyseus/sdk/transport/ITransport";
import type { NetworkConditions } from "../../channel/line-model.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import { messageOf } from "../../net/message-of.ts";
import { traceOf } from "../../net/trace.ts";
import { abortable } from "../../net/wait.ts";
import { CLOSE_ABNORMAL, CLOSE_NO_STATUS, CLOSE_PROTOCOL_ERROR, webSocketCloseCode } from "../../session/close-code.ts";
import type { Session, SessionMode } from "../../session/types.ts";
import { ProtocolMismatchError } from "../../session/versions.ts";
import type { ConnectEndpoint } from "../wire/connect-request.ts";
import { BATCH, readBatch } from "../wire/frame-batch.ts";
import { LinedWebSocket } from "./lined-websocket.ts";
import type { JoinProgress, RoomPath } from "./path.ts";
import { PathHistory } from "./path-history.ts";

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
  /** What keeps us from a server that does not answer, as a sentence; undefined where nothing is known to. */
  obstacle?(server: URL): Promise<string | undefined>;
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
  /** A bad line, from the first connection on. */
  conditions?: NetworkConditions | undefined;
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
  #webSocket: LinedWebSocket | undefined;
  #conditions: NetworkConditions | null;
  #connects = 0;
  /** Where the server was found last, if it has moved. */
  #movedTo: URL | undefined;

  constructor(events: ITransportEventMap, settings: RoomTransportSettings) {
    this.events = events;
    this.#settings = settings;
    this.#conditions = settings.conditions ?? null;
  }

  get conditions(): NetworkConditions | null {
    return this.#conditions;
  }

  /** Holds for the connection that there is and for those after it. */
  set conditions(conditions: NetworkConditions | null) {
    this.#conditions = conditions;
    if (this.#session) this.#session.conditions = conditions;
    if (this.#webSocket) this.#webSocket.conditions = conditions;
  }

  get isOpen(): boolean {
    return this.#session?.open ?? this.#webSocket?.isOpen ?? false;
  }

  get path(): RoomPath {
    return this.#history.describe(this.#session);
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
    if (this.#conditions) session.conditions = this.#conditions;
    let hasState = false;
    const deliver = (data: Uint8Array): boolean => {
      hasState ||= ((data[0] ?? 0) & CODE_MASK) === ROOM_STATE;
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
    let told: Promise<void> | undefined;
    const webSocket = new LinedWebSocket({
      onopen: (event) => {
        this.#moved("websocket", new URL(url).host, reason + meanwhile);
        this.events.onopen?.(event);
      },
      onmessage: (event) => this.events.onmessage?.(event),
      onclose: (event: { code: number; reason: string }) => {
        if (trace.on) trace.event("websocket-closed", { code: event.code, reason: event.reason });
        // A failure is told first, with its reason.
        if (told) void told.then(() => this.events.onclose?.(event));
        else this.events.onclose?.(event);
      },
      onerror: (event: { message?: string }) => {
        if (trace.on) trace.event("way-failed", { way: "WebSocket", reason: event.message || "no connection" });
        told = this.#failed(new URL(url), event.message || "no connection", reason);
      },
    });
    webSocket.conditions = this.#conditions;
    this.#webSocket = webSocket;
    try {
      webSocket.connect(url, headers);
    } catch (error) {
      // A secure page may not even try (mixed content).
      this.#webSocket = undefined;
      void this.#failed(new URL(url), messageOf(error), reason);
    }
  }

  /** Neither way leads there: what stood in the way of WebSocket, and before that of the other. */
  async #failed(server: URL, problem: string, reason: string): Promise<void> {
    const obstacle = await this.#settings.way.obstacle?.(server);
    const why = obstacle === undefined ? "" : `. ${obstacle}`;
    this.events.onerror?.({ code: CLOSE_ABNORMAL, reason: `WebSocket: ${problem}; ${reason}${why}` });
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
