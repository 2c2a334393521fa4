import { debugAndPrintError } from "@colyseus/core";
import { type Endpoint, NOWHERE, normalizeAddress } from "../../../net/endpoint.ts";
import { traceOf } from "../../../net/trace.ts";
import { type SessionLimits } from "../../../session/limits.ts";
import type { SessionPathKind } from "../../../session/path.ts";
import { type DataChannelPort, LOW_BYTES } from "../../webrtc/send-queue.ts";
import { DataChannelSession, type PeerLink } from "../../webrtc/session.ts";
import { RELIABLE_CHANNEL, UNRELIABLE_CHANNEL } from "../../wire/webrtc-request.ts";
import type {
  NativeDataChannel,
  NativePeerConnection,
  PeerConnectionConfig,
  PeerConnectionLibrary,
} from "./library.ts";

const trace = traceOf("colyseus");

export interface NativePeerOptions {
  config: PeerConnectionConfig;
  timeoutMs: number;
  limits: SessionLimits;
  now: () => number;
}

/** Candidates of servers that do not answer are not waited for. */
const GATHERING_MS = 1000;

/** One browser's peer connection, and the session on it. */
export class NativePeer implements PeerLink {
  readonly session: DataChannelSession;
  readonly reliable: DataChannelPort;
  readonly unreliable: DataChannelPort;
  remote: Endpoint = NOWHERE;
  pathKind: SessionPathKind = "direct";
  /** Everything is let go of. */
  onClosed: (() => void) | null = null;
  readonly #connection: NativePeerConnection;
  /** Kept: what nobody holds, the garbage collector closes. */
  readonly #channels: NativeDataChannel[];
  #closed = false;

  constructor(library: PeerConnectionLibrary, { config, limits, ...options }: NativePeerOptions) {
    const connection = new library.PeerConnection("sallyport", config);
    this.#connection = connection;
    const { id, label } = RELIABLE_CHANNEL;
    const reliable = connection.createDataChannel(label, { negotiated: true, id });
    const unreliable = connection.createDataChannel(UNRELIABLE_CHANNEL.label, {
      negotiated: true,
      id: UNRELIABLE_CHANNEL.id,
      unordered: true,
      maxRetransmits: 0,
    });
    this.#channels = [reliable, unreliable];
    this.reliable = portOf(reliable);
    this.unreliable = portOf(unreliable);
    this.session = new DataChannelSession(this, {
      ...limits,
      ...options,
      later: (work, ms) => void setTimeout(guarded(work), ms).unref(),
    });
    this.#listen(reliable, "reliable");
    this.#listen(unreliable, "unreliable");
    connection.onStateChange(
      guarded((state: string) => {
        if (trace.on) trace.event("webrtc-state", { state, remote: this.remote });
        if (state === "failed" || state === "closed") this.session.ended("timeout", `the connection is ${state}`);
      }),
    );
    // There are two channels, by agreement; nobody asked for more.
    connection.onDataChannel(
      guarded((channel: NativeDataChannel) => {
        channel.onClosed(() => {});
        channel.close();
      }),
    );
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

  /** Looks where the browser is now. */
  locate(): void {
    const pair = this.#selectedPair();
    if (!pair) return;
    const { local, remote } = pair;
    this.pathKind = local.type === "relay" || remote.type === "relay" ? "relayed" : "direct";
    const found = { address: normalizeAddress(remote.address), port: remote.port };
    if (found.address === this.remote.address && found.port === this.remote.port) return;
    this.remote = found;
    this.session.onPath?.(found);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // Whatever is still on its way from the library's threads comes to nobody.
    this.session.ended("shutdown");
    for (const channel of this.#channels) channel.close();
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

  #listen(channel: NativeDataChannel, name: "reliable" | "unreliable"): void {
    channel.onMessage(
      guarded((data: string | Buffer | ArrayBuffer) =>
        this.session.receive(data instanceof ArrayBuffer ? new Uint8Array(data) : data, name),
      ),
    );
    channel.onError(guarded((problem: string) => this.session.ended("timeout", problem)));
    channel.onClosed(guarded(() => this.session.ended("timeout", "the browser closed the data channel")));
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

function portOf(channel: NativeDataChannel): DataChannelPort {
  return {
    bufferedAmount: () => channel.bufferedAmount(),
    sendBytes: (data) => void channel.sendMessageBinary(data),
    sendText: (text) => void channel.sendMessage(text),
    onLow: (listener) => {
      channel.setBufferedAmountLowThreshold(LOW_BYTES);
      channel.onBufferedAmountLow(guarded(listener));
    },
  };
}
