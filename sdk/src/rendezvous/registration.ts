/** The host's side: keeps a hosted game known to a lobby, under one invite. */
import { EventEmitter } from "node:events";
import type { Room } from "@colyseus/sdk";
import { RendezvousError } from "./errors.ts";
import { type Invite, inviteUrl } from "./invite.ts";
import { enterLobby, parseLobbyUrl } from "./lobby-client.ts";
import {
  CLOSE_REPLACED,
  type HostDetails,
  parseHostDetails,
  parseHostUpdate,
  RENDEZVOUS_ROOM,
  type RegisteredMessage,
} from "./protocol.ts";
import { createHostSecret, inviteCodeOf } from "./secret.ts";

export interface HostRegistrationOptions extends Partial<HostDetails> {
  /** The lobby's URL. */
  lobby: string;
  /** What strangers see in the lobby's list. */
  name: string;
  /** From an earlier {@link HostRegistration.secret}: the invite stays the same. Default: a new one. */
  secret?: string;
  /** Default `rendezvous`. */
  roomName?: string;
  /** For one attempt to reach the lobby. Default 10 000. */
  timeoutMs?: number;
  /** First and longest wait before the next attempt; each is between half of and the whole of it. Default 500, 30 000. */
  retryMs?: readonly [first: number, longest: number];
  /** How often to ask whether the lobby is still there, and how long to wait for its answer. Default 15 000. */
  heartbeatMs?: number;
}

interface Events {
  /** The lobby knows us: after the first time, again after each loss. */
  registered: [invite: Invite];
  /** The lobby is not there, or has gone; the next attempt follows by itself. */
  lost: [error: RendezvousError, retryInMs: number];
  /** No further attempts: the lobby refused for good, or another process has taken over the invite. */
  failed: [error: RendezvousError];
}

/** Updates are sent at most this often, so that a full house does not run into the lobby's limits. */
const UPDATE_MS = 250;

export class HostRegistration extends EventEmitter<Events> implements AsyncDisposable {
  /** Whoever has it is this host. Keep it to keep the invite beyond this process. */
  readonly secret: string;
  /** Known once the lobby has been reached. */
  invite: Invite | undefined;

  readonly #options: HostRegistrationOptions;
  readonly #lobby: string;
  readonly #closing = new AbortController();
  #details: HostDetails;
  #code = "";
  #room: Room | undefined;
  #running: Promise<void> | undefined;
  #changed = new Set<keyof HostDetails>();
  #updateTimer: NodeJS.Timeout | undefined;

  /** @throws RendezvousError `invalid` */
  constructor(options: HostRegistrationOptions) {
    super();
    this.#options = options;
    this.#lobby = parseLobbyUrl(options.lobby);
    this.#details = parseHostDetails(options);
    this.secret = options.secret ?? createHostSecret();
  }

  /**
   * Begins, and answers when the lobby has given the invite. A lobby that is not there is tried again and again
   * (`lost` says so each time); `signal` ends the waiting and the registration.
   * @throws RendezvousError `refused`, `invalid`, `aborted`
   */
  async open(options: { signal?: AbortSignal } = {}): Promise<Invite> {
    if (this.#closing.signal.aborted) throw new RendezvousError("aborted", "This registration has been closed.");
    const { signal } = options;
    const first = Promise.withResolvers<Invite>();
    const onAbort = (): void => {
      first.reject(new RendezvousError("aborted", "Given up by the caller.", { cause: signal?.reason }));
      void this.close();
    };
    const onClosing = (): void => first.reject(new RendezvousError("aborted", "This registration has been closed."));
    this.once("registered", first.resolve);
    this.once("failed", first.reject);
    this.#closing.signal.addEventListener("abort", onClosing);
    signal?.addEventListener("abort", onAbort);
    try {
      if (signal?.aborted === true) onAbort();
      else this.#running ??= this.#run();
      return this.invite ?? (await first.promise);
    } finally {
      this.off("registered", first.resolve);
      this.off("failed", first.reject);
      this.#closing.signal.removeEventListener("abort", onClosing);
      signal?.removeEventListener("abort", onAbort);
      first.promise.catch(() => undefined);
    }
  }

  /** Tells the lobby, and whoever is asking there, what has changed. @throws RendezvousError `invalid` */
  update(details: Partial<HostDetails>): void {
    const update = parseHostUpdate(details);
    for (const field of Object.keys(update) as (keyof HostDetails)[]) {
      if (JSON.stringify(update[field]) !== JSON.stringify(this.#details[field])) this.#changed.add(field);
    }
    this.#details = { ...this.#details, ...update };
    this.#flush();
  }

  /** Takes the game off the lobby's list. Waits at most a second for the lobby. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort();
    clearTimeout(this.#updateTimer);
    this.#updateTimer = undefined;
    const room = this.#room;
    this.#room = undefined;
    if (room?.connection.isOpen === true) {
      const { promise: late, resolve } = Promise.withResolvers<undefined>();
      const timer = setTimeout(resolve, 1000, undefined);
      await Promise.race([room.leave(true), late]);
      clearTimeout(timer);
      room.connection.close();
    }
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #run(): Promise<void> {
    const [first, longest] = this.#options.retryMs ?? [500, 30_000];
    this.#code = await inviteCodeOf(this.secret);
    let wait = first;
    while (!this.#closing.signal.aborted) {
      let error: RendezvousError;
      try {
        this.#room = await this.#enter();
        wait = first;
        error = await this.#stay(this.#room);
      } catch (reason) {
        error = reason instanceof RendezvousError ? reason : new RendezvousError("unreachable", String(reason));
      }
      this.#room = undefined;
      if (this.#closing.signal.aborted) return;
      if (error.code === "refused" || error.code === "invalid") {
        this.#closing.abort();
        this.emit("failed", error);
        return;
      }
      const pause = wait * (0.5 + Math.random() / 2);
      wait = Math.min(longest, wait * 2);
      this.emit("lost", error, Math.round(pause));
      await this.#pause(pause);
    }
  }

  #enter(): Promise<Room> {
    this.#changed.clear(); // all of it goes along; what changes meanwhile is sent after
    return enterLobby({
      lobby: this.#lobby,
      roomName: this.#options.roomName ?? RENDEZVOUS_ROOM,
      method: "joinOrCreate",
      options: { role: "host", invite: this.#code, secret: this.secret, details: this.#details },
      timeoutMs: this.#options.timeoutMs ?? 10_000,
      signal: this.#closing.signal,
    });
  }

  /** From the lobby's welcome to the end of the connection; answers why it ended. */
  async #stay(room: Room): Promise<RendezvousError> {
    const ended = Promise.withResolvers<RendezvousError>();
    room.onMessage("*", (type, payload: unknown) => {
      if (type === "registered") this.#onRegistered(payload as RegisteredMessage);
    });
    // Also called, without a code, when the connection breaks.
    room.onError((_code, message) => {
      ended.resolve(new RendezvousError("unreachable", message ?? "The connection to the lobby broke."));
    });
    room.onLeave((code) => {
      ended.resolve(
        code === CLOSE_REPLACED
          ? new RendezvousError("refused", "Another process with the same secret has taken over this invite.")
          : new RendezvousError("unreachable", `The lobby ended the connection (${code}).`),
      );
    });
    const stop = this.#watch(room, () => {
      ended.resolve(new RendezvousError("unreachable", "The lobby no longer answers."));
    });
    this.#flush();
    const onClosing = (): void => ended.resolve(new RendezvousError("aborted", "closed"));
    this.#closing.signal.addEventListener("abort", onClosing, { once: true });
    try {
      return await ended.promise;
    } finally {
      stop();
      this.#closing.signal.removeEventListener("abort", onClosing);
      if (!this.#closing.signal.aborted) room.connection.close();
    }
  }

  #onRegistered(message: RegisteredMessage): void {
    if (message?.code !== this.#code) return;
    // The link goes to people and terminals: take it only if it is a plain one.
    const url = typeof message.url === "string" && URL.canParse(message.url) ? new URL(message.url).href : undefined;
    const plain = url !== undefined && /^https?:/.test(url) && url.length <= 512;
    this.invite = { code: this.#code, url: plain ? url : inviteUrl(this.#lobby, this.#code) };
    this.emit("registered", this.invite);
  }

  /** A connection through a NAT can die without a word; ask now and then. */
  #watch(room: Room, onDead: () => void): () => void {
    let answered = true;
    const timer = setInterval(() => {
      if (!answered) onDead();
      answered = false;
      room.ping(() => {
        answered = true;
      });
    }, this.#options.heartbeatMs ?? 15_000);
    timer.unref();
    return () => clearInterval(timer);
  }

  #flush(): void {
    if (this.#updateTimer !== undefined || this.#changed.size === 0) return;
    if (this.#room?.connection.isOpen !== true) return; // the next registration brings it all
    const { endpoints, ...rest } = this.#details;
    const fields = Object.entries(rest).filter(([field]) => this.#changed.has(field as keyof HostDetails));
    // Apart, since the largest list of endpoints alone fills one message.
    if (this.#changed.has("endpoints")) this.#room.send("update", { endpoints });
    if (fields.length > 0) this.#room.send("update", Object.fromEntries(fields));
    this.#changed.clear();
    this.#updateTimer = setTimeout(() => {
      this.#updateTimer = undefined;
      this.#flush();
    }, UPDATE_MS);
    this.#updateTimer.unref();
  }

  #pause(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    timer.unref();
    const onClosing = (): void => {
      clearTimeout(timer);
      resolve();
    };
    this.#closing.signal.addEventListener("abort", onClosing, { once: true });
    return promise.finally(() => this.#closing.signal.removeEventListener("abort", onClosing));
  }
}
