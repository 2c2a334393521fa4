import type { Endpoint } from "../../net/endpoint.ts";
import type { SessionLimits } from "../../session/limits.ts";
import type { SessionPathKind } from "../../session/path.ts";
import { PING_INTERVAL_MS } from "../webrtc/liveness.ts";
import { relayedAlone } from "../webrtc/relayed-candidates.ts";
import { type DataChannelPort, LOW_BYTES } from "../webrtc/send-queue.ts";
import { DataChannelSession, type PeerLink } from "../webrtc/session.ts";
import { RELIABLE_CHANNEL, UNRELIABLE_CHANNEL } from "../wire/webrtc-request.ts";
import { SelectedPath } from "./selected-path.ts";

/** RFC 6455 section 7.4.1: the page goes away. */
const CLOSE_GOING_AWAY = 1001;
/** STUN servers that do not answer are not waited for longer. */
const GATHERING_MS = 1000;
/** Where nothing else counts, a TURN server has longer: over TCP it takes four round trips. */
const RELAY_GATHERING_MS = 4000;

/** The browser's peer connection with its two channels. */
export class BrowserLink implements PeerLink {
  readonly #connection: RTCPeerConnection;
  readonly #reliable: RTCDataChannel;
  readonly #unreliable: RTCDataChannel;
  readonly #hasServers: boolean;
  readonly #relayOnly: boolean;
  readonly #path: SelectedPath;
  #timer: ReturnType<typeof setInterval> | undefined;
  #onHide: (() => void) | undefined;
  readonly reliable: DataChannelPort;
  readonly unreliable: DataChannelPort;

  /** @param relayOnly TURN servers carry everything, and the offer names no address of this browser */
  constructor(iceServers: RTCIceServer[], relayOnly: boolean = false) {
    this.#relayOnly = relayOnly;
    this.#connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: relayOnly ? "relay" : "all" });
    this.#hasServers = iceServers.length > 0;
    this.#path = new SelectedPath(this.#connection);
    const { id, label } = RELIABLE_CHANNEL;
    this.#reliable = this.#connection.createDataChannel(label, { negotiated: true, id });
    this.#unreliable = this.#connection.createDataChannel(UNRELIABLE_CHANNEL.label, {
      negotiated: true,
      id: UNRELIABLE_CHANNEL.id,
      ordered: false,
      maxRetransmits: 0,
    });
    for (const channel of [this.#reliable, this.#unreliable]) channel.binaryType = "arraybuffer";
    this.reliable = portOf(this.#reliable);
    this.unreliable = portOf(this.#unreliable);
  }

  /**
   * The offer, with what our servers told of us. Without servers nothing is waited for: a page's own addresses are hidden (RFC 8828),
   * and the host sees where we come from.
   */
  async offer(signal: AbortSignal): Promise<string> {
    const connection = this.#connection;
    await connection.setLocalDescription();
    if (this.#hasServers) await this.#gathered(signal);
    signal.throwIfAborted();
    const sdp = connection.localDescription?.sdp ?? "";
    if (!this.#relayOnly) return sdp;
    const hidden = relayedAlone(sdp);
    if (hidden !== undefined) return hidden;
    throw new Error("no TURN server relays for this page, and its address is to stay hidden (relayOnly)");
  }

  /** Resolves when both channels are open. */
  async connect(
    answer: string,
    { signal, ...options }: SessionLimits & { timeoutMs: number; signal: AbortSignal },
  ): Promise<DataChannelSession> {
    const connection = this.#connection;
    await connection.setRemoteDescription({ type: "answer", sdp: answer });
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if ([this.#reliable, this.#unreliable].every(({ readyState }) => readyState === "open")) resolve();
        else if (connection.connectionState === "failed") reject(new Error("no packet got through over UDP"));
      };
      for (const channel of [this.#reliable, this.#unreliable]) channel.addEventListener("open", check);
      connection.addEventListener("connectionstatechange", check);
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      check();
    });
    await this.#path.refresh();
    signal.throwIfAborted();
    return this.#adopt(options);
  }

  /** Whether UDP gets through, whatever else is to be agreed on before the channels open. */
  get isConnected(): boolean {
    return ["connected", "completed"].includes(this.#connection.iceConnectionState);
  }

  get remote(): Endpoint {
    return this.#path.remote;
  }

  get pathKind(): SessionPathKind {
    return this.#path.kind;
  }

  close(): void {
    clearInterval(this.#timer);
    if (this.#onHide) removeEventListener("pagehide", this.#onHide);
    this.#connection.close();
  }

  #gathered(signal: AbortSignal): Promise<void> {
    const connection = this.#connection;
    return new Promise((resolve) => {
      const check = (): void => {
        if (connection.iceGatheringState === "complete") resolve();
      };
      connection.addEventListener("icegatheringstatechange", check);
      signal.addEventListener("abort", () => resolve(), { once: true });
      setTimeout(resolve, this.#relayOnly ? RELAY_GATHERING_MS : GATHERING_MS);
      check();
    });
  }

  #adopt(options: SessionLimits & { timeoutMs: number }): DataChannelSession {
    const session = new DataChannelSession(this, {
      ...options,
      now: () => performance.now(),
      later: (work, ms) => void setTimeout(work, ms),
    });
    const connection = this.#connection;
    for (const [channel, name] of [
      [this.#reliable, "reliable"],
      [this.#unreliable, "unreliable"],
    ] as const) {
      channel.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) =>
        session.receive(typeof data === "string" ? data : new Uint8Array(data), name),
      );
      channel.addEventListener("close", () => session.ended("timeout", "the server closed the data channel"));
    }
    connection.addEventListener("connectionstatechange", () => {
      const { connectionState } = connection;
      if (connectionState === "failed" || connectionState === "closed") {
        session.ended("timeout", `the connection is ${connectionState}`);
      }
    });
    const look = async (): Promise<void> => {
      if ((await this.#path.refresh()) && session.open) session.onPath?.(session.remote);
    };
    this.#path.onChange(() => void look());
    this.#timer = setInterval(() => {
      session.tick();
      void look();
    }, PING_INTERVAL_MS);
    session.tick();
    this.#onHide = () => session.close(CLOSE_GOING_AWAY, "the page was left");
    addEventListener("pagehide", this.#onHide);
    return session;
  }
}

function portOf(channel: RTCDataChannel): DataChannelPort {
  return {
    bufferedAmount: () => channel.bufferedAmount,
    sendBytes: (data) => channel.send(data as Uint8Array<ArrayBuffer>),
    sendText: (text) => channel.send(text),
    onLow: (listener) => {
      channel.bufferedAmountLowThreshold = LOW_BYTES;
      channel.addEventListener("bufferedamountlow", listener);
    },
  };
}
