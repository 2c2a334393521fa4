import type { Endpoint } from "../net/endpoint.ts";

/** Fills all of `bytes` with unpredictable bytes. A test hands in a seeded one. */
export type RandomSource = (bytes: Uint8Array) => void;

/** The platform's cryptographic generator. */
export const systemRandom: RandomSource = (bytes) => {
  crypto.getRandomValues(bytes as Uint8Array<ArrayBuffer>);
};

/** What a connect token says to the client. The private part inside it is for the server alone. */
export interface ConnectToken {
  /** 64 bits that name the game and its version. */
  protocolId: bigint;
  /** Unix seconds. */
  createTimestamp: bigint;
  /** Unix seconds. */
  expireTimestamp: bigint;
  /** Seconds of silence after which either side gives up; 0 or less: never. */
  timeoutSeconds: number;
  /** 1 to 32, tried in turn. */
  serverAddresses: Endpoint[];
  /** 32 bytes, for packets to the server. */
  clientToServerKey: Uint8Array;
  /** 32 bytes, for packets to the client. */
  serverToClientKey: Uint8Array;
  /** XChaCha20-Poly1305 nonce of the private part, 24 bytes. */
  nonce: Uint8Array;
  /** 1024 bytes, encrypted; the last 16 are the tag that names the token. */
  privateData: Uint8Array;
}

/** Why bytes are not a connect token. */
export type ConnectTokenProblem = "length" | "version" | "timestamps" | "address-count" | "address-type";

/** Client states with the numbers of STANDARD.md. Zero and below are final: only a new `connect` leaves them. */
export const NetcodeClientState = {
  /** The token's lifetime passed before the connection stood. Ask for a new token. */
  tokenExpired: -6,
  /** The token could not be read. */
  invalidToken: -5,
  /** Connected, then silence for the token's timeout. */
  connectionTimedOut: -4,
  /** The last server challenged but never accepted the response. */
  responseTimedOut: -3,
  /** The last server never answered: unreachable, or it refuses the token in silence. */
  requestTimedOut: -2,
  /** The last server is full. */
  denied: -1,
  /** Not connected, and not about to be. */
  disconnected: 0,
  /** Asking a server of the token. */
  sendingRequest: 1,
  /** Answering the server's challenge. */
  sendingResponse: 2,
  /** Connected. */
  connected: 3,
} as const;
export type NetcodeClientState = (typeof NetcodeClientState)[keyof typeof NetcodeClientState];

/**
 * Why a server freed a client's slot: `timeout` (silence for the token's timeout), `client` (it said so), `server` (we
 * said so, or stopped).
 */
export type NetcodeDisconnectReason = "timeout" | "client" | "server";

/** A connected client as the server sees it. The object lives from `clientConnected` to `clientDisconnected`. */
export interface NetcodeServerClient {
  /** Slot, 0 to maxClients - 1, the lowest that was free. */
  readonly index: number;
  /** From the token: who this is, unique among the connected. */
  readonly clientId: bigint;
  /** From the token, 256 bytes. */
  readonly userData: Uint8Array;
  /** Where its packets come from and go to; changed by `rebind` only. */
  readonly address: string;
  /** The UDP port of `address`. */
  readonly port: number;
  /** ms from its first accepted request to its response: a round trip, or more where packets were lost. */
  readonly handshakeMs: number;
  /** Set by its first keep alive or payload: it knows that it is connected. */
  readonly confirmed: boolean;
  /** False once the slot was freed. */
  readonly connected: boolean;
  /** Time of the last keep alive or payload from its address, ms. */
  readonly lastReceiveTime: number;
  /** Time of the last packet to it, ms. */
  readonly lastSendTime: number;
  /** Of datagrams that came from its address, and of such that went there; both begin anew when it is rebound. */
  readonly bytesIn: number;
  /** Bytes of datagrams to its address; see {@link bytesIn}. */
  readonly bytesOut: number;
  /** Whether the last accepted packet had the highest sequence so far; only such a one may move a path (RFC 9000 section 9.3). */
  readonly newest: boolean;
  /** Whether the packet with the highest sequence so far came from elsewhere (`receiveAs`), not from its address. */
  readonly strayed: boolean;
  /** For the layer above: hang its own object here, to find it without a look-up. */
  context: unknown;
}
