import { ReplayWindow } from "./replay.ts";
import type { TokenEntry } from "./token-history.ts";
import type { NetcodeServerClient } from "./types.ts";

/** A token was accepted from this address; its client has not answered the challenge yet (an "encryption mapping"). */
export class Handshake {
  readonly slotted = false;
  readonly address: string;
  readonly port: number;
  clientId = 0n;
  /** ms, of the client's first accepted request. */
  beganAt = 0;
  /** Seconds; 0 or less: none. */
  timeoutSeconds = -1;
  /** Cells. */
  receiveKey = 0;
  sendKey = 0;
  /** Of the latest accepted request: consumed when the client gets a slot. */
  entry: TokenEntry | null = null;
  /** ms. Once passed there is no handshake any more. Infinity without a timeout. */
  deadline: number = Number.POSITIVE_INFINITY;
  /** ms, when its token expires. */
  tokenExpiry: number = Number.POSITIVE_INFINITY;

  constructor(address: string, port: number) {
    this.address = address;
    this.port = port;
  }
}

/** A client in its slot. */
export class ServerClient implements NetcodeServerClient {
  readonly slotted = true;
  readonly index: number;
  readonly clientId: bigint;
  readonly userData: Uint8Array;
  address: string;
  port: number;
  confirmed = false;
  connected = true;
  newest = false;
  strayed = false;
  lastReceiveTime: number;
  lastSendTime: number;
  bytesIn = 0;
  bytesOut = 0;
  context: unknown = undefined;
  readonly handshakeMs: number;
  /** ms of silence; Infinity: none. */
  readonly timeout: number;
  /** Cells. */
  readonly receiveKey: number;
  readonly sendKey: number;
  readonly window: ReplayWindow = new ReplayWindow();
  /** Of the next packet to it. A double: below 2^53 for longer than any server runs. */
  sequence = 0;
  /** Position in the server's list of clients. */
  position = 0;

  constructor(index: number, userData: Uint8Array, handshake: Handshake, now: number) {
    this.index = index;
    this.userData = userData;
    this.clientId = handshake.clientId;
    this.address = handshake.address;
    this.port = handshake.port;
    this.timeout = handshake.timeoutSeconds > 0 ? handshake.timeoutSeconds * 1000 : Number.POSITIVE_INFINITY;
    this.receiveKey = handshake.receiveKey;
    this.sendKey = handshake.sendKey;
    this.handshakeMs = Math.max(0, now - handshake.beganAt);
    this.lastReceiveTime = now;
    this.lastSendTime = now;
  }
}
