/** The guest's end: what a host shares becomes ports of this machine. */
import { randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { messageOf } from "../net/message-of.ts";
import { sleep, whileAwaited } from "../net/wait.ts";
import type { IntroduceOptions } from "../rendezvous/guest/introduce.ts";
import { InviteTunnel } from "../rendezvous/guest/invite-tunnel.ts";
import { RendezvousError } from "../rendezvous/wire/errors.ts";
import { CLOSE_PROTOCOL_ERROR } from "../session/close-code.ts";
import type { SessionPathKind } from "../session/path.ts";
import type { Session } from "../session/types.ts";
import { DatagramLine } from "./flows/datagram-line.ts";
import { GuestFlows } from "./flows/guest-flows.ts";
import { type Listener, listen, type OpenListener } from "./guest/listeners.ts";
import { TunnelStreams } from "./streams/streams.ts";
import { WindowBudget } from "./streams/window.ts";
import { encodeRequest, parseOffer, parseRefusal, TUNNEL_PATH, type TunnelOffer } from "./wire/offer.ts";
import type { TunnelPort } from "./wire/ports.ts";
import { DATAGRAM_CHANNEL, TUNNEL_PACKET_BYTES, TunnelWriter } from "./wire/protocol.ts";

/** Options of {@link join}. */
export interface JoinOptions extends Pick<IntroduceOptions, "lobby" | "relays" | "stunServers"> {
  /** The number at this machine, where the host shares one. Default: the host's. */
  port?: number | undefined;
  /** The address to listen at, 0.0.0.0 for others of this network too. Default: 127.0.0.1, or 127.0.0.2 where the number is taken. */
  bind?: string | undefined;
  /** For the first connection, ms. Default 30 000. */
  timeoutMs?: number;
  /** Gives up, or ends it. */
  signal?: AbortSignal;
}

/** How the connection to the host is, for a status screen. */
export interface JoinStatus {
  /** Undefined while the host is away. */
  readonly path: SessionPathKind | undefined;
  /** The address at the host's end of the path; empty while the host is away. */
  readonly remote: string;
  /** Smoothed round trip of the session, ms; 0 while the host is away. */
  readonly rttMs: number;
  /** Share of our packets lost, 0-1. */
  readonly loss: number;
  /** Bytes of this session's packets from the host. */
  readonly bytesIn: number;
  /** Bytes of this session's packets to the host. */
  readonly bytesOut: number;
  /** Datagrams to the host since the first connection. */
  readonly datagramsOut: number;
  /** Of `datagramsOut`: longer than one packet, so that the loss of either part is theirs. */
  readonly fragmented: number;
  /** Source addresses and ports of local programs that use UDP now. */
  readonly flows: number;
  /** TCP connections that are open now. */
  readonly streams: number;
}

/** Events of a {@link Join}. */
export interface JoinEvents {
  /** Again after each loss. */
  connected: [path: SessionPathKind, ms: number];
  /** The path is of another kind now. */
  path: [path: SessionPathKind];
  /** The host is not heard any more. Ports stay, and it is looked for until it is back. */
  lost: [reason: string];
  /** `close()` is done, or `signal` has ended it. */
  closed: [];
}

const now = (): number => performance.now();

const GUEST_ID_BYTES = 16;
const TIMEOUT_MS = 30_000;
/** What streams may make us hold, bytes. */
const STREAM_BYTES = 64 << 20;
/** A host that says nothing for so long is looked for anew, though it may come back by itself, ms. */
const SILENT_MS = 3_000;
const LOOK_MS = 500;
const PRUNE_MS = 10_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;

/** A host's shared ports at this machine, until it is closed. */
export class Join extends EventEmitter<JoinEvents> implements AsyncDisposable {
  /** What the host calls itself, safe to show; may be empty. */
  name = "";
  readonly #options: JoinOptions;
  readonly #tunnel: InviteTunnel;
  readonly #guest: string = randomBytes(GUEST_ID_BYTES).toString("base64url");
  readonly #writer = new TunnelWriter();
  readonly #line: DatagramLine = new DatagramLine(this.#writer, now);
  readonly #flows: GuestFlows = new GuestFlows(this.#line, now);
  readonly #windows = new WindowBudget(STREAM_BYTES);
  /** Ends whatever is under way, introductions too. */
  readonly #closing: AbortController;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #setPort = new Map<OpenListener, (index: number | undefined) => void>();
  #listeners: OpenListener[] = [];
  #offered: readonly TunnelPort[] = [];
  #session: Session | undefined;
  #streams: TunnelStreams | undefined;
  #looking = false;
  #ended: Promise<void> | undefined;

  /** @internal {@link join} makes one. */
  constructor(tunnel: InviteTunnel, options: JoinOptions, closing: AbortController) {
    super();
    this.#tunnel = tunnel;
    this.#options = options;
    this.#closing = closing;
    closing.signal.addEventListener("abort", () => void this.close(), { once: true });
  }

  /** The ports of this machine that lead to the host's. */
  get ports(): readonly Listener[] {
    return this.#listeners.map(({ protocol, address, port, remotePort }) => ({ protocol, address, port, remotePort }));
  }

  /** How the connection is now. */
  get status(): JoinStatus {
    const session = this.#session;
    const { rttMs = 0, loss = 0, bytesIn = 0, bytesOut = 0 } = session?.stats ?? {};
    const { datagramsOut, fragmented } = this.#line.counters;
    return {
      path: session?.pathKind,
      remote: session?.remote.address ?? "",
      rttMs,
      loss,
      bytesIn,
      bytesOut,
      datagramsOut,
      fragmented,
      flows: this.#flows.size,
      streams: this.#streams?.size ?? 0,
    };
  }

  /** @internal Connects for the first time, and listens. */
  async open(): Promise<void> {
    const { offer, session } = await this.#connect(this.#closing.signal);
    try {
      this.#listeners = await listen(offer.ports, {
        bind: this.#options.bind,
        port: this.#options.port,
        onConnection: (socket, port) => this.#onConnection(socket, port),
      });
    } catch (error) {
      session.abort();
      throw error;
    }
    for (const listener of this.#listeners) {
      if (listener.socket) this.#setPort.set(listener, this.#flows.listen(listener.socket));
    }
    this.#attach(session, offer);
    this.#timers.push(
      setInterval(() => this.#look(), LOOK_MS),
      setInterval(() => this.#flows.prune(), PRUNE_MS),
    );
    for (const timer of this.#timers) timer.unref();
  }

  /** Ends the session and closes the ports. Idempotent. */
  close(): Promise<void> {
    this.#ended ??= this.#close();
    return this.#ended;
  }

  /** As `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws RendezvousError, SessionError */
  async #connect(signal: AbortSignal): Promise<{ offer: TunnelOffer; session: Session }> {
    const response = await this.#tunnel.fetch(new URL(TUNNEL_PATH, "http://host"), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: encodeRequest(this.#guest),
      signal,
    });
    const text = await response.text();
    const offer = response.ok ? parseOffer(text) : undefined;
    if (offer === undefined) {
      const isGame = response.status === 404;
      const reason = isGame
        ? "This invite leads to a game that takes no tunnel: the game's own client or page opens it."
        : (parseRefusal(text) ?? "The host's answer is none of a shared port.");
      throw new RendezvousError(response.status === 503 ? "unreachable" : "refused", reason);
    }
    return {
      offer,
      session: await this.#tunnel.connectSession(offer.token, { signal, maxPacketBytes: TUNNEL_PACKET_BYTES }),
    };
  }

  #attach(session: Session, offer: TunnelOffer): void {
    const before = this.#session;
    this.#detach();
    before?.abort();
    this.name = offer.name;
    this.#offered = offer.ports;
    for (const [{ remotePort }, set] of this.#setPort) set(this.#indexOf("udp", remotePort));
    const streams = new TunnelStreams({
      session,
      writer: this.#writer,
      windows: this.#windows,
      now,
      onViolation: (reason) => session.abort(CLOSE_PROTOCOL_ERROR, reason),
    });
    this.#session = session;
    this.#streams = streams;
    this.#line.session = session;
    session.onMessage = (data, mode, channel) => {
      if (channel !== DATAGRAM_CHANNEL) streams.receive(data);
      else if (mode === "unreliable") this.#flows.receive(data);
    };
    let kind = session.pathKind;
    session.onPath = () => {
      if (session.pathKind === kind) return;
      kind = session.pathKind;
      this.emit("path", kind);
    };
    session.onClose = (reason, _code, text) => {
      if (this.#session !== session) return;
      this.#detach();
      if (this.#closing.signal.aborted) return;
      this.emit("lost", reason === "remote" ? text || "the host ended it" : "the host is not heard any more");
      void this.#lookForHost();
    };
  }

  #detach(): void {
    this.#streams?.close();
    this.#streams = undefined;
    this.#session = undefined;
    this.#line.session = undefined;
  }

  #look(): void {
    const session = this.#session;
    if (session !== undefined && session.silentMs > SILENT_MS) void this.#lookForHost();
  }

  /** Until it is found, or heard again. */
  async #lookForHost(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const { signal } = this.#closing;
    const since = now();
    const isBack = (): boolean => this.#session !== undefined && this.#session.silentMs < SILENT_MS;
    for (let wait = FIRST_RETRY_MS; !signal.aborted && !isBack(); wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
      try {
        const { offer, session } = await this.#connect(signal);
        if (signal.aborted || isBack()) session.abort();
        else {
          this.#attach(session, offer);
          this.emit("connected", session.pathKind, Math.round(now() - since));
        }
      } catch {
        // The host may be off for an hour: it is asked for again, ever more rarely.
        await sleep(wait * (0.5 + Math.random() / 2), signal);
      }
    }
    this.#looking = false;
  }

  #onConnection(socket: Socket, remotePort: number): void {
    const index = this.#indexOf("tcp", remotePort);
    if (index !== undefined && this.#streams !== undefined) {
      this.#streams.open(socket, index);
      return;
    }
    socket.on("error", () => undefined);
    socket.resetAndDestroy();
  }

  #indexOf(protocol: TunnelPort["protocol"], port: number): number | undefined {
    const index = this.#offered.findIndex((each) => each.protocol === protocol && each.port === port);
    return index < 0 ? undefined : index;
  }

  async #close(): Promise<void> {
    // Aborting calls close() again, which must find this one.
    await Promise.resolve();
    this.#closing.abort(new RendezvousError("aborted", "Given up by the caller."));
    for (const timer of this.#timers) clearInterval(timer);
    const session = this.#session;
    this.#detach();
    session?.close();
    this.#tunnel.close();
    await Promise.all(this.#listeners.map((each) => each.close()));
    this.emit("closed");
  }
}

/**
 * Joins a host's shared ports by its invite. Answers when the ports of this machine are there, and goes on looking for a host that is lost
 * until `close()` or `signal`.
 * @param invite a code or a link, as `share` gives it
 * @throws RendezvousError for an invite that leads nowhere, and for a host that does not answer
 * @throws SessionError where no path is found
 */
export function join(invite: string, options: JoinOptions = {}): Promise<Join> {
  return whileAwaited(openJoin(invite, options));
}

async function openJoin(invite: string, options: JoinOptions): Promise<Join> {
  const { lobby, relays, stunServers, signal, timeoutMs = TIMEOUT_MS } = options;
  signal?.throwIfAborted();
  const closing = new AbortController();
  const onAbort = (): void => closing.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  // For the first connection alone: the host is looked for as long as anybody wants it.
  const timer = setTimeout(() => {
    closing.abort(new RendezvousError("unreachable", `The host was not reached within ${timeoutMs} ms.`));
  }, timeoutMs);
  let joined: Join | undefined;
  try {
    const { tunnel } = await InviteTunnel.open(invite, { lobby, relays, stunServers, signal: closing.signal });
    joined = new Join(tunnel, options, closing);
    joined.once("closed", () => signal?.removeEventListener("abort", onAbort));
    await joined.open();
    closing.signal.throwIfAborted();
    return joined;
  } catch (error) {
    const reason: unknown = closing.signal.aborted ? closing.signal.reason : error;
    closing.abort(reason);
    await joined?.close();
    signal?.removeEventListener("abort", onAbort);
    throw reason instanceof Error ? reason : new Error(messageOf(reason));
  } finally {
    clearTimeout(timer);
  }
}
