import { listContains } from "./address.ts";
import { type ChallengeToken, openChallengeToken, sealChallengeToken } from "./challenge-token.ts";
import { KEY_BYTES, PACKET_CHALLENGE, PACKET_DENIED, PACKET_RESPONSE } from "./constants.ts";
import { countRefused, type NetcodeServerCounters } from "./counters.ts";
import { CHALLENGE_BODY_BYTES, PacketCodec } from "./packet.ts";
import type { PrivateToken } from "./private-token.ts";
import { isRequest, judgeExpire, openRequest, requestExpire, requestTag } from "./request.ts";
import type { Handshake } from "./server-peers.ts";
import { getSlab, type Slab } from "./sodium.ts";
import type { SourceTable } from "./source-table.ts";
import { TokenHistory } from "./token-history.ts";
import type { RandomSource } from "./types.ts";

/** What {@link Admission} needs of the server around it. */
export interface AdmissionHost {
  readonly counters: NetcodeServerCounters;
  readonly sources: SourceTable;
  isConnected(clientId: bigint): boolean;
  isFull(): boolean;
  /** A datagram at the slab's `wireOut`. */
  transmit(bytes: number, address: string, port: number): void;
}

export interface AdmissionOptions {
  protocolId: bigint;
  privateKey: Uint8Array;
  /** As tokens hold it. */
  ownAddress: Uint8Array;
  maxTokenLifetimeSeconds: number;
  historyCapacity: number;
  oneTokenPerClient: boolean;
  /** When the run began: the same moment by both clocks. */
  startedAt: number;
  startSeconds: number;
  maxPayloadBytes: number;
  random: RandomSource;
}

/** Challenge and denied packets count from 2^63, so that they never share a nonce with a slot's under the same key. */
const GLOBAL_SEQUENCE_HIGH = 0x8000_0000;
const TWO_32 = 0x1_0000_0000;

/**
 * Who may come in: requests, challenges, responses. Lives from the server's start to its stop, with the keys, sequences
 * and token history that begin anew each time. No answer is longer than a third of what it answers.
 */
export class Admission {
  readonly codec: PacketCodec;
  readonly #host: AdmissionHost;
  readonly #slab: Slab = getSlab();
  readonly #protocolId: Uint8Array = new Uint8Array(8);
  readonly #ownAddress: Uint8Array;
  readonly #startedAt: number;
  readonly #startSeconds: number;
  readonly #maxTokenLifetimeSeconds: number;
  readonly #oneTokenPerClient: boolean;
  readonly #history: TokenHistory;
  /** Cells. */
  readonly #privateKey: number;
  readonly #challengeKey: number;
  #globalSequence = 0;
  #challengeSequence = 0;

  constructor(host: AdmissionHost, options: AdmissionOptions) {
    this.#host = host;
    this.codec = new PacketCodec(options.protocolId, options.maxPayloadBytes);
    new DataView(this.#protocolId.buffer).setBigUint64(0, options.protocolId, true);
    this.#ownAddress = options.ownAddress;
    this.#startedAt = options.startedAt;
    this.#startSeconds = options.startSeconds;
    this.#maxTokenLifetimeSeconds = options.maxTokenLifetimeSeconds;
    this.#oneTokenPerClient = options.oneTokenPerClient;
    this.#history = new TokenHistory(options.historyCapacity);
    this.#privateKey = this.#slab.storeCell(options.privateKey);
    const challengeKey = new Uint8Array(KEY_BYTES);
    options.random(challengeKey);
    this.#challengeKey = this.#slab.storeCell(challengeKey);
    challengeKey.fill(0);
  }

  /**
   * STANDARD.md, "Processing Connection Requests", with the token rules of netcode 1.4.5; the order of the checks is part
   * of the protocol. True if it was answered.
   */
  request(data: Uint8Array, address: string, port: number, now: number, unixSeconds: number): boolean {
    const token = this.#openRequest(data, now, unixSeconds);
    if (!token) return false;
    const answered = this.#admit(token, data, address, port, now, unixSeconds);
    token.clientToServerKey.fill(0);
    token.serverToClientKey.fill(0);
    return answered;
  }

  /**
   * STANDARD.md, "Processing Connection Response Packets", up to where a slot is looked for: the challenge token that
   * came back, or null. From a handshake nothing but a response counts.
   */
  response(handshake: Handshake, data: Uint8Array, now: number): ChallengeToken | null {
    const { counters } = this.#host;
    if (handshake.deadline < now) {
      counters.refusedNoKey++;
      return null;
    }
    const type = this.codec.open(data, handshake.receiveKey, null, 1 << PACKET_RESPONSE);
    if (type < 0) {
      countRefused(counters, type);
      return null;
    }
    const body = this.#slab.plainView(CHALLENGE_BODY_BYTES);
    const sequence = new DataView(body.buffer, body.byteOffset, 8);
    const [low, high] = [sequence.getUint32(0, true), sequence.getUint32(4, true)];
    const challenge = openChallengeToken(body.subarray(8), low, high, this.#challengeKey);
    // A challenge token is bound to no connect token; the client id binds it to the one that this handshake stands on.
    if (challenge?.clientId !== handshake.clientId) {
      counters.responseForged++;
      return null;
    }
    if (this.#host.isConnected(handshake.clientId)) {
      counters.responseConnected++;
      return null;
    }
    return challenge;
  }

  /** The server filled up between challenge and response. */
  deny(handshake: Handshake): void {
    this.#deny(handshake.sendKey, handshake.address, handshake.port);
  }

  release(): void {
    this.#slab.releaseCell(this.#privateKey);
    this.#slab.releaseCell(this.#challengeKey);
    this.codec.release();
  }

  /** The checks that the datagram alone decides. */
  #openRequest(data: Uint8Array, now: number, unixSeconds: number): PrivateToken | null {
    const { counters } = this.#host;
    if (!isRequest(data, this.#protocolId)) {
      counters.requestMalformed++;
      return null;
    }
    const expire = requestExpire(data);
    const judgement = judgeExpire(
      expire,
      unixSeconds,
      this.#startedBefore(now, unixSeconds),
      this.#maxTokenLifetimeSeconds,
    );
    if (judgement !== "good") {
      if (judgement === "expired") counters.requestExpired++;
      else counters.requestPredatesStart++;
      return null;
    }
    const token = openRequest(data, this.#privateKey);
    if (typeof token !== "string") return token;
    counters.requestForged++;
    return null;
  }

  /**
   * The start, as the wall clock counts now: where it was set back it lies in the future, and all new tokens would predate it. The
   * second is for rounding: both clocks together never put the start later than it was.
   */
  #startedBefore(now: number, unixSeconds: number): number {
    return Math.min(this.#startSeconds, unixSeconds - Math.floor((now - this.#startedAt) / 1000) + 1);
  }

  /** The checks that depend on who is here, and the answer. */
  #admit(
    token: PrivateToken,
    data: Uint8Array,
    address: string,
    port: number,
    now: number,
    unixSeconds: number,
  ): boolean {
    const { counters, sources } = this.#host;
    if (!listContains(token.addressList, this.#ownAddress)) {
      counters.requestOtherServer++;
      return false;
    }
    if (sources.get(address, port)?.slotted || this.#host.isConnected(token.clientId)) {
      counters.requestConnected++;
      return false;
    }
    const expire = requestExpire(data);
    const entry = this.#history.admit(
      requestTag(data),
      address,
      port,
      expire,
      unixSeconds,
      this.#oneTokenPerClient ? token.clientId : undefined,
    );
    if (typeof entry === "string") {
      if (entry === "used") counters.requestTokenUsed++;
      else counters.requestOverload++;
      return false;
    }
    if (this.#host.isFull()) {
      const key = this.#slab.storeCell(token.serverToClientKey);
      this.#deny(key, address, port);
      this.#slab.releaseCell(key);
      return true;
    }
    const tokenExpiry = now + (expire - unixSeconds) * 1000;
    const handshake = sources.begin(address, port, token, entry, now, tokenExpiry);
    if (!handshake) {
      counters.requestOverload++;
      return false;
    }
    counters.challenged++;
    this.#challenge(handshake, token);
    return true;
  }

  #challenge(handshake: Handshake, token: PrivateToken): void {
    const slab = this.#slab;
    const sequence = this.#challengeSequence++;
    const [low, high] = [sequence >>> 0, Math.floor(sequence / TWO_32)];
    const challenge = sealChallengeToken(token, low, high, this.#challengeKey);
    slab.u32[slab.body >> 2] = low;
    slab.u32[(slab.body >> 2) + 1] = high;
    slab.u8.set(challenge, slab.body + 8);
    this.#send(PACKET_CHALLENGE, CHALLENGE_BODY_BYTES, handshake.sendKey, handshake.address, handshake.port);
  }

  #deny(key: number, address: string, port: number): void {
    this.#host.counters.denied++;
    this.#send(PACKET_DENIED, 0, key, address, port);
  }

  #send(type: number, length: number, key: number, address: string, port: number): void {
    const sequence = this.#globalSequence++;
    const high = GLOBAL_SEQUENCE_HIGH + Math.floor(sequence / TWO_32);
    this.#host.transmit(this.codec.seal(type, sequence >>> 0, high, key, length), address, port);
  }
}
