import { writeSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { ENDING_SIGNALS, exitCodeOf, SignalEchoes } from "./signals.ts";
import type { PortMapping } from "./types.ts";

/** What other machines hold for this process. It must be given back before the process ends. */
export interface Guarded {
  /** Whether {@link Guarded.close} was called, here or by the program. */
  isClosing(): boolean;
  /** Gives all back. Does not reject. */
  close(): Promise<void>;
  /** What would stay open if the process ended now. */
  mappings(): readonly Pick<PortMapping, "protocol" | "externalPort" | "expiresAt">[];
}

/** Giving all back may take this long; then the process ends without it. */
const CLOSE_TIMEOUT_MS = 6000;
const KEY: unique symbol = Symbol.for("sallyport.exit-guard.1");
const SIGNAL_EXIT: unique symbol = Symbol.for("signal-exit emitter");

/** One for the process: it listens as long as something is guarded. */
class ExitGuard {
  readonly #guarded = new Set<Guarded>();
  readonly #echoes = new SignalEchoes();
  #isListening = false;
  #isEnding = false;
  #isMuted = false;
  /** Signals that others have had. Their `once` listeners are gone now. */
  readonly #passedOn = new Set<NodeJS.Signals>();
  #farewell: NodeJS.Timeout | undefined;

  add(it: Guarded): void {
    // Signals come to the main thread alone.
    if (!isMainThread) return;
    this.#guarded.add(it);
    if (!this.#isListening) this.#listen();
  }

  delete(it: Guarded): void {
    if (!this.#guarded.delete(it) || this.#guarded.size > 0) return;
    clearTimeout(this.#farewell);
    // The program may need a moment more until it ends: an echo must not kill it then.
    const { leftMs } = this.#echoes;
    if (leftMs > 0) this.#farewell = setTimeout(() => this.#retire(), leftMs).unref();
    else this.#retire();
  }

  #listen(): void {
    this.#isListening = true;
    // First of all listeners, since those of `once` are gone after their turn.
    for (const name of ENDING_SIGNALS) process.prependListener(name, this.#onSignal);
    process.on("beforeExit", this.#onIdle);
    process.on("exit", this.#onExit);
  }

  #retire(): void {
    if (this.#guarded.size === 0) this.#stopListening();
  }

  #stopListening(): void {
    this.#isListening = false;
    this.#passedOn.clear();
    for (const name of ENDING_SIGNALS) process.off(name, this.#onSignal);
    process.off("beforeExit", this.#onIdle);
    process.off("exit", this.#onExit);
    if (this.#isMuted) for (const stream of [process.stdout, process.stderr]) stream.off("error", ignore);
    this.#isMuted = false;
  }

  /** From here on it is no error that nobody reads what is written. */
  #mute(): void {
    if (this.#isMuted) return;
    this.#isMuted = true;
    for (const stream of [process.stdout, process.stderr]) stream.on("error", ignore);
  }

  readonly #onSignal = (name: NodeJS.Signals): void => {
    if (this.#echoes.isEcho()) return;
    // The terminal is closed: what the program writes to it is an error, and would end it before all is given back.
    if (name === "SIGHUP") this.#mute();
    // Other listeners decide what the signal means: a game saves, a menu opens.
    if (hasOtherListeners(name, this.#onSignal)) {
      this.#passedOn.add(name);
      return;
    }
    const isInsisted =
      this.#isEnding || (this.#passedOn.has(name) && [...this.#guarded].every((each) => each.isClosing()));
    if (!isInsisted) void this.#end(name);
    // A closed terminal sends it more than once, and nobody waits there.
    else if (name !== "SIGHUP") process.exit(exitCodeOf(name));
  };

  /** Gives all back, then lets the signal do what it would have done. */
  async #end(name: NodeJS.Signals): Promise<void> {
    this.#isEnding = true;
    this.#mute();
    await this.#closeAll();
    this.#onExit();
    this.#stopListening();
    this.#isEnding = false;
    // Windows sends no signals: `kill` would end the process as the task manager does, or throw.
    if (process.platform === "win32") process.exit(exitCodeOf(name));
    process.kill(process.pid, name);
  }

  async #closeAll(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_TIMEOUT_MS);
    });
    await Promise.race([Promise.allSettled([...this.#guarded].map((each) => each.close())), late]);
    clearTimeout(timer);
  }

  /** The program has come to its end without closing. */
  readonly #onIdle = (): void => {
    for (const each of this.#guarded) void each.close();
  };

  /** Too late for anything but to say it. */
  readonly #onExit = (): void => {
    for (const { protocol, externalPort, expiresAt } of [...this.#guarded].flatMap((each) => each.mappings())) {
      const port = `${protocol === "both" ? "UDP and TCP" : protocol.toUpperCase()} port ${externalPort}`;
      const until = expiresAt === 0 ? "" : ` until ${new Date(expiresAt).toLocaleString()}`;
      say(`sallyport: ${port} stays open on the router${until}. Close it with: npx sallyport unmap ${externalPort}`);
    }
  };
}

function hasOtherListeners(name: NodeJS.Signals, own: NodeJS.SignalsListener): boolean {
  // `listeners`, not `rawListeners`: tsx hides its own there, and ends the process where it is alone.
  return process.listeners(name).filter((each) => each !== own).length > signalExits();
}

/**
 * Listeners of the package signal-exit, which is in many programs by way of others. They wait until nobody else listens, as we do:
 * without counting them apart each would wait for the other.
 */
function signalExits(): number {
  const v3 = (process as { __signal_exit_emitter__?: { count?: number } }).__signal_exit_emitter__;
  const v4 = (globalThis as { [SIGNAL_EXIT]?: { count?: number } })[SIGNAL_EXIT];
  return (v3?.count ?? 0) + (v4?.count ?? 0);
}

function ignore(): void {}

/** At once, and whatever has become of the terminal. */
function say(text: string): void {
  try {
    writeSync(2, `${text}\n`);
  } catch {
    // Nobody is there to read it.
  }
}

const shared = globalThis as { [KEY]?: ExitGuard };

/** The same for all copies of this package in the process: two would wait for each other. */
export const exitGuard: Pick<ExitGuard, "add" | "delete"> = (shared[KEY] ??= new ExitGuard());
