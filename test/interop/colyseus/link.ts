import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { type Session } from "../../../sdk/src/session/types.ts";

/** A client's way to the world, which a test can make bad. */
export class Link implements AsyncDisposable {
  /** Share of datagrams that are lost in each direction, 0-1; 1 = nothing goes through. */
  loss = 0;
  /** The sessions that were opened through it. */
  readonly sessions: Session[] = [];
  readonly #sockets: UDPSocket[] = [];
  #seed = 1;

  readonly connectSession = async (
    token: Uint8Array,
    options: NonNullable<Parameters<typeof connectSession>[1]>,
  ): Promise<Session> => {
    const socket = UDPSocket.open();
    this.#sockets.push(socket);
    const send = socket.send.bind(socket);
    socket.send = (...parameters) => this.#drops() || send(...parameters);
    socket.tap(() => this.#drops());
    const session = await connectSession(token, { ...options, socket });
    this.sessions.push(session);
    return session;
  };

  /** Nothing goes through any more. */
  cut(): void {
    this.loss = 1;
  }

  mend(): void {
    this.loss = 0;
  }

  /** The client alone thinks that the path is lost. */
  giveUp(): void {
    const session = this.sessions.at(-1);
    const { onClose } = session ?? {};
    if (session) session.onMessage = session.onClose = null;
    onClose?.("timeout", 1006, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#sockets.map((socket) => socket.close()));
  }

  #drops(): boolean {
    // A small generator with a fixed seed (Numerical Recipes): the same losses in every run.
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return this.#seed / 2 ** 32 < this.loss;
  }
}
