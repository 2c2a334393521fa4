import { CloseCode } from "@colyseus/sdk";
import type { ITransport, ITransportEventMap } from "@colyseus/sdk/transport/ITransport";
import type { NetworkConditions } from "../../channel/line-model.ts";
import { formatEndpoint } from "../../net/endpoint.ts";
import { messageOf } from "../../net/message-of.ts";
import { traceOf } from "../../net/trace.ts";
import { abortable, sleep, whileAwaited } from "../../net/wait.ts";
import { CLOSE_ABNORMAL, CLOSE_NO_STATUS, CLOSE_PROTOCOL_ERROR, webSocketCloseCode } from "../../session/close-code.ts";
import type { Session, SessionMode } from "../../session/types.ts";
import { ProtocolMismatchError } from "../../session/versions.ts";
import type { MovingSession } from "../websocket/moving-session.ts";
import type { ConnectEndpoint } from "../wire/connect-request.ts";
import { BATCH, readBatch } from "../wire/frame-batch.ts";
import { describeQueueFull } from "../wire/traffic-limits.ts";
import { HostWatch } from "./host-watch.ts";
import type { JoinProgress, RoomPath } from "./path.ts";
import { PathHistory } from "./path-history.ts";
import { type Beside, type Dialed, ServerGoneError, type SessionWay, WayUnavailableError } from "./session-way.ts";
import { SocketView } from "./socket-view.ts";
import { upgrade, upgradeURL } from "./upgrade.ts";
import { openWebSocket } from "./websocket.ts";

const trace = traceOf("colyseus");

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

/** Until a host that says nothing to our goodbye is taken for dead, ms. */
const FAREWELL_MS = 1500;
const FAREWELL_SILENCE_MS = 1000;
const FAREWELL_LOOK_MS = 100;
/** A goodbye is answered well before; what takes longer is asked about. */
const FAREWELL_ASK_MS = 300;

/**
 * The way a Colyseus room of the client side sends and receives: a session where one gets through, else WebSocket, from which it moves
 * to a session as soon as one does. One object serves a room for its whole life; each reconnection is another `connect()`.
 */
export class RoomTransport implements ITransport {
  readonly events: ITransportEventMap;
  readonly #settings: RoomTransportSettings;
  readonly #history = new PathHistory();
  #attempt: AbortController | undefined;
  #session: Session | undefined;
  /** Under the session, as long as it is one. */
  #webSocket: MovingSession | undefined;
  #watch: HostWatch | undefined;
  #beside: Beside | undefined;
  #url = "";
  /** Once somebody has asked for it. */
  #view: SocketView | undefined;
  #connects = 0;
  /** Where the server was found last, if it has moved. */
  #movedTo: URL | undefined;
  #isOver = false;
  #conditions: NetworkConditions | null;

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
    const session = this.#session ?? this.#webSocket;
    if (session) session.conditions = conditions;
  }

  get isOpen(): boolean {
    return this.#session?.open ?? false;
  }

  get path(): RoomPath {
    return this.#history.describe(this.#isWebSocket ? undefined : this.#session);
  }

  /** The session as a WebSocket, for tools that look for one here. */
  get ws(): SocketView {
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
    if (this.#isOver) return;
    this.#attempt?.abort();
    this.#watch?.stop();
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
    const session = this.#session;
    if (session && !session.send(data, "reliable") && session.open) {
      // To leave a message out would break the promise of the reliable channel: begin anew instead.
      const { bufferedBytes } = session.stats;
      const text = describeQueueFull(bufferedBytes, data.length, this.#settings.way.queuedBytes);
      session.abort(CloseCode.MAY_TRY_RECONNECT, text);
    }
  }

  sendUnreliable(data: Uint8Array): void {
    // What is too long to be sent unreliably goes reliably.
    void (this.#session?.send(data, "unreliable") || this.#session?.send(data, "reliable"));
  }

  /** The room is about to be left: who stands on us, as a relay, hears of it first. */
  async leaving(): Promise<void> {
    const beside = this.#beside;
    this.#beside = undefined;
    await beside?.leaving();
  }

  close(code?: number, reason?: string): void {
    void this.leaving();
    if (this.#session) this.#session.close(code ?? CLOSE_NO_STATUS, reason);
    else if (this.#webSocket) this.#webSocket.close(code, reason);
    else if (this.#attempt && !this.#attempt.signal.aborted) {
      this.#attempt.abort(new Error("closed"));
      this.#tellClosed(code ?? CLOSE_NO_STATUS, reason ?? "");
    }
  }

  /** For a room that is left: nothing is told any more, and nothing connects again. The host hears of it if it lives. */
  abandon(): void {
    this.#isOver = true;
    void this.leaving();
    this.#attempt?.abort();
    this.#watch?.stop();
    const session = this.#session ?? this.#webSocket;
    if (session) session.onMessage = session.onClose = session.onPath = null;
    session?.close(CloseCode.CONSENTED);
  }

  /**
   * To be asked when the goodbye was sent: the host closes the connection when it has heard it and its room is done.
   * @returns whether the host is dead, as far as a second and a half tells; false once the connection is closed
   */
  isHostDead(): Promise<boolean> {
    return whileAwaited(this.#isHostDead());
  }

  async #isHostDead(): Promise<boolean> {
    const session = this.#session;
    const asking = new AbortController();
    let answer: Promise<"alive" | "gone" | "unknown"> | undefined;
    try {
      for (let waited = 0; isOpen(session); waited += FAREWELL_LOOK_MS) {
        await sleep(FAREWELL_LOOK_MS);
        // A WebSocket says nothing of who is at its other end.
        const { silentMs } = this.#isWebSocket ? { silentMs: Number.POSITIVE_INFINITY } : session;
        if (waited >= FAREWELL_ASK_MS && silentMs >= FAREWELL_ASK_MS) answer ??= this.#ask(asking.signal);
        if (!answer || waited < FAREWELL_MS - FAREWELL_LOOK_MS || silentMs < FAREWELL_SILENCE_MS) continue;
        const said = await Promise.race([answer, sleep(0)]);
        if (said === "gone" || said === undefined || (said === "unknown" && !this.#isWebSocket)) return true;
        answer = undefined;
        waited = 0;
      }
      return false;
    } finally {
      asking.abort();
    }
  }

  async #ask(signal: AbortSignal): Promise<"alive" | "gone" | "unknown"> {
    try {
      await this.#settings.way.askInstance(new URL(this.#url), signal);
      return "alive";
    } catch (error) {
      return error instanceof ServerGoneError ? "gone" : "unknown";
    }
  }

  get #isWebSocket(): boolean {
    return this.#webSocket?.isWebSocket === true && this.#session === this.#webSocket;
  }

  async #connect(
    original: string,
    headers: Record<string, string>,
    attempt: AbortController,
    isReconnection: boolean,
  ): Promise<void> {
    const url = isReconnection ? await this.#locate(original, attempt.signal) : original;
    this.#url = url;
    const { way, onProgress } = this.#settings;
    const { signal } = attempt;
    const begun = performance.now();
    let reason = `${way.name} is switched off`;
    let isOutdated = false;
    let mayComeLater = way.enabled;
    if (way.enabled) {
      if (trace.on) trace.event("way-tried", { way: way.name, timeoutMs: way.timeoutMs, isReconnection });
      try {
        const dialed = await way.dial(new URL(url), { headers, signal, onProgress });
        if (signal.aborted) dialed.session.close();
        else this.#adoptDialed(dialed);
        return;
      } catch (error) {
        reason = `${way.name}: ${messageOf(error)}`;
        isOutdated = error instanceof ProtocolMismatchError;
        mayComeLater = !isOutdated && !(error instanceof WayUnavailableError);
        if (trace.on) trace.event("way-failed", { way: way.name, reason, ms: performance.now() - begun });
      }
    }
    if (way.noWebSocket !== undefined) {
      if (signal.aborted) return;
      this.events.onerror?.({ code: CLOSE_ABNORMAL, reason: `${reason}. ${way.noWebSocket}` });
      return this.#tellClosed(CLOSE_ABNORMAL, reason);
    }
    const fallback = way.locateWebSocket
      ? await way.locateWebSocket(signal).then(
          (server) => moveTo(url, server),
          () => url,
        )
      : url;
    const meanwhile = isOutdated ? "; playing over WebSocket meanwhile" : "";
    if (!signal.aborted) this.#connectWebSocket(fallback, headers, { reason, meanwhile, mayComeLater, signal });
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

  #adoptDialed({ session, endpoints, instance, beside }: Dialed): void {
    this.#beside = beside;
    this.#adopt(session);
    this.#moved(kindOf(session, endpoints), formatEndpoint(session.remote), `${this.#settings.way.name} gets through`);
    session.onPath = (remote) => this.#moved(session.pathKind, formatEndpoint(remote), "the path has changed");
    this.#watchHost(session, instance);
    this.events.onopen?.({});
  }

  #adopt(session: Session): void {
    this.#session = session;
    if (this.#conditions) session.conditions = this.#conditions;
    let hasState = false;
    const deliver = (data: Uint8Array): boolean => {
      hasState ||= ((data[0] ?? 0) & CODE_MASK) === ROOM_STATE;
      this.#view?.received(data);
      this.events.onmessage?.({ data });
      // A handler may have left.
      return session.open;
    };
    session.onMessage = (data: Uint8Array, mode: SessionMode, channel: number) => {
      if (channel !== 0) return this.#beside?.receive(data, channel);
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
      this.#watch?.stop();
      void this.leaving();
      this.#tellClosed(webSocketCloseCode(reason, code), text);
    };
  }

  /** A task of its own, as a WebSocket's event is (WHATWG WebSockets): whoever closes goes on first. */
  #tellClosed(code: number, reason: string): void {
    setTimeout(() => {
      if (!this.#isOver) this.events.onclose?.({ code, reason });
    }, 0);
  }

  #watchHost(session: Session, instance: string | undefined): void {
    const { way } = this.#settings;
    const url = new URL(this.#url);
    if (instance === undefined) return;
    this.#watch = new HostWatch({
      session,
      instance,
      silenceMs: way.silenceMs,
      ask: (signal) => way.askInstance(url, signal),
      onGone: (reason) => {
        session.onMessage = session.onClose = session.onPath = null;
        void this.leaving();
        session.close();
        this.#tellClosed(CLOSE_ABNORMAL, reason);
      },
    });
  }

  #connectWebSocket(
    url: string,
    headers: Record<string, string>,
    { reason, meanwhile, mayComeLater, signal }: Fallback,
  ): void {
    const { onProgress } = this.#settings;
    onProgress("websocket", reason);
    // The path names the seat.
    if (trace.on) trace.event("way-tried", { way: "WebSocket", server: new URL(url).host, because: reason });
    // A failure is told first, with its reason, and then that it is closed.
    let told: Promise<void> | undefined;
    const failed = (problem: string): void => {
      if (trace.on) trace.event("way-failed", { way: "WebSocket", reason: problem });
      told = this.#tellFailed(new URL(url), problem, reason);
    };
    try {
      const opened = openWebSocket(mayComeLater ? upgradeURL(url) : url, headers, {
        onOpen: () => {
          this.#adopt(opened);
          this.#moved("websocket", new URL(url).host, reason + meanwhile);
          this.events.onopen?.({});
        },
        onError: (problem) => failed(problem || "no connection"),
      });
      this.#webSocket = opened;
      opened.onClose = (_reason, code, text) => {
        if (told) void told.then(() => this.#tellClosed(code, text));
        else this.#tellClosed(code, text);
      };
      opened.onUpgrade = (key) => void this.#upgrade(opened, upgradeURL(url, key), headers, signal);
    } catch (error) {
      // A secure page may not even try (mixed content).
      failed(messageOf(error));
    }
  }

  /** Neither way leads there: what stood in the way of WebSocket, and before that of the other. */
  async #tellFailed(server: URL, problem: string, reason: string): Promise<void> {
    const obstacle = await this.#settings.way.obstacle?.(server);
    const why = obstacle === undefined ? "" : `. ${obstacle}`;
    this.events.onerror?.({ code: CLOSE_ABNORMAL, reason: `WebSocket: ${problem}; ${reason}${why}` });
  }

  /** Goes on until the way that failed is there, or the connection is over. */
  async #upgrade(
    session: MovingSession,
    roomURL: string,
    headers: Record<string, string>,
    signal: AbortSignal,
  ): Promise<void> {
    const { way } = this.#settings;
    let endpoints: readonly ConnectEndpoint[] = [];
    let isNews = true;
    session.onPath = (remote) => {
      const reason = isNews ? `${way.name} gets through again` : "the path has changed";
      isNews = false;
      this.#moved(kindOf(session, endpoints), formatEndpoint(remote), reason);
    };
    const onDialed = (dialed: Dialed): void => {
      ({ endpoints } = dialed);
      this.#beside = dialed.beside;
    };
    const dialed = await upgrade({ way, roomURL: new URL(roomURL), headers, session, signal, onDialed });
    if (dialed && session.open) this.#watchHost(session, dialed.instance);
  }

  #moved(kind: RoomPath["kind"], remote: string, reason: string): void {
    const detour = this.#settings.detour?.() ?? "";
    if (trace.on) trace.event("path", { kind, remote, reason, detour: detour || undefined });
    this.#history.moved({ kind, remote, reason: detour ? `${reason}; ${detour}` : reason, since: Date.now() });
    this.#settings.onPathChange();
  }
}

/** Why it is WebSocket. */
interface Fallback {
  reason: string;
  /** What is to be said once it is open. */
  meanwhile: string;
  /** The way that failed may be tried again. */
  mayComeLater: boolean;
  signal: AbortSignal;
}

function isOpen(session: Session | undefined): session is Session {
  return session?.open === true;
}

function kindOf({ remote, pathKind }: Session, endpoints: readonly ConnectEndpoint[]): RoomPath["kind"] {
  const { address, port } = remote;
  const isRelay = endpoints.some(
    (known) => known.kind === "relayed" && known.address === address && known.port === port,
  );
  return isRelay ? "relayed" : pathKind;
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
