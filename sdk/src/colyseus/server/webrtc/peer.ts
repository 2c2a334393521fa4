import { debugAndPrintError } from "@colyseus/core";
import { type Endpoint, NOWHERE, normalizeAddress } from "../../../net/endpoint.ts";
import { traceOf } from "../../../net/trace.ts";
import type { PacketSession } from "../../../session/packet-session.ts";
import type { SessionPathKind } from "../../../session/path.ts";
import type { SessionPump } from "../../../session/pump.ts";
import {
  DataChannelLink,
  type DataChannelLinkOptions,
  type DataChannelPeer,
  type DataChannelPort,
  LOW_BYTES,
} from "../../webrtc/link.ts";
import { PACKET_CHANNEL } from "../../wire/webrtc-request.ts";
import type {
  NativeDataChannel,
  NativePeerConnection,
  PeerConnectionConfig,
  PeerConnectionLibrary,
} from "./library.ts";

const trace = traceOf("colyseus");

export interface NativePeerOptions extends DataChannelLinkOptions {
  config: PeerConnectionConfig;
  pump: SessionPump;
}

/** Candidates of servers that do not answer are not waited for. */
const GATHERING_MS = 1000;

/** One browser's peer connection, and the session on it once the browser has said something. */
export class NativePeer implements DataChannelPeer {
  readonly channel: DataChannelPort;
  remote: Endpoint = NOWHERE;
  pathKind: SessionPathKind = "direct";
  /** The browser stands by this way: its first packet has come. */
  onSession: ((session: PacketSession) => void) | null = null;
  /** Everything is let go of. */
  onClosed: (() => void) | null = null;
  readonly #options: NativePeerOptions;
  readonly #connection: NativePeerConnection;
  /** Kept: what nobody holds, the garbage collector closes. */
  readonly #channel: NativeDataChannel;
  #link: DataChannelLink | undefined;
  #closed = false;

  constructor(library: PeerConnectionLibrary, options: NativePeerOptions) {
    this.#options = options;
    const connection = new library.PeerConnection("sallyport", options.config);
    this.#connection = connection;
    const { id, label } = PACKET_CHANNEL;
    const channel = connection.createDataChannel(label, { negotiated: true, id, unordered: true, maxRetransmits: 0 });
    this.#channel = channel;
    this.channel = {
      bufferedAmount: () => channel.bufferedAmount(),
      send: (data) => void channel.sendMessageBinary(data),
    };
    this.#listen(channel);
    connection.onStateChange(
      guarded((state: string) => {
        if (trace.on) trace.event("webrtc-state", { state, remote: this.remote });
        if (state === "failed" || state === "closed") this.#ended(`the connection is ${state}`);
      }),
    );
    // There is one channel, by agreement; nobody asked for more.
    connection.onDataChannel(
      guarded((extra: NativeDataChannel) => {
        extra.onClosed(() => {});
        extra.close();
      }),
    );
  }

  get session(): PacketSession | undefined {
    return this.#link?.session;
  }

  /**
   * Takes the browser's offer.
   * @returns our answer, with what candidates libdatachannel found
   * @throws Error for an offer that it does not take
   */
  async answer(offer: string, waitForServers: boolean): Promise<string> {
    const connection = this.#connection;
    const gathered = new Promise<void>((resolve) => {
      connection.onGatheringStateChange(guarded((state: string) => state === "complete" && resolve()));
      setTimeout(resolve, GATHERING_MS).unref();
    });
    connection.setRemoteDescription(offer, "offer");
    connection.setLocalDescription("answer");
    if (waitForServers) await gathered;
    const sdp = this.#closed ? undefined : connection.localDescription()?.sdp;
    if (!sdp) throw new Error("There is no answer to this offer.");
    return sdp;
  }

  /** To be called about every {@link KEEP_ALIVE_MS}. */
  tick(): void {
    this.#link?.tick();
  }

  /** Looks where the browser is now. */
  locate(): void {
    const pair = this.#selectedPair();
    if (!pair) return;
    const { local, remote } = pair;
    this.pathKind = local.type === "relay" || remote.type === "relay" ? "relayed" : "direct";
    const before = this.remote;
    const found = { address: normalizeAddress(remote.address), port: remote.port };
    if (found.address === before.address && found.port === before.port) return;
    this.remote = found;
    if (before !== NOWHERE) this.session?.moved();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Whatever is still on its way from the library's threads comes to nobody.
    this.session?.lost("shutdown");
    this.#channel.close();
    this.#connection.close();
    this.onClosed?.();
  }

  #selectedPair(): ReturnType<NativePeerConnection["getSelectedCandidatePair"]> {
    try {
      return this.#closed ? null : this.#connection.getSelectedCandidatePair();
    } catch {
      // Gone already in the library's threads, and we shall hear of it.
      return null;
    }
  }

  #listen(channel: NativeDataChannel): void {
    channel.onMessage(
      guarded((data: string | Buffer | ArrayBuffer) => {
        // Text says nothing here.
        if (typeof data !== "string") this.#receive(data instanceof ArrayBuffer ? new Uint8Array(data) : data);
      }),
    );
    channel.setBufferedAmountLowThreshold(LOW_BYTES);
    channel.onBufferedAmountLow(guarded(() => this.#link?.drained()));
    channel.onError(guarded((problem: string) => this.#ended(problem)));
    channel.onClosed(guarded(() => this.#ended("the browser closed the data channel")));
  }

  #receive(data: Uint8Array): void {
    if (this.#closed) return;
    if (!this.#link) {
      this.#link = new DataChannelLink(this, this.#options.pump, this.#options);
      this.onSession?.(this.#link.session);
      this.#link.tick();
    }
    this.#link.receive(data);
  }

  #ended(text: string): void {
    if (this.#link) this.#link.ended("timeout", text);
    else this.close();
  }
}

/** node-datachannel calls from C++, where an exception ends the process. */
function guarded<Parameters extends unknown[]>(
  work: (...parameters: Parameters) => unknown,
): (...parameters: Parameters) => void {
  return (...parameters) => {
    try {
      work(...parameters);
    } catch (error) {
      debugAndPrintError(error as Error);
    }
  };
}
