// A part of a measurement in a process of its own, and its end of the talk with the parent: each message is a call by name.
import { type ChildProcess, fork } from "node:child_process";
import { makeUrgent } from "../urgent.ts";

interface Call {
  id: number;
  name: string;
  argument: unknown;
}
interface Answer {
  id: number;
  value: unknown;
}

/**
 * A process that runs a module which calls {@link serve}, as urgently as may be (see {@link makeUrgent}; priority 0: not at all). Ends
 * with `Symbol.dispose`.
 */
export class Part implements Disposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #id = 0;

  constructor(module: URL, priority: number) {
    this.#child = fork(module);
    if (priority > 0) makeUrgent(this.#child.pid, priority);
    this.#child.on("message", ({ id, value }: Answer) => {
      this.#waiting.get(id)?.resolve(value);
      this.#waiting.delete(id);
    });
    this.#child.on("exit", (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`a part ended with ${code}`));
    });
  }

  call<T>(name: string, argument: unknown = null): Promise<T> {
    const id = this.#id++;
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.#child.send({ id, name, argument } satisfies Call);
    });
  }

  [Symbol.dispose](): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}

/** In the part: what the parent may call. The process ends when the parent lets go of it. */
export function serve(functions: Record<string, (argument: never) => unknown>): void {
  const answer = async ({ id, name, argument }: Call): Promise<void> => {
    const value = await functions[name]?.(argument as never);
    process.send?.({ id, value: value ?? null } satisfies Answer);
  };
  process.on("message", (call: Call) => void answer(call));
  process.on("disconnect", () => process.exit());
}

/** Calls `tick` `hz` times a second, without drift, until told to stop; counts those that begin late. */
export class Ticker {
  ticks = 0;
  /** Begun more than half a tick after they were due. */
  late = 0;
  #timer: NodeJS.Timeout | undefined;
  #due: number = performance.now();

  constructor(hz: number, tick: () => void) {
    const run = (): void => {
      const now = performance.now();
      if (now - this.#due > 500 / hz) this.late++;
      this.ticks++;
      tick();
      this.#due += 1000 / hz;
      // What could not be done is left out, not made up for.
      if (this.#due < now) this.#due = now;
      this.#timer = setTimeout(run, Math.max(0, this.#due - performance.now()));
    };
    run();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
