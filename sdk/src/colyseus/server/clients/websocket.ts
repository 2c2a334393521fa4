import type { IncomingMessage } from "node:http";
import {
  type AuthContext,
  CloseCode,
  createAuthContext,
  debugAndPrintError,
  type ISendOptions,
  Protocol,
} from "@colyseus/core";
import { WebSocketClient, WebSocketTransport } from "@colyseus/ws-transport";
import type { NetworkConditions } from "../../../channel/line-model.ts";
import { type Endpoint, formatEndpoint, normalizeAddress } from "../../../net/endpoint.ts";
import { MessageLine } from "../../../session/message-line.ts";
import { MovingSession } from "../../websocket/moving-session.ts";
import { WebSocketSession } from "../../websocket/session.ts";
import { CONTROL_PARAMETER, CONTROL_PROTOCOL, encodeControl } from "../../wire/websocket-control.ts";
import type { Admission } from "../admission/admission.ts";
import { setPlayerRef } from "../admission/player-sockets.ts";
import type { Upgrades } from "../admission/upgrades.ts";
import { callerOfRequest } from "../entrances/client-address.ts";
import type { Players } from "../observability/players.ts";
import { joinRoom } from "./join.ts";
import { UDPClient, type UDPClientSettings, UDPConnection } from "./udp-client.ts";
import { UnreliableSequence } from "./unreliable-sequence.ts";
import { WebSocketMemory } from "./websocket-memory.ts";

type RawWebSocket = WebSocketClient["ref"] & { pingCount: number; memory?: WebSocketMemory };
type SendCallback = (error?: Error) => void;

/** Fields marked unreliable reach a WebSocket player too, by the one way there is. */
export class FallbackWebSocketClient extends WebSocketClient {
  readonly #sequence = new UnreliableSequence();
  /** A bad line for what is sent, if any. */
  line: MessageLine | undefined;

  override raw(data: Uint8Array, options?: ISendOptions, callback?: SendCallback): void {
    this.#sequence.reliable(data);
    this.#send(data, options, callback);
  }

  override enqueueRaw(data: Uint8Array, options?: ISendOptions): void {
    const { memory } = this.ref as RawWebSocket;
    if (memory) memory.early.enqueue(this, data, options);
    else super.enqueueRaw(data, options);
  }

  /** Its presence is how Colyseus knows that a client gets unreliable fields at all. */
  rawUnreliable(data: Uint8Array, options?: ISendOptions, callback?: SendCallback): void {
    if (!this.#sequence.concerns(data)) return this.#send(data, options, callback);
    // `ws` keeps what it cannot write at once, and Colyseus reuses the buffers of its patches.
    const copy = Buffer.from(data);
    this.#sequence.renumber(copy);
    this.#send(copy, options, callback);
  }

  #send(data: Uint8Array, options?: ISendOptions, callback?: SendCallback): void {
    // Colyseus gives a client who comes back another connection.
    const { memory } = this.ref as RawWebSocket;
    memory?.early.release();
    if (memory?.admits(data.length) === false) {
      callback?.(new Error("The WebSocket is full."));
      return;
    }
    const send = (frame: Uint8Array): void => {
      super.raw(frame, options, callback);
      memory?.onSent();
    };
    if (!this.line) return send(data);
    const copy = Buffer.from(data);
    this.line.send(data.length, () => send(copy));
  }

  supersede(): void {
    this.ref.terminate();
  }
}

/** What a transport keeps about its players. */
export interface WebSocketRegister {
  players: Players;
  admission: Admission;
  trustProxy: boolean;
  /** Those who may leave their WebSocket for a session. */
  upgrades: Upgrades;
  /** With the limits that hold for a WebSocket too. */
  clients: UDPClientSettings;
  /** A bad line to every player, if any. */
  conditions: NetworkConditions | undefined;
}

/** Who is connected, and who guesses seats, by the WebSocket server that they came to. */
const registers = new WeakMap<object, WebSocketRegister>();
const TIMERS = { now: () => performance.now(), later: (work: () => void, ms: number) => void setTimeout(work, ms) };

/** Colyseus' WebSocket transport with {@link FallbackWebSocketClient}s. */
export class FallbackWebSocketTransport extends WebSocketTransport {
  /**
   * Registers every later connection with `players`, counts at `admission` those with a seat and those without, and holds all to the limits
   * of `clients`.
   */
  registerWith(register: WebSocketRegister): void {
    registers.set(this.wss, register);
  }

  /** Called with the WebSocket server as `this`. The same as Colyseus' own but for the kind of client. */
  protected override async onConnection(
    socket: RawWebSocket,
    request: IncomingMessage,
    upgrade?: { url: URL; context: AuthContext },
  ): Promise<void> {
    socket.on("error", () => {});
    const register = registers.get(this);
    const { admission, trustProxy = false } = register ?? {};
    const memory = register && new WebSocketMemory(socket, request.socket, register.clients.limits);
    if (memory) socket.memory = memory;
    socket.on("pong", () => {
      if (socket.pingCount > 0) memory?.onPong();
      socket.pingCount = 0;
    });
    socket.pingCount = 0;

    const url = upgrade?.url ?? new URL(`ws://server${request.url ?? "/"}`);
    const sessionId = url.searchParams.get("sessionId");
    const roomId = /\/[\w-]+\/([\w-]+)$/.exec(url.pathname)?.[1];
    if (!sessionId && !roomId) {
      answerPings(socket);
      return;
    }
    const context =
      upgrade?.context ??
      createAuthContext({
        headers: request.headers as Record<string, string | undefined>,
        token: url.searchParams.get("_authToken"),
        ...(request.socket.remoteAddress === undefined ? {} : { remoteAddress: request.socket.remoteAddress }),
      });
    const caller = callerOfRequest(request, trustProxy);
    const { remoteAddress: address = "", remotePort: port = 0 } = request.socket;
    const who = {
      roomId: roomId ?? "",
      sessionId: sessionId ?? "",
      remote: { address: normalizeAddress(address), port },
    };
    const mayMove = url.searchParams.get(CONTROL_PARAMETER) === CONTROL_PROTOCOL;
    const client = register && mayMove ? movingClient(socket, who, register) : plainClient(socket, who, register);
    const reconnectionToken = url.searchParams.get("reconnectionToken") ?? "";
    const skipHandshake = url.searchParams.has("skipHandshake");
    const options = { reconnectionToken, skipHandshake, admission, caller };
    const hadSeat = await joinRoom(who.roomId, client, context, options);
    // Counted here, held up elsewhere: others behind the same address shall have one way in.
    if (!hadSeat && reconnectionToken === "") admission?.requests.guessed(caller, performance.now());
  }
}

interface WebSocketPlayer {
  roomId: string;
  sessionId: string;
  remote: Endpoint;
}

function plainClient(
  socket: RawWebSocket,
  { roomId, sessionId, remote }: WebSocketPlayer,
  register: WebSocketRegister | undefined,
): FallbackWebSocketClient {
  guardHandlers(socket);
  register?.players.add(socket, { roomId, sessionId, remote: formatEndpoint(remote) });
  const client = new FallbackWebSocketClient(sessionId, socket);
  if (register?.conditions) client.line = new MessageLine(register.conditions, TIMERS);
  return client;
}

/** A client of Sallyport's own, who comes back to UDP or WebRTC when that gets through. */
function movingClient(
  socket: RawWebSocket,
  { roomId, sessionId, remote }: WebSocketPlayer,
  { players, upgrades, clients, conditions }: WebSocketRegister,
): UDPClient {
  const webSocket = new WebSocketSession(
    {
      get isOpen() {
        return socket.readyState === socket.OPEN;
      },
      admits: (bytes) => socket.memory?.admits(bytes) ?? true,
      send(data) {
        socket.send(data);
        socket.memory?.onSent();
      },
      close: (code, reason) => socket.close(code, reason),
    },
    remote,
  );
  const session = new MovingSession(webSocket, (work, ms) => void setTimeout(work, ms).unref(), clients.limits);
  if (conditions) session.conditions = conditions;
  const connection = new UDPConnection(session, clients);
  setPlayerRef(socket, connection);
  const key = upgrades.add(session, { roomId, sessionId });
  socket.on("message", (data: Buffer, isBinary: boolean) => webSocket.receive(isBinary ? data : data.toString()));
  socket.once("close", (code: number, reason: Buffer) => {
    upgrades.remove(key);
    webSocket.ended(code, reason.toString());
  });
  webSocket.sendText(encodeControl(["upgrade", key]));
  players.add(connection, { roomId, sessionId, session });
  return new UDPClient(sessionId, connection);
}

/** Neither a malformed frame nor an error in a message handler may end the process. */
function guardHandlers(socket: RawWebSocket): void {
  const emit = socket.emit.bind(socket) as (event: string | symbol, ...parameters: unknown[]) => boolean;
  socket.emit = (event: string | symbol, ...parameters: unknown[]): boolean => {
    try {
      return emit(event, ...parameters);
    } catch (error) {
      if (event !== "message") throw error;
      debugAndPrintError(error as Error);
      socket.close(CloseCode.WITH_ERROR, "message could not be handled");
      return true;
    }
  };
}

/** `client.getLatency()`: a connection without a room echoes pings, and goes when none comes for a second. */
function answerPings(socket: RawWebSocket): void {
  const timeout = setTimeout(() => socket.close(CloseCode.NORMAL_CLOSURE), 1000);
  socket.on("message", () => socket.send(new Uint8Array([Protocol.PING])));
  socket.on("close", () => clearTimeout(timeout));
}
