import { MovingSession } from "../../../../sdk/src/colyseus/websocket/moving-session.ts";
import { type WebSocketPort, WebSocketSession } from "../../../../sdk/src/colyseus/websocket/session.ts";
import type { Session } from "../../../../sdk/src/session/types.ts";
import { FakeSession } from "../server/fake-session.ts";

type Delay = () => number;

/** One end of a WebSocket within the process: in order, each message late by as many steps as `delay` says. */
export class FakeWebSocket implements WebSocketPort {
  isOpen = true;
  peer: FakeWebSocket | undefined;
  session: WebSocketSession | undefined;
  readonly #net: Net;
  readonly #delay: Delay;
  #lastAt = 0;

  constructor(net: Net, delay: Delay) {
    this.#net = net;
    this.#delay = delay;
  }

  send(data: Uint8Array | string): void {
    const copy = typeof data === "string" ? data : data.slice();
    this.#deliver(() => this.peer?.isOpen && this.peer.session?.receive(copy));
  }

  close(code = 1005, reason = ""): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#deliver(() => this.peer?.closedByPeer(code, reason));
  }

  closedByPeer(code: number, reason: string): void {
    const wasOpen = this.isOpen;
    this.isOpen = false;
    this.session?.ended(code, reason);
    if (wasOpen) this.#deliver(() => this.peer?.session?.ended(code, reason));
  }

  /** The TCP connection breaks: neither side hears the rest. */
  cut(): void {
    for (const end of [this, this.peer]) {
      if (!end?.isOpen) continue;
      end.isOpen = false;
      this.#net.after(1, () => end.session?.ended(1006, ""));
    }
  }

  #deliver(work: () => unknown): void {
    this.#lastAt = Math.max(this.#lastAt, this.#net.now + this.#delay());
    this.#net.at(this.#lastAt, work);
  }
}

/** Time in steps. */
export class Net {
  now = 0;
  readonly #queue: { at: number; order: number; work: () => unknown }[] = [];
  #order = 0;

  at(at: number, work: () => unknown): void {
    this.#queue.push({ at, order: this.#order++, work });
  }

  after(steps: number, work: () => unknown): void {
    this.at(this.now + steps, work);
  }

  /** Until nothing is on its way any more. */
  run(): void {
    for (;;) {
      this.#queue.sort((a, b) => a.at - b.at || a.order - b.order);
      const next = this.#queue.shift();
      if (!next) return;
      this.now = Math.max(this.now, next.at);
      next.work();
    }
  }
}

/** As FakeSession, on the simulator's time. */
class SimulatedSession extends FakeSession {
  readonly #net: Net;
  readonly #delay: Delay;
  #lastAt = 0;

  constructor(net: Net, delay: Delay) {
    super(0n, new Uint8Array(0));
    this.#net = net;
    this.#delay = delay;
  }

  override send(data: Uint8Array, mode: "reliable" | "unreliable"): boolean {
    if (!this.open) return false;
    const copy = Buffer.from(data);
    this.#deliver(() => this.peer?.receive(Buffer.from(copy), mode));
    return true;
  }

  override close(code = 1000, reason = ""): void {
    if (!this.open) return;
    this.end("local", code, reason);
    this.#deliver(() => this.peer?.end("remote", code, reason));
  }

  #deliver(work: () => void): void {
    this.#lastAt = Math.max(this.#lastAt, this.#net.now + this.#delay());
    this.#net.at(this.#lastAt, work);
  }
}

export interface End {
  moving: MovingSession;
  socket: FakeWebSocket;
  got: number[];
  ends: { reason: string; code: number; text: string }[];
}

export interface MovingPair {
  net: Net;
  client: End;
  server: End;
  /** A session beside the WebSocket: the server has it first. */
  connect(): { client: Session & FakeSession; server: Session & FakeSession };
}

export function movingPair(delays: { webSocket: Delay; session: Delay }): MovingPair {
  const net = new Net();
  const end = (): End => {
    const socket = new FakeWebSocket(net, delays.webSocket);
    const webSocket = new WebSocketSession(socket, { address: "192.0.2.1", port: 80 });
    socket.session = webSocket;
    const moving = new MovingSession(webSocket, (work, ms) => net.after(ms, work));
    const made: End = { moving, socket, got: [], ends: [] };
    moving.onMessage = (data) => made.got.push((data[0] ?? 0) * 256 + (data[1] ?? 0));
    moving.onClose = (reason, code, text) => made.ends.push({ reason, code, text });
    return made;
  };
  const client = end();
  const server = end();
  client.socket.peer = server.socket;
  server.socket.peer = client.socket;
  return {
    net,
    client,
    server,
    connect() {
      const [near, far] = [new SimulatedSession(net, delays.session), new SimulatedSession(net, delays.session)];
      near.peer = far;
      far.peer = near;
      server.moving.offer(far);
      client.moving.offer(near);
      return { client: near, server: far };
    },
  };
}

export const message = (number: number): Uint8Array => new Uint8Array([number >> 8, number & 0xff]);
