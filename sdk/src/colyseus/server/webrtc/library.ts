/** As much of node-datachannel as is used here; for tests to replace. */
export interface PeerConnectionLibrary {
  PeerConnection: new (name: string, config: PeerConnectionConfig) => NativePeerConnection;
  /** Holds the port that all peer connections share. Throws when it is taken. */
  IceUdpMuxListener: new (
    port: number,
    address?: string,
  ) => { stop(): void };
  /** For all connections that follow. */
  setSctpSettings(settings: { recvBufferSize: number; sendBufferSize: number }): void;
  /** Closes everything, of everybody in this process, for good. */
  cleanup(): void;
}

export interface PeerConnectionConfig {
  /** `stun:host:port`, `turn:user:secret@host:port`. */
  iceServers: (string | NativeIceServer)[];
  iceTransportPolicy?: "all" | "relay";
  bindAddress?: string;
  enableIceUdpMux: boolean;
  portRangeBegin?: number;
  portRangeEnd?: number;
  disableAutoNegotiation: boolean;
  maxMessageSize: number;
}

/** A TURN server over UDP, which is all that libjuice speaks. */
export interface NativeIceServer {
  hostname: string;
  port: number;
  username: string;
  password: string;
  relayType: "TurnUdp";
}

export interface NativePeerConnection {
  close(): void;
  setLocalDescription(type: "answer"): void;
  setRemoteDescription(sdp: string, type: "offer"): void;
  localDescription(): { sdp: string } | null;
  createDataChannel(
    label: string,
    options: { negotiated: true; id: number; unordered?: boolean; maxRetransmits?: number },
  ): NativeDataChannel;
  gatheringState(): string;
  onStateChange(listener: (state: string) => void): void;
  onGatheringStateChange(listener: (state: string) => void): void;
  onDataChannel(listener: (channel: NativeDataChannel) => void): void;
  getSelectedCandidatePair(): { local: NativeCandidate; remote: NativeCandidate } | null;
}

interface NativeCandidate {
  address: string;
  port: number;
  type: string;
}

export interface NativeDataChannel {
  close(): void;
  sendMessage(text: string): boolean;
  sendMessageBinary(bytes: Uint8Array): boolean;
  bufferedAmount(): number;
  setBufferedAmountLowThreshold(bytes: number): void;
  onBufferedAmountLow(listener: () => void): void;
  onClosed(listener: () => void): void;
  onError(listener: (problem: string) => void): void;
  onMessage(listener: (data: string | Buffer | ArrayBuffer) => void): void;
}

/**
 * What one browser may have on its way, each way, bytes: libdatachannel's own 1 MiB is outside of our budget. A UDP session's window is as
 * wide (PROTOCOL 2.6).
 */
const SCTP_BUFFER_BYTES = 256 * 1024;

let loaded: Promise<PeerConnectionLibrary> | undefined;

/** @throws Error that says what to install */
export function loadLibrary(): Promise<PeerConnectionLibrary> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<PeerConnectionLibrary> {
  let library: PeerConnectionLibrary;
  try {
    ({ default: library } = await import("node-datachannel"));
  } catch (error) {
    throw new Error(
      "WebRTC for browsers needs the package node-datachannel, which could not be loaded: npm install node-datachannel",
      { cause: error },
    );
  }
  library.setSctpSettings({ recvBufferSize: SCTP_BUFFER_BYTES, sendBufferSize: SCTP_BUFFER_BYTES });
  // Says goodbye to browsers that are still there, and ends the library's threads before what they use is gone.
  process.once("exit", () => {
    try {
      library.cleanup();
    } catch {
      // The process ends anyway.
    }
  });
  return library;
}
