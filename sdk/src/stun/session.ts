import type { Endpoint } from "../net/endpoint.ts";
import type { UDPSocket } from "../net/udp-socket.ts";
import { type StunBindingRequestOptions, type StunBindingResult, StunBindings } from "./binding.ts";
import { StunError } from "./errors.ts";

type Answer = Omit<StunBindingResult<unknown>, "context">;
type Context = (answer: Answer) => void;

/** Binding requests over a socket that the game uses too: the edge where {@link StunBindings} meets clock and timer. */
export class StunBindingSession implements Disposable {
  readonly #socket: UDPSocket;
  readonly #bindings: StunBindings<Context> = new StunBindings();
  readonly #waiting: Set<Context> = new Set();
  readonly #leave: (() => void)[];
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: UDPSocket, options: { signal?: AbortSignal | undefined } = {}) {
    const { signal } = options;
    this.#socket = socket;
    const giveUp = (): void => {
      this[Symbol.dispose]();
    };
    this.#leave = [
      socket.tap((data, address, port) => {
        const taken = this.#bindings.receive(data, address, port, performance.now());
        if (taken) this.#turn();
        return taken;
      }),
      socket.onClose(giveUp),
      () => signal?.removeEventListener("abort", giveUp),
    ];
    if (signal?.aborted === true) giveUp();
    else signal?.addEventListener("abort", giveUp, { once: true });
  }

  /** Asks one server; the promise is never rejected. */
  ask(server: Endpoint, options: StunBindingRequestOptions = {}): Promise<Answer> {
    return new Promise((resolve) => {
      if (this.#leave.length === 0) {
        resolve({ error: givenUp() });
        return;
      }
      if (this.#socket.closed || !this.#socket.canReach(server.address)) {
        const message = this.#socket.closed
          ? "The socket is closed."
          : `This socket does not reach ${server.address}: it carries the other family of addresses.`;
        resolve({ error: new StunError("unsendable", message) });
        return;
      }
      this.#waiting.add(resolve);
      this.#bindings.ask(resolve, server, performance.now(), options);
      this.#turn();
    });
  }

  /** Lets go of the socket; whoever still waits gets `aborted`. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    for (const leave of this.#leave.splice(0)) leave();
    for (const resolve of this.#waiting) resolve({ error: givenUp() });
    this.#waiting.clear();
    this.#bindings.cancel(() => true);
  }

  #turn(): void {
    const now = performance.now();
    for (let result = this.#bindings.pollResult(now); result !== null; result = this.#bindings.pollResult(now)) {
      const { context: resolve, ...answer } = result;
      if (this.#waiting.delete(resolve)) resolve(answer);
    }
    for (let out = this.#bindings.pollTransmit(); out !== null; out = this.#bindings.pollTransmit()) {
      this.#socket.send(out.data, out.destination.port, out.destination.address);
    }
    clearTimeout(this.#timer);
    const next = this.#bindings.nextTimeout();
    if (next === null) return;
    this.#timer = setTimeout(
      () => {
        this.#bindings.handleTimeout(performance.now());
        this.#turn();
      },
      Math.max(0, Math.ceil(next - now)),
    ).unref();
  }
}

function givenUp(): StunError {
  return new StunError("aborted", "Given up before an answer came.");
}
