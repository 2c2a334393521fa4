import type {
  NativeDataChannel,
  NativePeerConnection,
  PeerConnectionConfig,
  PeerConnectionLibrary,
} from "../../../../../sdk/src/colyseus/server/webrtc/library.ts";

export class FakeNativeChannel implements NativeDataChannel {
  readonly sent: (string | Uint8Array)[] = [];
  closed = false;
  message: (data: string | Buffer) => void = () => {};

  close(): void {
    this.closed = true;
  }
  sendMessage(text: string): boolean {
    this.sent.push(text);
    return true;
  }
  sendMessageBinary(bytes: Uint8Array): boolean {
    this.sent.push(bytes.slice());
    return true;
  }
  bufferedAmount(): number {
    return 0;
  }
  setBufferedAmountLowThreshold(): void {}
  onBufferedAmountLow(): void {}
  onClosed(): void {}
  onError(): void {}
  onMessage(listener: (data: string | Buffer) => void): void {
    this.message = listener;
  }
}

export class FakePeerConnection implements NativePeerConnection {
  readonly channels: FakeNativeChannel[] = [];
  readonly config: PeerConnectionConfig;
  offer = "";
  closed = false;
  state: (state: string) => void = () => {};
  opened: (channel: NativeDataChannel) => void = () => {};

  constructor(config: PeerConnectionConfig) {
    this.config = config;
  }
  close(): void {
    this.closed = true;
  }
  setLocalDescription(): void {}
  setRemoteDescription(sdp: string): void {
    if (sdp.includes("ice-ufrag:BAD")) throw new Error("as asked");
    this.offer = sdp;
  }
  localDescription(): { sdp: string } {
    return { sdp: "v=0\r\na=end-of-candidates\r\n" };
  }
  createDataChannel(): FakeNativeChannel {
    const channel = new FakeNativeChannel();
    this.channels.push(channel);
    return channel;
  }
  gatheringState(): string {
    return "complete";
  }
  onStateChange(listener: (state: string) => void): void {
    this.state = listener;
  }
  onGatheringStateChange(): void {}
  onDataChannel(listener: (channel: NativeDataChannel) => void): void {
    this.opened = listener;
  }
  getSelectedCandidatePair(): ReturnType<NativePeerConnection["getSelectedCandidatePair"]> {
    return {
      local: { address: "192.0.2.2", port: 17777, type: "host" },
      remote: { address: "::ffff:192.0.2.9", port: 5, type: "prflx" },
    };
  }

  /** As when the browser says that it stands by this way. */
  join(): void {
    this.channels[0]?.message(Buffer.of(0xc2));
  }
}

/** node-datachannel, as far as it is used, without a network. */
export function fakeLibrary(): { library: PeerConnectionLibrary; connections: FakePeerConnection[]; held: number[] } {
  const connections: FakePeerConnection[] = [];
  const held: number[] = [];
  class PeerConnection extends FakePeerConnection {
    constructor(_name: string, config: PeerConnectionConfig) {
      super(config);
      connections.push(this);
    }
  }
  class IceUdpMuxListener {
    readonly #port: number;
    constructor(port: number) {
      this.#port = port;
      held.push(port);
    }
    stop(): void {
      held.splice(held.indexOf(this.#port), 1);
    }
  }
  return {
    library: { PeerConnection, IceUdpMuxListener, setSctpSettings: () => {}, cleanup: () => {} },
    connections,
    held,
  };
}
