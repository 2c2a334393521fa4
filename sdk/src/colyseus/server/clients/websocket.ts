import type { IncomingMessage } from "node:http";
import { type AuthContext, CloseCode, createAuthContext, type ISendOptions, Protocol } from "@colyseus/core";
import { WebSocketClient, WebSocketTransport } from "@colyseus/ws-transport";
import { formatEndpoint, normalizeAddress } from "../../../net/endpoint.ts";
import type { Admission } from "../admission/admission.ts";
import { callerOfRequest } from "../entrances/client-address.ts";
import type { Players } from "../observability/players.ts";
import { joinRoom } from "./join.ts";
import { UnreliableSequence } from "./unreliable-sequence.ts";

type RawWebSocket = WebSocketClient["ref"] & { pingCount: number };
type SendCallback = (error?: Error) => void;

/** Fields marked unreliable reach a WebSocket player too, by the one way there is. */
export class FallbackWebSocketClient extends WebSocketClient {
  readonly #sequence = new UnreliableSequence();

  override raw(data: Uint8Array, options?: ISendOptions, callback?: SendCallback): void {
    this.#sequence.reliable(data);
    super.raw(data, options, callback);
  }

  /** Its presence is how Colyseus knows that a client gets unreliable fields at all. */
  rawUnreliable(data: Uint8Array, options?: ISendOptions, callback?: SendCallback): void {
    if (!this.#sequence.concerns(data)) return super.raw(data, options, callback);
    // `ws` keeps what it cannot write at once, and Colyseus reuses the buffers of its patches.
    const copy = Buffer.from(data);
    this.#sequence.renumber(copy);
    super.raw(copy, options, callback);
  }

  supersede(): void {
    this.ref.terminate();
  }
}

interface Register {
  players: Players;
  admission: Admission;
  trustProxy: boolean;
}

/** Who is connected, and who guesses seats, by the WebSocket server that they came to. */
const registers = new WeakMap<object, Register>();

/** Colyseus' WebSocket transport with {@link FallbackWebSocketClient}s. */
export class FallbackWebSocketTransport extends WebSocketTransport {
  /** Registers every later connection with `players`, and counts at `admission` those with a seat and those without. */
  registerWith(register: Register): void {
    registers.set(this.wss, register);
  }

  /** Called with the WebSocket server as `this`. The same as Colyseus' own but for the kind of client. */
  protected override async onConnection(
    socket: RawWebSocket,
    request: IncomingMessage,
    upgrade?: { url: URL; context: AuthContext },
  ): Promise<void> {
    socket.on("error", () => {});
    socket.on("pong", () => {
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
    const { players, admission, trustProxy = false } = registers.get(this) ?? {};
    const caller = callerOfRequest(request, trustProxy);
    const client = new FallbackWebSocketClient(sessionId ?? "", socket);
    const { remoteAddress: address = "", remotePort: port = 0 } = request.socket;
    const remote = formatEndpoint({ address: normalizeAddress(address), port });
    players?.add(socket, { roomId: roomId ?? "", sessionId: sessionId ?? "", remote });
    const reconnectionToken = url.searchParams.get("reconnectionToken") ?? "";
    const skipHandshake = url.searchParams.has("skipHandshake");
    const options = { reconnectionToken, skipHandshake, admission, caller };
    const hadSeat = await joinRoom(roomId ?? "", client, context, options);
    // Counted here, held up elsewhere: others behind the same address shall have one way in.
    if (!hadSeat && reconnectionToken === "") admission?.requests.guessed(caller, performance.now());
  }
}

/** `client.getLatency()`: a connection without a room echoes pings, and goes when none comes for a second. */
function answerPings(socket: RawWebSocket): void {
  const timeout = setTimeout(() => socket.close(CloseCode.NORMAL_CLOSURE), 1000);
  socket.on("message", () => socket.send(new Uint8Array([Protocol.PING])));
  socket.on("close", () => clearTimeout(timeout));
}
