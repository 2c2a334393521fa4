import type { Session } from "../../session/types.ts";
import type { ConnectEndpoint } from "../wire/connect-request.ts";
import type { JoinProgress } from "./path.ts";

/** A way to a room that is tried before WebSocket. */
export interface SessionWay {
  /** As people know it: `UDP`. */
  readonly name: string;
  /** False: not tried. */
  readonly enabled: boolean;
  /** How long the server may stay silent before WebSocket has its turn, ms. */
  readonly timeoutMs: number;
  /** How often it is tried beside a WebSocket. */
  readonly pace: Pace;
  /** A session that has been silent for so long makes the client ask whether the server is still there, ms. */
  readonly silenceMs: number;
  /** Why WebSocket is not tried where `dial` fails, as a sentence. Default: it is tried. */
  readonly noWebSocket?: string | undefined;
  /** What may wait to be sent by it, bytes. */
  readonly queuedBytes: number;
  /**
   * @param roomURL Colyseus' WebSocket address of the seat: `ws://host:port/PREFIX/processId/roomId?sessionId=…`
   * @throws where there is no way; the seat is then still good for WebSocket
   */
  dial(roomURL: URL, options: DialOptions): Promise<Dialed>;
  /**
   * Which run of the server answers now (see wire/instance.ts).
   * @throws ServerGoneError where the server's machine says that nobody listens there; another error says nothing
   */
  askInstance(roomURL: URL, signal: AbortSignal): Promise<string>;
  /** The server's URL for WebSocket, where it may be another than the seat's; asked when `dial` has failed. */
  locateWebSocket?(signal: AbortSignal): Promise<URL>;
  /** What keeps us from a server that does not answer, as a sentence; undefined where nothing is known to. */
  obstacle?(server: URL): Promise<string | undefined>;
}

export interface Pace {
  /** From one try to the next, ms. */
  everyMs: number;
  /** The same after many tries. */
  maxEveryMs: number;
}

export interface DialOptions {
  headers: Readonly<Record<string, string>>;
  /** Gives the attempt up. */
  signal: AbortSignal;
  onProgress: (stage: JoinProgress["stage"], detail?: string) => void;
  /** Nobody waits for it: it may take long, and shall cost little. */
  isPatient?: boolean;
}

/** What goes over a session beside Colyseus' frames, on channels of its own. */
export interface Beside {
  receive(data: Uint8Array, channel: number): void;
  /** The room is left, or the session has ended. Resolves when nobody stands on us any more; never rejects. */
  leaving(): Promise<void>;
}

export interface Dialed {
  session: Session;
  /** What goes over it beside; undefined where nothing does. */
  beside?: Beside | undefined;
  /** The addresses that the server named. */
  endpoints: readonly ConnectEndpoint[];
  /** The run of the server; undefined where it names none. */
  instance: string | undefined;
}

/** This server never has this way. */
export class WayUnavailableError extends Error {
  override readonly name = "WayUnavailableError";
}

/** Nobody listens at the server's port. */
export class ServerGoneError extends Error {
  override readonly name = "ServerGoneError";
}
