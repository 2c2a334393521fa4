import { MessageEndpoint } from "../channel/endpoint.ts";
import type { NetworkConditions } from "../channel/line-model.ts";
import type { ChannelFailure, SendOptions } from "../channel/wire/types.ts";
import type { Endpoint } from "../net/endpoint.ts";
import { describeFull, type HeldBytes, HeldBytesBudget } from "../net/held-bytes.ts";
import { traceOf } from "../net/trace.ts";
import { MAX_LONG_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES } from "../netcode/constants.ts";
import {
  CLOSE_ABNORMAL,
  CLOSE_NORMAL,
  CLOSE_PROTOCOL_ERROR,
  CLOSE_TOO_BIG,
  CLOSE_TRY_AGAIN_LATER,
} from "./close-code.ts";
import { type CloseFrame, decodeClose, encodeClose, MAX_CLOSE_BYTES } from "./close-frame.ts";
import { channelLimitsOf, type SessionLimits } from "./limits.ts";
import { Line } from "./line.ts";
import type { SessionLink } from "./link.ts";
import type { SessionPathKind, SessionPathPair } from "./path.ts";
import type { Pumped, SessionPump } from "./pump.ts";
import { TrafficTrace } from "./traffic-trace.ts";
import type { CloseReason, Session, SessionMode, SessionStats } from "./types.ts";

const trace = traceOf("session");

/** What the sessions say to each other: the close frame. All other channels are the application's. */
const CONTROL_CHANNEL = 255;

// One for the process: a packet is built and sealed before the next one is begun.
const packet = new Uint8Array(MAX_LONG_PAYLOAD_BYTES);
/** Its beginnings by length, so that sending a packet makes no object. */
const views: Uint8Array[] = [];

/**
 * Before the first acknowledgement a round trip is taken for what it was in the handshake, in ms, within these bounds (RFC 9002 section
 * 6.2.2 would have 333): that is a single sample, lengthened by what was lost.
 */
const MIN_INITIAL_RTT_MS = 5;
const MAX_INITIAL_RTT_MS = 1000;

/** Kept for a listener that comes late, if no other limit was chosen. */
const MAX_EARLY_BYTES = 8 << 20;
/** What one message of that weighs beyond its bytes. */
const EARLY_OVERHEAD = 384;

/**
 * How long a close waits for its acknowledgement before the path is given up, ms. On a path whose round trip is not known yet
 * the first probes follow after 0.2, 0.7, 1.6 and 3.4 s (RFC 9002 section 6.2): all of them shall have their chance.
 */
const CLOSE_LINGER_MS = 5000;

export interface PacketSessionOptions {
  clientId: bigint;
  userData: Uint8Array;
  /** What a round trip took in netcode's handshake, ms. */
  handshakeMs: number;
  /** The longest packet that the link takes. Default 1200, netcode's longest payload. */
  maxPacketBytes?: number;
  limits: SessionLimits;
  conditions: NetworkConditions | null;
}

/** A session over a link that carries packets, by the message channels: over netcode or a data channel. */
export class PacketSession implements Session, Pumped {
  readonly clientId: bigint;
  readonly userData: Uint8Array;
  onClose: Session["onClose"] = null;
  onPath: Session["onPath"] = null;
  /** @internal */
  deadline: number = Number.POSITIVE_INFINITY;
  /** @internal */
  queued = false;
  readonly #link: SessionLink;
  readonly #pump: SessionPump;
  readonly #endpoint: MessageEndpoint;
  readonly #limits: SessionLimits;
  /** What this peer makes us hold. */
  readonly #held: HeldBytes;
  #onMessage: Session["onMessage"] = null;
  /** What came before anybody listened: the first message may stand right behind the packet that opened the session. */
  readonly #early: { data: Uint8Array; mode: SessionMode; channel: number }[] = [];
  #earlyBytes = 0;
  #state: "open" | "closing" | "closed" = "open";
  /** Reliable messages, so that a close frame on its own channel does not overtake them. */
  #reliableSent = 0;
  #reliableReceived = 0;
  #remoteClose: CloseFrame | null = null;
  #lingerUntil = Number.POSITIVE_INFINITY;
  #line: Line | null = null;
  #traffic: TrafficTrace | null = null;
  #closeTraced = false;

  constructor(link: SessionLink, pump: SessionPump, options: PacketSessionOptions) {
    this.clientId = options.clientId;
    this.userData = options.userData;
    this.#link = link;
    this.#pump = pump;
    this.conditions = options.conditions;
    this.#limits = options.limits;
    const budget = options.limits.budget ?? new HeldBytesBudget(Number.POSITIVE_INFINITY);
    this.#held = budget.open((bytes) => this.#overspent(describeFull(budget, bytes)));
    const { maxMessageBytes, ...limits } = channelLimitsOf(options.limits);
    this.#endpoint = new MessageEndpoint(
      {
        ...limits,
        // Its own messages fit, whatever the application's may be.
        ...(maxMessageBytes !== undefined && { maxMessageBytes: Math.max(maxMessageBytes, MAX_CLOSE_BYTES) }),
        held: this.#held,
        maxPacketBytes: options.maxPacketBytes ?? options.limits.maxPacketBytes ?? MAX_PAYLOAD_BYTES,
        initialRttMs: Math.min(Math.max(options.handshakeMs, MIN_INITIAL_RTT_MS), MAX_INITIAL_RTT_MS),
      },
      {
        message: (data, mode, channel) => this.#message(data, mode, channel),
        failed: (failure) => this.#failed(failure),
      },
    );
    pump.add(this);
  }

  get remote(): Endpoint {
    return this.#link.remote;
  }

  get onMessage(): Session["onMessage"] {
    return this.#onMessage;
  }

  set onMessage(listener: Session["onMessage"]) {
    this.#onMessage = listener;
    if (listener === null) return;
    this.#held.give(this.#earlyBytes);
    this.#earlyBytes = 0;
    for (const { data, mode, channel } of this.#early.splice(0)) this.#onMessage?.(data, mode, channel);
  }

  get pathKind(): SessionPathKind {
    return this.#link.kind ?? "direct";
  }

  pairs(): readonly SessionPathPair[] {
    return this.#link.pairs?.() ?? [];
  }

  get open(): boolean {
    return this.#state === "open";
  }

  get silentMs(): number {
    return this.#pump.now() - this.#link.heardAt;
  }

  get stats(): SessionStats {
    const { stats } = this.#endpoint;
    return {
      rttMs: stats.rttMs,
      jitterMs: stats.rttVarMs,
      loss: stats.loss,
      bytesIn: stats.bytesReceived,
      bytesOut: stats.bytesSent,
      packetsIn: stats.packetsReceived,
      packetsOut: stats.packetsSent,
      packetsLost: stats.packetsLost,
      bufferedBytes: stats.bufferedBytes,
      congestionWindow: stats.congestionWindow,
      bytesInFlight: stats.bytesInFlight,
      maxPacketBytes: stats.maxPacketBytes,
    };
  }

  get conditions(): NetworkConditions | null {
    return this.#line?.conditions ?? null;
  }

  set conditions(conditions: NetworkConditions | null) {
    if (conditions === null) this.#line = null;
    else if (this.#line) this.#line.conditions = conditions;
    else this.#line = new Line(conditions);
  }

  send(data: Uint8Array, mode: SessionMode, options?: SendOptions): boolean {
    if (options?.channel === CONTROL_CHANNEL) throw new RangeError("channel is 255, it must be from 0 to 254");
    if (this.#state !== "open") return false;
    if (!this.#endpoint.send(data, mode, options)) return false;
    if (isReliable(mode)) this.#reliableSent++;
    this.#pump.flushAtEndOfTick(this);
    return true;
  }

  flush(): void {
    this.#pump.flushNow(this);
  }

  close(code: number = CLOSE_NORMAL, reason = ""): void {
    if (this.#state !== "open") return;
    this.#state = "closing";
    const now = this.#pump.now();
    const sent = this.#endpoint.send(encodeClose({ code, text: reason, after: this.#reliableSent }), "reliable", {
      channel: CONTROL_CHANNEL,
    });
    this.#lingerUntil = sent ? now + CLOSE_LINGER_MS : now;
    this.#finish("local", code, reason);
    this.#pump.flushNow(this);
  }

  abort(code: number = CLOSE_NORMAL, reason = ""): void {
    if (this.#state === "open") this.#fail("local", code, reason);
  }

  /** @internal One decrypted payload from the path. */
  receive(payload: Uint8Array, now: number): void {
    if (this.#state === "closed") return;
    if (this.#line) this.#line.receive(payload, now);
    else this.#endpoint.receive(payload, now);
    // A close may be waiting for this.
    if (this.#state === "open") this.#pump.comeBack(this, this.#nextTimeout(now), now);
    else this.#pump.flushAtEndOfTick(this);
  }

  /** @internal The far end has another address now: what waits is sent there at once. */
  moved(): void {
    if (this.#state === "closed") return;
    if (trace.on) trace.event("path-changed", { remote: this.remote, kind: this.pathKind });
    this.#endpoint.pathChanged(this.#pump.now());
    this.#pump.flushAtEndOfTick(this);
    this.onPath?.(this.remote);
  }

  /** @internal The path is gone without a close frame. */
  lost(reason: CloseReason, text = ""): void {
    const closing = this.#remoteClose;
    this.#release();
    // The other side's close frame came, what it waited for did not: its word still stands.
    if (closing) this.#finish("remote", closing.code, closing.text);
    else this.#finish(reason, CLOSE_ABNORMAL, text);
  }

  /** @internal Sends what is due. @returns when to come back, in ms. */
  flushAt(now: number): number {
    if (trace.on) (this.#traffic ??= new TrafficTrace()).look(now, this);
    if (this.#line) this.#readLine(this.#line, now);
    if (this.#state === "closed") return Number.POSITIVE_INFINITY;
    const line = this.#line;
    let next = Number.POSITIVE_INFINITY;
    // A link that is full calls for the rest itself.
    while (!this.#link.isFull) {
      const length = this.#endpoint.poll(packet, now);
      if (length > 0) {
        const payload = (views[length] ??= packet.subarray(0, length));
        if (line) line.send(payload, now);
        else this.#link.send(payload, now);
      }
      next = this.#endpoint.nextTimeout(now);
      if (length === 0 || next > now) break;
    }
    if (line) {
      for (let payload = line.leaving(now); payload; payload = line.leaving(now)) this.#link.send(payload, now);
      next = Math.min(next, line.nextDue);
    }
    if (this.#state === "closing" && (now >= this.#lingerUntil || this.#endpoint.stats.bufferedBytes === 0)) {
      this.#link.disconnect(now);
      this.#release();
      return Number.POSITIVE_INFINITY;
    }
    return Math.min(next, this.#lingerUntil);
  }

  #nextTimeout(now: number): number {
    const next = this.#endpoint.nextTimeout(now);
    return this.#line ? Math.min(next, this.#line.nextDue) : next;
  }

  #readLine(line: Line, now: number): void {
    for (let payload = line.arrived(now); payload; payload = line.arrived(now)) this.#endpoint.receive(payload, now);
  }

  #message(data: Uint8Array, mode: SessionMode, channel: number): void {
    if (channel === CONTROL_CHANNEL) {
      const frame = decodeClose(data);
      if (frame === null) this.#fail("protocol-error", CLOSE_PROTOCOL_ERROR, "malformed close frame");
      else this.#remoteClose ??= frame;
    } else {
      if (isReliable(mode)) this.#reliableReceived++;
      if (this.#state === "open") this.#deliver(data, mode, channel);
    }
    if (this.#remoteClose && this.#reliableReceived >= this.#remoteClose.after) this.#closedByRemote(this.#remoteClose);
  }

  #closedByRemote({ code, text }: CloseFrame): void {
    if (this.#state === "closed") return;
    // One more round so that the close frame is acknowledged; then there is nothing left to wait for.
    const open = this.#state === "open";
    this.#state = "closing";
    this.#lingerUntil = this.#pump.now();
    if (open) this.#finish("remote", code, text);
  }

  #deliver(data: Uint8Array, mode: SessionMode, channel: number): void {
    if (this.#onMessage) {
      this.#onMessage(data, mode, channel);
      return;
    }
    const cost = data.length + EARLY_OVERHEAD;
    if (this.#earlyBytes + cost > (this.#limits.maxReceiveBytes ?? MAX_EARLY_BYTES)) {
      if (isReliable(mode))
        this.#fail("limit", CLOSE_TRY_AGAIN_LATER, "more came than is kept for a listener that is not there yet");
      return;
    }
    if (!this.#held.take(cost)) return;
    this.#earlyBytes += cost;
    this.#early.push({ data: data.slice(), mode, channel });
  }

  #failed({ code, message }: ChannelFailure): void {
    if (code === "message-too-large") this.#fail("limit", CLOSE_TOO_BIG, message);
    else this.#fail("protocol-error", CLOSE_PROTOCOL_ERROR, message);
  }

  #overspent(text: string): void {
    this.#fail("limit", this.#limits.budgetSpentCode ?? CLOSE_TRY_AGAIN_LATER, text);
  }

  /** Lets go of all that waits, tells the peer why, and ends as soon as it knows. */
  #fail(reason: CloseReason, code: number, text: string): void {
    if (this.#state === "closed") return;
    const open = this.#state === "open";
    this.#state = "closing";
    this.#early.length = 0;
    const now = this.#pump.now();
    // Whoever closed it before has said why.
    const told = open && this.#endpoint.farewell(encodeClose({ code, text, after: 0 }), CONTROL_CHANNEL);
    if (!open) this.#endpoint.close();
    this.#lingerUntil = told ? now + CLOSE_LINGER_MS : now;
    this.#pump.flushAtEndOfTick(this);
    if (open) this.#finish(reason, code, text);
  }

  #finish(reason: CloseReason, code: number, text: string): void {
    const { onClose } = this;
    if (trace.on && !this.#closeTraced) {
      trace.event("closed", { remote: this.remote, reason, code, text: text || undefined });
    }
    this.#closeTraced = true;
    this.onClose = null;
    onClose?.(reason, code, text);
  }

  #release(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#endpoint.close();
    this.#held.close();
    this.#early.length = 0;
    this.#pump.delete(this);
  }
}

function isReliable(mode: SessionMode): boolean {
  return mode === "reliable" || mode === "reliable-unordered";
}
