import type { Endpoint } from "../udp/endpoint.ts";
import { encodeAddress, listContains } from "./address.ts";
import { openChallengeToken, sealChallengeToken } from "./challenge-token.ts";
import { checkPrivateKey } from "./connect-token.ts";
import {
  DISCONNECT_PACKETS,
  KEY_BYTES,
  MAX_PACKET_BYTES,
  MAX_PAYLOAD_BYTES,
  PACKET_CHALLENGE,
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_PAYLOAD,
  PACKET_RESPONSE,
  SEND_INTERVAL_MS,
} from "./constants.ts";
import { countRefused, type NetcodeServerCounters, newServerCounters } from "./counters.ts";
import { NetcodeError } from "./errors.ts";
import { CHALLENGE_BODY_BYTES, PacketCodec, SERVER_READS } from "./packet.ts";
import { isRequest, judgeExpire, openRequest, requestExpire, requestTag } from "./request.ts";
import { type Handshake, ServerClient } from "./server-peers.ts";
import { getSlab, type Slab } from "./sodium.ts";
import { SourceTable } from "./source-table.ts";
import { TokenHistory } from "./token-history.ts";
import { type NetcodeDisconnectReason, type NetcodeServerClient, type RandomSource, systemRandom } from "./types.ts";

export interface NetcodeServerHandler {
  /** A datagram to send. `data` is valid during the call only. */
  send(data: Uint8Array, address: string, port: number): void;
  clientConnected(client: NetcodeServerClient): void;
  clientDisconnected(client: NetcodeServerClient, reason: NetcodeDisconnectReason): void;
  /** 1 to 1200 bytes, authentic and never twice; perhaps late or out of order. `data` is valid during the call only. */
  payload(client: NetcodeServerClient, data: Uint8Array): void;
}

export interface NetcodeServerOptions {
  protocolId: bigint;
  /** 32 bytes, shared with whoever issues the tokens. */
  privateKey: Uint8Array;
  /** How this server is known in the private part of tokens. It need not be an address that it listens on. */
  address: Endpoint;
  /** 1 to 65536. */
  maxClients: number;
  /**
   * The longest lifetime of any token issued for this server, in seconds. For so long after `start`, tokens that may
   * stem from before it are ignored. Default 30.
   */
  maxTokenLifetimeSeconds?: number;
  /** Default: the platform's cryptographic generator. */
  random?: RandomSource;
}

/** What exists between start and stop. Keys are cells. */
interface Run {
  readonly codec: PacketCodec;
  readonly privateKey: number;
  readonly challengeKey: number;
  readonly startSeconds: number;
  globalSequence: number;
  challengeSequence: number;
}

/** Challenge and denied packets count from 2^63, so that they never share a nonce with a slot's under the same key. */
const GLOBAL_SEQUENCE_HIGH = 0x8000_0000;
const TWO_32 = 0x1_0000_0000;

/**
 * The server's side of netcode 1.02. A datagram costs one look-up before it is dropped or deciphered; a request that is
 * not authentic costs one decryption and leaves nothing behind; no reply is longer than a third of what it answers.
 * Addresses are compared as text: hand them in as `normalizeAddress` leaves them.
 */
export class NetcodeServer {
  readonly maxClients: number;
  readonly counters: NetcodeServerCounters = newServerCounters();
  readonly #handler: NetcodeServerHandler;
  readonly #random: RandomSource;
  readonly #protocolId: bigint;
  readonly #protocolIdBytes: Uint8Array = new Uint8Array(8);
  readonly #privateKey: Uint8Array;
  readonly #ownAddress: Uint8Array;
  readonly #maxTokenLifetimeSeconds: number;
  readonly #slab: Slab;
  readonly #sources: SourceTable;
  readonly #history: TokenHistory;
  readonly #byId: Map<bigint, ServerClient> = new Map();
  readonly #slots: (ServerClient | null)[];
  readonly #clients: ServerClient[] = [];
  #run: Run | null = null;
  #nextUpdate: number = Number.POSITIVE_INFINITY;

  /** @throws {NetcodeError} `invalid-key`, `invalid-address`, `invalid-option`, `not-ready` */
  constructor(options: NetcodeServerOptions, handler: NetcodeServerHandler) {
    const { maxClients, maxTokenLifetimeSeconds = 30, random = systemRandom } = options;
    checkPrivateKey(options.privateKey);
    if (!Number.isInteger(maxClients) || maxClients < 1 || maxClients > 65_536) {
      throw new NetcodeError("invalid-option", `maxClients must be 1 to 65536, not ${maxClients}.`);
    }
    this.#slab = getSlab();
    this.#handler = handler;
    this.#random = random;
    this.maxClients = maxClients;
    this.#protocolId = options.protocolId;
    new DataView(this.#protocolIdBytes.buffer).setBigUint64(0, options.protocolId, true);
    this.#privateKey = new Uint8Array(options.privateKey);
    this.#ownAddress = encodeAddress(options.address);
    this.#maxTokenLifetimeSeconds = maxTokenLifetimeSeconds;
    // The reference has room for 4 x 256 and 8 x 256 with its 256 clients.
    this.#sources = new SourceTable(this.#slab, 4 * Math.max(256, maxClients));
    this.#history = new TokenHistory(8 * Math.max(256, maxClients));
    this.#slots = Array.from({ length: maxClients }, () => null);
  }

  get running(): boolean {
    return this.#run !== null;
  }

  /** The connected clients, in no order. It changes under a loop that disconnects: copy it then. */
  get clients(): readonly NetcodeServerClient[] {
    return this.#clients;
  }

  /** Clients that were challenged and have not answered yet. */
  get pendingHandshakes(): number {
    return this.#sources.handshakes;
  }

  client(index: number): NetcodeServerClient | null {
    return this.#slots[index] ?? null;
  }

  clientById(clientId: bigint): NetcodeServerClient | null {
    return this.#byId.get(clientId) ?? null;
  }

  /** Begins a run, with a fresh challenge key and no memory of used tokens. A run under way is stopped first. */
  start(now: number, unixSeconds: number): void {
    this.stop(now);
    const challengeKey = new Uint8Array(KEY_BYTES);
    this.#random(challengeKey);
    this.#run = {
      codec: new PacketCodec(this.#protocolId),
      privateKey: this.#slab.storeCell(this.#privateKey),
      challengeKey: this.#slab.storeCell(challengeKey),
      startSeconds: Math.floor(unixSeconds),
      globalSequence: 0,
      challengeSequence: 0,
    };
    challengeKey.fill(0);
  }

  /** Disconnects everyone and forgets all keys and tokens. */
  stop(now: number): void {
    const run = this.#run;
    if (!run) return;
    for (let client = this.#clients.at(-1); client; client = this.#clients.at(-1)) this.disconnect(client, now);
    this.#sources.dropAll();
    this.#history.clear();
    this.#slab.releaseCell(run.privateKey);
    this.#slab.releaseCell(run.challengeKey);
    run.codec.release();
    this.#run = null;
    this.#nextUpdate = Number.POSITIVE_INFINITY;
  }

  /**
   * Takes one datagram. True if it was netcode's and did something; false if it was dropped, for a reason that is
   * counted. Reply, connection, payload and disconnection happen inside the call.
   */
  receive(data: Uint8Array, address: string, port: number, now: number, unixSeconds: number): boolean {
    this.counters.received++;
    const run = this.#run;
    if (!run) return false;
    if (data.length < 2 || data.length > MAX_PACKET_BYTES) {
      this.counters.refusedSize++;
      return false;
    }
    let accepted = false;
    if (data[0] === 0) {
      accepted = this.#request(run, data, address, port, now, Math.floor(unixSeconds));
    } else {
      const source = this.#sources.get(address, port);
      if (!source) this.counters.refusedNoKey++;
      else if (source.slotted) accepted = this.#packet(run, source, data, now);
      else accepted = this.#response(run, source, data, now);
    }
    if (accepted) this.counters.accepted++;
    return accepted;
  }

  /**
   * As {@link receive}, for a datagram that came from elsewhere but seems to be this client's. True means that it is:
   * authentic and no replay. A layer that follows moving clients may then {@link rebind}, if `client.newest`.
   */
  receiveAs(client: NetcodeServerClient, data: Uint8Array, now: number): boolean {
    this.counters.received++;
    const slot = this.#slotOf(client);
    if (!this.#run || !slot || !this.#packet(this.#run, slot, data, now)) return false;
    this.counters.accepted++;
    return true;
  }

  /** Sends keep alives, frees the slots of the silent. Calls that come early do nothing. */
  update(now: number): void {
    if (!this.#run) return;
    this.#sources.dropLate(now);
    this.#nextUpdate = Number.POSITIVE_INFINITY;
    let next = this.#sources.nextDeadline + 1;
    // Backwards, since a callback may remove clients, which moves the last one into the gap.
    for (let position = this.#clients.length - 1; position >= 0; position--) {
      const client = this.#clients[position];
      if (!client) continue;
      // A clock that jumped back must not silence anyone until it has caught up.
      if (client.lastSendTime > now) client.lastSendTime = now;
      if (client.lastReceiveTime > now) client.lastReceiveTime = now;
      if (client.lastSendTime + SEND_INTERVAL_MS <= now) this.#sendKeepAlive(client, now);
      if (client.lastReceiveTime + client.timeout <= now) this.#free(client, "timeout");
      else next = Math.min(next, client.lastSendTime + SEND_INTERVAL_MS, client.lastReceiveTime + client.timeout);
    }
    this.#nextUpdate = Math.min(this.#nextUpdate, next);
  }

  /** When {@link update} may have something to do, ms, not before `now`; Infinity if nothing is under way. */
  nextUpdate(now: number): number {
    return Math.max(this.#nextUpdate, now);
  }

  /** Sends 1 to 1200 bytes. False if the client is gone or the size is wrong: then nothing was sent. */
  send(client: NetcodeServerClient | number, payload: Uint8Array, now: number): boolean {
    const slot = typeof client === "number" ? this.#slots[client] : this.#slotOf(client);
    if (!slot || payload.length < 1 || payload.length > MAX_PAYLOAD_BYTES) return false;
    // Whoever missed its keep alive does not know that it is connected, and discards payloads.
    if (!slot.confirmed) this.#sendKeepAlive(slot, now);
    const run = this.#run;
    if (!run || !slot.connected) return false;
    const sequence = slot.sequence++;
    const bytes = run.codec.sealPayload(payload, sequence >>> 0, Math.floor(sequence / TWO_32), slot.sendKey);
    this.#transmit(slot, bytes, now);
    return true;
  }

  /** Tells the client, ten times, and frees its slot. */
  disconnect(client: NetcodeServerClient, now: number): void {
    const slot = this.#slotOf(client);
    if (!slot) return;
    for (let packet = 0; packet < DISCONNECT_PACKETS; packet++) {
      // The handler may have stopped us meanwhile.
      const run = this.#run;
      if (!run || !slot.connected) return;
      const sequence = slot.sequence++;
      const high = Math.floor(sequence / TWO_32);
      this.#transmit(slot, run.codec.seal(PACKET_DISCONNECT, sequence >>> 0, high, slot.sendKey, 0), now);
    }
    this.#free(slot, "server");
  }

  /**
   * Moves a client to another address, which the layer above has proven to be the client's. False if the client is gone
   * or another one is there. A handshake under way from there is dropped.
   */
  rebind(client: NetcodeServerClient, address: string, port: number): boolean {
    const slot = this.#slotOf(client);
    return slot !== null && this.#sources.move(slot, address, port);
  }

  #slotOf(client: NetcodeServerClient): ServerClient | null {
    const slot = this.#slots[client.index];
    return slot && slot === client ? slot : null;
  }

  /** STANDARD.md, "Processing Connection Requests", and netcode 1.4.5. The order of the checks is part of the protocol. */
  #request(run: Run, data: Uint8Array, address: string, port: number, now: number, unixSeconds: number): boolean {
    const counters = this.counters;
    if (!isRequest(data, this.#protocolIdBytes)) {
      counters.requestMalformed++;
      return false;
    }
    const expire = requestExpire(data);
    const judgement = judgeExpire(expire, unixSeconds, run.startSeconds, this.#maxTokenLifetimeSeconds);
    if (judgement !== "good") {
      if (judgement === "expired") counters.requestExpired++;
      else counters.requestPredatesStart++;
      return false;
    }
    const token = openRequest(data, run.privateKey);
    if (typeof token === "string") {
      counters.requestForged++;
      return false;
    }
    if (!listContains(token.addressList, this.#ownAddress)) {
      counters.requestOtherServer++;
      return false;
    }
    if (this.#sources.get(address, port)?.slotted || this.#byId.has(token.clientId)) {
      counters.requestConnected++;
      return false;
    }
    const entry = this.#history.admit(requestTag(data), address, port, expire, unixSeconds);
    if (entry === "used") counters.requestTokenUsed++;
    else if (entry === "full") counters.requestOverload++;
    if (typeof entry === "string") return false;
    if (this.#clients.length >= this.maxClients) {
      const key = this.#slab.storeCell(token.serverToClientKey);
      this.#sendGlobal(run, PACKET_DENIED, key, 0, address, port);
      this.#slab.releaseCell(key);
      counters.denied++;
      return true;
    }
    const tokenExpiry = now + (expire - unixSeconds) * 1000;
    const handshake = this.#sources.begin(address, port, token, entry, now, tokenExpiry);
    if (!handshake) {
      counters.requestOverload++;
      return false;
    }
    this.#nextUpdate = Math.min(this.#nextUpdate, handshake.deadline + 1);
    const sequence = run.challengeSequence++;
    const low = sequence >>> 0;
    const high = Math.floor(sequence / TWO_32);
    const challenge = sealChallengeToken(token, low, high, run.challengeKey);
    const memory = new DataView(this.#slab.u8.buffer, this.#slab.body, 8);
    memory.setUint32(0, low, true);
    memory.setUint32(4, high, true);
    this.#slab.u8.set(challenge, this.#slab.body + 8);
    counters.challenged++;
    this.#sendGlobal(run, PACKET_CHALLENGE, handshake.sendKey, CHALLENGE_BODY_BYTES, address, port);
    return true;
  }

  /** STANDARD.md, "Processing Connection Response Packets". From a handshake nothing but a response counts. */
  #response(run: Run, handshake: Handshake, data: Uint8Array, now: number): boolean {
    const counters = this.counters;
    if (handshake.deadline < now) {
      counters.refusedNoKey++;
      return false;
    }
    const type = run.codec.open(data, handshake.receiveKey, null, 1 << PACKET_RESPONSE);
    if (type < 0) {
      countRefused(counters, type);
      return false;
    }
    const body = this.#slab.plainView(CHALLENGE_BODY_BYTES);
    const sequence = new DataView(body.buffer, body.byteOffset, 8);
    const low = sequence.getUint32(0, true);
    const high = sequence.getUint32(4, true);
    const challenge = openChallengeToken(body.subarray(8), low, high, run.challengeKey);
    // A challenge token is bound to no connect token; the client id binds it to the one that this handshake stands on.
    if (challenge?.clientId !== handshake.clientId) {
      counters.responseForged++;
      return false;
    }
    if (this.#byId.has(handshake.clientId)) {
      counters.responseConnected++;
      return false;
    }
    const index = this.#slots.indexOf(null);
    if (index < 0) {
      counters.denied++;
      this.#sendGlobal(run, PACKET_DENIED, handshake.sendKey, 0, handshake.address, handshake.port);
      return true;
    }
    if (handshake.entry) handshake.entry.consumed = true;
    const client = new ServerClient(index, challenge.userData, handshake, now);
    this.#slots[index] = client;
    client.position = this.#clients.push(client) - 1;
    this.#byId.set(client.clientId, client);
    this.#sources.install(handshake, client);
    counters.connected++;
    this.#nextUpdate = Math.min(this.#nextUpdate, now + SEND_INTERVAL_MS);
    this.#sendKeepAlive(client, now);
    if (client.connected) this.#handler.clientConnected(client);
    return true;
  }

  /** A packet from a connected client. */
  #packet(run: Run, client: ServerClient, data: Uint8Array, now: number): boolean {
    const type = run.codec.open(data, client.receiveKey, client.window, SERVER_READS);
    if (type < 0) {
      countRefused(this.counters, type);
      return false;
    }
    if (type === PACKET_RESPONSE) {
      this.counters.responseConnected++;
      return false;
    }
    client.newest = run.codec.newest;
    if (type === PACKET_DISCONNECT) {
      this.#free(client, "client");
      return true;
    }
    client.confirmed = true;
    client.lastReceiveTime = now;
    if (type === PACKET_PAYLOAD) this.#handler.payload(client, this.#slab.plainView(run.codec.length));
    return true;
  }

  #sendKeepAlive(client: ServerClient, now: number): void {
    const sequence = client.sequence++;
    const high = Math.floor(sequence / TWO_32);
    const codec = (this.#run as Run).codec;
    this.#transmit(
      client,
      codec.sealKeepAlive(client.index, this.maxClients, sequence >>> 0, high, client.sendKey),
      now,
    );
  }

  #transmit(client: ServerClient, bytes: number, now: number): void {
    client.lastSendTime = now;
    this.#handler.send(this.#slab.wireOutView(bytes), client.address, client.port);
  }

  #sendGlobal(run: Run, type: number, key: number, length: number, address: string, port: number): void {
    const sequence = run.globalSequence++;
    const high = GLOBAL_SEQUENCE_HIGH + Math.floor(sequence / TWO_32);
    const bytes = run.codec.seal(type, sequence >>> 0, high, key, length);
    this.#handler.send(this.#slab.wireOutView(bytes), address, port);
  }

  #free(client: ServerClient, reason: NetcodeDisconnectReason): void {
    if (!client.connected) return;
    client.connected = false;
    this.#slots[client.index] = null;
    this.#byId.delete(client.clientId);
    this.#sources.remove(client);
    const last = this.#clients.pop() as ServerClient;
    if (last !== client) {
      this.#clients[client.position] = last;
      last.position = client.position;
    }
    if (reason === "timeout") this.counters.disconnectedTimeout++;
    else if (reason === "client") this.counters.disconnectedClient++;
    else this.counters.disconnectedServer++;
    this.#handler.clientDisconnected(client, reason);
  }
}
