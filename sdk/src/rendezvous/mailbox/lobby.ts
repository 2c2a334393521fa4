/**
 * The lobby as a mailbox: a room of a Colyseus server (colyseus/lobby/room.ts). In rendezvous/ only this file knows
 * Colyseus; open.ts loads it for a lobby's URL.
 */

import { ColyseusSDK, type Room } from "@colyseus/sdk";
import { messageOf } from "../../net/message-of.ts";
import { traceOf } from "../../net/trace.ts";
import { toBase64Url } from "../wire/base64url.ts";
import { RendezvousError, traceableFailure } from "../wire/errors.ts";
import {
  CLOSE_ENDED,
  CLOSE_FLOOD,
  CLOSE_IDLE,
  CLOSE_REPLACED,
  type EndReason,
  type HostDetails,
  RENDEZVOUS_PROTOCOL,
  RENDEZVOUS_ROOM,
} from "../wire/protocol.ts";
import { serversSeenFrom } from "../wire/seen-from.ts";
import { parseGuestMail, parseHostMail } from "./lobby-mail.ts";
import type {
  GuestMail,
  GuestMailbox,
  HostMail,
  HostMailbox,
  Mailbox,
  MailboxHost,
  OpenMailboxOptions,
} from "./mailbox.ts";

const trace = traceOf("rendezvous");

export interface LobbyOptions {
  /** Default `rendezvous`. */
  roomName?: string | undefined;
  /** How often a host asks whether the lobby is still there, and how long it waits for the answer, ms. Default 15 000. */
  heartbeatMs?: number | undefined;
  /** Gives the URL that is dialed for the lobby's, on a network that reaches it by another address. Default: the lobby's own. */
  locate?: ((lobby: string) => Promise<string>) | undefined;
}

const DEFAULT_HEARTBEAT_MS = 15_000;
/** How long the lobby may take to let a host go, ms. */
const LEAVE_MS = 1000;

export class LobbyMailbox implements Mailbox {
  readonly #url: string;
  readonly #roomName: string;
  readonly #heartbeatMs: number;

  /** @param url as parseLobbyUrl returns it */
  constructor(url: string, { roomName = RENDEZVOUS_ROOM, heartbeatMs = DEFAULT_HEARTBEAT_MS }: LobbyOptions) {
    this.#url = url;
    this.#roomName = roomName;
    this.#heartbeatMs = heartbeatMs;
  }

  async openHost(host: MailboxHost, options: OpenMailboxOptions): Promise<HostMailbox> {
    const { code, proof, publicKey, details } = host;
    const claim = { role: "host", invite: code, proof, key: toBase64Url(publicKey), details };
    return new LobbyHostEnd(await this.#enter("joinOrCreate", claim, options), this.#url, code, this.#heartbeatMs);
  }

  async openGuest(code: string, options: OpenMailboxOptions): Promise<GuestMailbox> {
    return new LobbyGuestEnd(await this.#enter("join", { invite: code }, options), this.#url);
  }

  #enter(
    method: EnterOptions["method"],
    options: Record<string, unknown>,
    patience: OpenMailboxOptions,
  ): Promise<Room> {
    return enterRoom({ ...patience, lobby: this.#url, roomName: this.#roomName, method, options });
  }
}

/** One connection to a lobby. */
abstract class LobbyEnd<Mail extends HostMail | GuestMail> {
  protected abstract readonly role: "host" | "guest";
  protected readonly room: Room;
  readonly #lobby: string;
  #onMail: (mail: Mail) => void = () => undefined;
  #onClosed: (error: RendezvousError) => void = () => undefined;
  #closed = false;
  /** We go by ourselves. */
  protected leaving = false;

  constructor(room: Room, lobby: string) {
    this.room = room;
    this.#lobby = lobby;
    room.onMessage("*", (type, message: unknown) => this.#receive(type, message));
    // Also called, without a code, when the connection breaks.
    room.onError((_code, reason) => this.lose("unreachable", reason ?? "The connection to the lobby broke."));
    room.onLeave((code) => this.lose(...this.explain(code)));
  }

  /**
   * Undefined for what is to be left out.
   * @throws RendezvousError for what ends the connection
   */
  protected abstract parse(type: unknown, message: unknown): Mail | undefined;

  /** Why the lobby has closed the connection. */
  protected abstract explain(closeCode: number): [code: RendezvousError["code"], reason: string];

  get isOpen(): boolean {
    return !this.#closed && this.room.connection.isOpen;
  }

  onMessage(listener: (mail: Mail) => void): void {
    this.#onMail = listener;
  }

  onClosed(listener: (error: RendezvousError) => void): void {
    this.#onClosed = listener;
  }

  close(): void {
    this.#closed = true;
    // Closing waits for what has been sent.
    this.room.connection.close();
  }

  protected lose(code: RendezvousError["code"], reason: string): void {
    this.#end(new RendezvousError(code, reason));
  }

  protected tell(type: string, message: unknown): void {
    if (this.isOpen) this.room.send(type, message);
  }

  #receive(type: unknown, message: unknown): void {
    if (this.#closed) return;
    let mail: Mail | undefined;
    try {
      mail = this.parse(type, message);
    } catch (error) {
      if (!(error instanceof RendezvousError)) throw error;
      this.#end(error);
    }
    if (mail === undefined) return;
    this.#onMail(mail.type === "servers" ? { ...mail, servers: serversSeenFrom(mail.servers, this.#lobby) } : mail);
  }

  #end(error: RendezvousError): void {
    if (this.#closed) return;
    if (trace.on && !this.leaving) trace.event("mailbox-closed", { as: this.role, ...traceableFailure(error) });
    this.close();
    this.#onClosed(error);
  }
}

class LobbyHostEnd extends LobbyEnd<HostMail> implements HostMailbox {
  protected readonly role = "host";
  readonly #code: string;
  readonly #heartbeat: NodeJS.Timeout;

  constructor(room: Room, lobby: string, code: string, heartbeatMs: number) {
    super(room, lobby);
    this.#code = code;
    this.#heartbeat = this.#watch(heartbeatMs);
  }

  update({ endpoints, ...rest }: Partial<HostDetails>): void {
    // Apart, since the largest list of endpoints alone fills one message.
    if (endpoints !== undefined) this.tell("update", { endpoints });
    if (Object.keys(rest).length > 0) this.tell("update", rest);
  }

  send(id: number, data: Uint8Array): void {
    this.tell("relay", { id, data });
  }

  end(id: number, reason: EndReason): void {
    this.tell("end", { id, reason });
  }

  async leave(): Promise<void> {
    this.leaving = true;
    if (trace.on) trace.event("mailbox-left", { as: this.role });
    if (this.isOpen) {
      const { promise: late, resolve } = Promise.withResolvers<undefined>();
      const timer = setTimeout(resolve, LEAVE_MS, undefined);
      await Promise.race([this.room.leave(true), late]);
      clearTimeout(timer);
    }
    this.close();
  }

  override close(): void {
    clearInterval(this.#heartbeat);
    super.close();
  }

  protected parse(type: unknown, message: unknown): HostMail | undefined {
    return parseHostMail(type, message, this.#code);
  }

  protected explain(closeCode: number): [RendezvousError["code"], string] {
    return closeCode === CLOSE_REPLACED
      ? ["refused", "Another process with the same secret has taken over this invite."]
      : ["unreachable", `The lobby ended the connection (${closeCode}).`];
  }

  /** A connection through a NAT can die without a word; ask now and then. */
  #watch(everyMs: number): NodeJS.Timeout {
    let answered = true;
    const timer = setInterval(() => {
      if (!answered) return this.lose("unreachable", "The lobby no longer answers.");
      answered = false;
      this.room.ping(() => {
        answered = true;
      });
    }, everyMs);
    timer.unref();
    return timer;
  }
}

class LobbyGuestEnd extends LobbyEnd<GuestMail> implements GuestMailbox {
  protected readonly role = "guest";

  introduce(hello: Uint8Array): void {
    this.tell("introduce", { hello });
  }

  send(data: Uint8Array): void {
    this.tell("relay", { data });
  }

  protected parse(type: unknown, message: unknown): GuestMail | undefined {
    return parseGuestMail(type, message);
  }

  protected explain(closeCode: number): [RendezvousError["code"], string] {
    switch (closeCode) {
      case CLOSE_IDLE:
        return ["unreachable", "The time that the lobby gives to an introduction is over."];
      case CLOSE_ENDED:
        return ["unreachable", "The host has closed the game."];
      case CLOSE_FLOOD:
        return ["rate-limited", "More was sent than the lobby relays."];
      default:
        return ["unreachable", `The lobby ended the connection (${closeCode}).`];
    }
  }
}

interface EnterOptions extends OpenMailboxOptions {
  lobby: string;
  roomName: string;
  method: "join" | "joinOrCreate";
  options: Record<string, unknown>;
}

/** Colyseus' client gives no way to abandon a join: this keeps hold of the room that is being joined. */
class AbandonableSDK extends ColyseusSDK {
  joining: Room | undefined;

  protected override createRoom<T>(roomName: string, rootSchema?: new () => T): Room<unknown, T> {
    const room = super.createRoom(roomName, rootSchema) as Room<unknown, T>;
    this.joining = room as Room;
    return room;
  }
}

/** One attempt to come into a lobby's room, which ends when its time or its caller's patience does. @throws RendezvousError */
async function enterRoom(attempt: EnterOptions): Promise<Room> {
  const { lobby, timeoutMs } = attempt;
  const as = attempt.method === "join" ? "guest" : "host";
  const begun = performance.now();
  if (trace.on) trace.event("lobby-asked", { lobby: new URL(lobby), as });
  const patience = AbortSignal.timeout(timeoutMs);
  const signal = attempt.signal === undefined ? patience : AbortSignal.any([patience, attempt.signal]);
  const sdk = new AbandonableSDK(lobby, {
    fetchFn: (input, init) => fetch(input, { ...init, signal, redirect: "error" }),
  });

  const { promise: gaveUp, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => {
    reject(signal.reason);
    sdk.joining?.connection?.close();
  };
  gaveUp.catch(() => undefined);
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });

  const joining = sdk[attempt.method]<unknown>(attempt.roomName, {
    ...attempt.options,
    protocol: RENDEZVOUS_PROTOCOL,
  });
  joining.catch(() => undefined); // when it was given up, its own failure interests nobody
  try {
    const room = await Promise.race([joining, gaveUp]);
    // The SDK would reconnect by a token; hosts and players here come back by invite instead.
    room.reconnection.enabled = false;
    if (trace.on) trace.event("lobby-entered", { as, ms: performance.now() - begun });
    return room;
  } catch (error) {
    const failure = explain(error, attempt);
    if (trace.on) trace.event("lobby-refused", { as, ...traceableFailure(failure), ms: performance.now() - begun });
    throw failure;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function explain(error: unknown, { lobby, signal, timeoutMs }: EnterOptions): RendezvousError {
  const cause = { cause: error };
  if (signal?.aborted === true) return new RendezvousError("aborted", "Given up by the caller.", cause);
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return new RendezvousError("unreachable", `The lobby ${lobby} did not answer within ${timeoutMs} ms.`, cause);
  }
  const code: unknown = (error as { code?: unknown } | null)?.code;
  const message = messageOf(error);
  switch (code) {
    case 521: // MATCHMAKE_INVALID_CRITERIA
      return new RendezvousError(
        "unknown-invite",
        "No host has this invite. Was it mistyped, or has the host gone?",
        cause,
      );
    case 520: // MATCHMAKE_NO_HANDLER
      return new RendezvousError("refused", `The server at ${lobby} is no lobby: it has no rendezvous room.`, cause);
    case 429:
      return new RendezvousError("rate-limited", message, cause);
    case 400:
    case 403:
    case 507:
      return new RendezvousError("refused", message, cause);
    default:
      return new RendezvousError("unreachable", `The lobby ${lobby} cannot be reached: ${message}`, cause);
  }
}
