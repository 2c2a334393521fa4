import type { Endpoint } from "../../net/endpoint.ts";
import { CLOSE_GOING_AWAY } from "../../session/close-code.ts";
import type { SessionPathKind } from "../../session/path.ts";
import { SessionPump } from "../../session/pump.ts";
import type { Session } from "../../session/types.ts";
import {
  DataChannelLink,
  type DataChannelLinkOptions,
  type DataChannelPeer,
  type DataChannelPort,
  KEEP_ALIVE_MS,
  LOW_BYTES,
} from "../webrtc/link.ts";
import { relayedAlone } from "../webrtc/relayed-candidates.ts";
import { PACKET_CHANNEL } from "../wire/webrtc-request.ts";
import { SelectedPath } from "./selected-path.ts";

/** STUN servers that do not answer are not waited for longer. */
const GATHERING_MS = 1000;
/** Where nothing else counts, a TURN server has longer: over TCP it takes four round trips. */
const RELAY_GATHERING_MS = 4000;
/** Browsers that do not tell of another path are asked this often, ms. */
const LOOK_MS = 1000;

/** The browser's peer connection with its channel. */
export class BrowserPeer implements DataChannelPeer {
  readonly channel: DataChannelPort;
  readonly #connection: RTCPeerConnection;
  readonly #channel: RTCDataChannel;
  readonly #hasServers: boolean;
  readonly #relayOnly: boolean;
  readonly #path: SelectedPath;
  readonly #pump = new SessionPump();
  readonly #timers: ReturnType<typeof setInterval>[] = [];
  #onHide: (() => void) | undefined;

  /** @param relayOnly TURN servers carry everything, and the offer names no address of this browser */
  constructor(iceServers: RTCIceServer[], relayOnly: boolean = false) {
    this.#relayOnly = relayOnly;
    this.#connection = new RTCPeerConnection({ iceServers, iceTransportPolicy: relayOnly ? "relay" : "all" });
    this.#hasServers = iceServers.length > 0;
    this.#path = new SelectedPath(this.#connection);
    const { id, label } = PACKET_CHANNEL;
    const channel = this.#connection.createDataChannel(label, {
      negotiated: true,
      id,
      ordered: false,
      maxRetransmits: 0,
    });
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = LOW_BYTES;
    this.#channel = channel;
    this.channel = {
      bufferedAmount: () => channel.bufferedAmount,
      send: (data) => channel.send(data as Uint8Array<ArrayBuffer>),
    };
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

  /** Resolves when the channel is open. From then on the host has us. */
  async connect(
    answer: string,
    { signal, ...options }: DataChannelLinkOptions & { signal: AbortSignal },
  ): Promise<Session> {
    const connection = this.#connection;
    await connection.setRemoteDescription({ type: "answer", sdp: answer });
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (this.#channel.readyState === "open") resolve();
        else if (connection.connectionState === "failed") reject(new Error("no packet got through over UDP"));
      };
      this.#channel.addEventListener("open", check);
      connection.addEventListener("connectionstatechange", check);
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
      check();
    });
    await this.#path.refresh();
    signal.throwIfAborted();
    return this.#adopt(options);
  }

  /** Whether UDP gets through, whatever else is to be agreed on before the channel opens. */
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
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#onHide) removeEventListener("pagehide", this.#onHide);
    this.#pump.close();
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

  #adopt(options: DataChannelLinkOptions): Session {
    const link = new DataChannelLink(this, this.#pump, options);
    const { session } = link;
    const connection = this.#connection;
    const channel = this.#channel;
    channel.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      // Text says nothing here.
      if (typeof data !== "string") link.receive(new Uint8Array(data));
    });
    channel.addEventListener("bufferedamountlow", () => link.drained());
    channel.addEventListener("close", () => link.ended("timeout", "the server closed the data channel"));
    connection.addEventListener("connectionstatechange", () => {
      const { connectionState } = connection;
      if (connectionState === "failed" || connectionState === "closed") {
        link.ended("timeout", `the connection is ${connectionState}`);
      }
    });
    const look = async (): Promise<void> => {
      if (await this.#path.refresh()) session.moved();
    };
    this.#path.onChange(() => void look());
    this.#timers.push(
      setInterval(() => link.tick(), KEEP_ALIVE_MS),
      setInterval(() => void look(), LOOK_MS),
    );
    this.#onHide = () => session.close(CLOSE_GOING_AWAY, "the page was left");
    addEventListener("pagehide", this.#onHide);
    // The first thing that the host hears: it takes the seat now.
    link.tick();
    return session;
  }
}
