import type { Introduction } from "../sealed/introduction.ts";
import type { RelaySockets } from "./by-relays.ts";
import { CodeHashes } from "./code-hashes.ts";
import { type IntroduceOptions, introduce } from "./introduce.ts";

/** An introduction that nobody needs any more is given back to the lobby. */
const IDLE_MS = 20_000;

/** The introduction under way by one invite, or a new one: the lobby ends each after a while. Nothing here is Node's. */
export class Introductions {
  readonly #invite: string;
  readonly #options: IntroduceOptions;
  readonly #sockets: RelaySockets | undefined;
  #current: Promise<Introduction> | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Called with whatever the host says. */
  onMessage: ((bytes: Uint8Array) => void) | null = null;
  /** Whether the introduction is still of use although nobody asks for it. */
  isNeeded: () => boolean = () => false;

  /** @param sockets how relays are reached. Default: as a page can */
  constructor(invite: string, options: IntroduceOptions, sockets?: RelaySockets) {
    this.#invite = invite;
    this.#options = { ...options, hashes: new CodeHashes() };
    this.#sockets = sockets;
  }

  /** @throws RendezvousError as {@link introduce} */
  get(): Promise<Introduction> {
    this.#rest();
    this.#current ??= introduce(this.#invite, this.#options, this.#sockets).then(
      (introduction) => {
        introduction.onMessage((bytes) => this.onMessage?.(bytes));
        introduction.onClose(() => {
          this.#current = undefined;
        });
        return introduction;
      },
      (error: unknown) => {
        this.#current = undefined;
        throw error;
      },
    );
    return this.#current;
  }

  /** Ends the one under way. */
  close(): void {
    clearTimeout(this.#idle);
    this.#current?.then(
      (introduction) => introduction.close("done"),
      () => {},
    );
  }

  #rest(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.isNeeded()) return this.#rest();
      this.#current?.then(
        (introduction) => introduction.close("done"),
        () => {},
      );
    }, IDLE_MS);
    unref(this.#idle);
  }
}

/** A page's timers are numbers, and keep nothing alive. */
export function unref(timer: NodeJS.Timeout): void {
  (timer as Partial<NodeJS.Timeout>).unref?.();
}
