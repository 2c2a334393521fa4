import type { Endpoint } from "../net/endpoint.ts";
import { traceOf } from "../net/trace.ts";
import { encodeAddress } from "./address.ts";
import { Admission, type AdmissionHost, type AdmissionOptions } from "./admission.ts";
import { checkPrivateKey } from "./connect-token.ts";
import {
  DISCONNECT_PACKETS,
  MAX_PAYLOAD_BYTES,
  PACKET_DISCONNECT,
  PACKET_PAYLOAD,
  PACKET_RESPONSE,
  SEND_INTERVAL_MS,
} from "./constants.ts";
import { countRefused, type NetcodeServerCounters, newServerCounters } from "./counters.ts";
import { NetcodeError } from "./errors.ts";
import { SERVER_READS } from "./packet.ts";
import { RefusalTrace } from "./refusal-trace.ts";
import { type Handshake, ServerClient } from "./server-peers.ts";
import { getSlab, type Slab } from "./sodium.ts";
import { SourceTable } from "./source-table.ts";
import { type NetcodeDisconnectReason, type NetcodeServerClient, type RandomSource, systemRandom } from "./types.ts";

const trace = traceOf("netcode");

/** What a {@link NetcodeServer} calls. */
export interface NetcodeServerHandler {
  /** A datagram to send. `data` is valid during the call only: a socket that queues must copy. */
  send(data: Uint8Array, address: string, port: number): void;
  /** A client got a slot. */
  clientConnected(client: NetcodeServerClient): void;
  /** A client's slot is free again. */
  clientDisconnected(client: NetcodeServerClient, reason: NetcodeDisconnectReason): void;
  /** 1 to 1200 bytes, authentic and never twice; perhaps late or out of order. `data` is valid during the call only. */
  payload(client: NetcodeServerClient, data: Uint8Array): void;
}

/** Options of a {@link NetcodeServer}. */
export interface NetcodeServerOptions {
  /** 64 bits that name the game and its version; tokens of others are refused. */
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
  /**
   * True: another token of a client id takes the place of one that was shown and not used yet, with its handshake. So who gets many
   * tokens for one client id holds one place. Default false, as the standard has it: several race.
   */
  oneTokenPerClient?: boolean;
  /** The longest payload, 1200-1427 bytes. More than the standard's 1200 only where all clients know of it. Default 1200. */
  maxPayloadBytes?: number;
  /** Default: the platform's cryptographic generator. */
  random?: RandomSource;
}

const TWO_32 = 0x1_0000_0000;

/**
 * The server's side of netcode 1.02. A datagram costs one look-up before it is dropped or deciphered; a request that is
 * not authentic costs one decryption and leaves nothing behind; no reply is longer than a third of what it answers.
 * Addresses are compared as text: hand them in as `normalizeAddress` leaves them.
 */
export class NetcodeServer {
  /** Most clients at a time, 1-65536. */
  readonly maxClients: number;
  /** What came in and went out since the start. */
  readonly counters: NetcodeServerCounters = newServerCounters();
  readonly #refusals = new RefusalTrace();
  readonly #handler: NetcodeServerHandler;
  readonly #options: Omit<AdmissionOptions, "startedAt" | "startSeconds">;
  readonly #slab: Slab;
  readonly #sources: SourceTable;
  readonly #byId: Map<bigint, ServerClient> = new Map();
  readonly #slots: (ServerClient | null)[];
  readonly #clients: ServerClient[] = [];
  #admission: Admission | null = null;
  #nextUpdate: number = Number.POSITIVE_INFINITY;
  #lastUpdate: number = Number.NEGATIVE_INFINITY;

  /** @throws {NetcodeError} `invalid-key`, `invalid-address`, `invalid-option`, `not-ready` */
  constructor(options: NetcodeServerOptions, handler: NetcodeServerHandler) {
    const { maxClients, maxTokenLifetimeSeconds = 30, oneTokenPerClient = false, random = systemRandom } = options;
    const { maxPayloadBytes = MAX_PAYLOAD_BYTES } = options;
    checkPrivateKey(options.privateKey);
    if (!Number.isInteger(maxClients) || maxClients < 1 || maxClients > 65_536) {
      throw new NetcodeError("invalid-option", `maxClients must be 1 to 65536, not ${maxClients}.`);
    }
    if (!(maxTokenLifetimeSeconds >= 0)) {
      throw new NetcodeError(
        "invalid-option",
        `maxTokenLifetimeSeconds must be 0 or more, not ${maxTokenLifetimeSeconds}.`,
      );
    }
    this.#slab = getSlab();
    this.#handler = handler;
    this.maxClients = maxClients;
    this.#options = {
      protocolId: options.protocolId,
      privateKey: new Uint8Array(options.privateKey),
      ownAddress: encodeAddress(options.address),
      maxTokenLifetimeSeconds,
      historyCapacity: 8 * Math.max(256, maxClients),
      oneTokenPerClient,
      maxPayloadBytes,
      random,
    };
    // Handshakes and tokens (above) in the reference's proportions: 4 x 256 and 8 x 256 for its 256 clients.
    this.#sources = new SourceTable(this.#slab, 4 * Math.max(256, maxClients), oneTokenPerClient);
    this.#slots = Array.from({ length: maxClients }, () => null);
  }

  /** Whether it is started. */
  get running(): boolean {
    return this.#admission !== null;
  }

  /** The connected clients, in no order. It changes under a loop that disconnects: copy it then. */
  get clients(): readonly NetcodeServerClient[] {
    return this.#clients;
  }

  /** Clients that were challenged and have not answered yet. */
  get pendingHandshakes(): number {
    return this.#sources.handshakes;
  }

  /** The client of a slot, 0 to maxClients - 1; null where the slot is free. */
  client(index: number): NetcodeServerClient | null {
    return this.#slots[index] ?? null;
  }

  /** The client with this id of its token; null where it is not connected. */
  clientById(clientId: bigint): NetcodeServerClient | null {
    return this.#byId.get(clientId) ?? null;
  }

  /** Begins a run, with a fresh challenge key and no memory of used tokens. A run under way is stopped first. */
  start(now: number, unixSeconds: number): void {
    this.stop(now);
    const host: AdmissionHost = {
      counters: this.counters,
      sources: this.#sources,
      isConnected: (clientId) => this.#byId.has(clientId),
      isFull: () => this.#clients.length >= this.maxClients,
      transmit: (bytes, address, port) => this.#handler.send(this.#slab.wireOutView(bytes), address, port),
    };
    this.#admission = new Admission(host, { ...this.#options, startedAt: now, startSeconds: Math.floor(unixSeconds) });
  }

  /** Disconnects everyone and forgets all keys and tokens. */
  stop(now: number): void {
    const admission = this.#admission;
    if (!admission) return;
    for (let client = this.#clients.at(-1); client; client = this.#clients.at(-1)) this.disconnect(client, now);
    this.#sources.dropAll();
    admission.release();
    this.#admission = null;
    this.#nextUpdate = Number.POSITIVE_INFINITY;
    this.#lastUpdate = Number.NEGATIVE_INFINITY;
  }

  /**
   * Takes one datagram. True if it was netcode's and did something; false if it was dropped, for a reason that is
   * counted. Reply, connection, payload and disconnection happen inside the call.
   */
  receive(data: Uint8Array, address: string, port: number, now: number, unixSeconds: number): boolean {
    this.counters.received++;
    const admission = this.#admission;
    if (!admission) return false;
    if (data.length < 2 || data.length > admission.codec.maxPacketBytes) {
      this.counters.refusedSize++;
      return false;
    }
    let accepted = false;
    if (data[0] === 0) {
      accepted = admission.request(data, address, port, now, Math.floor(unixSeconds));
    } else {
      const source = this.#sources.get(address, port);
      if (!source) this.counters.refusedNoKey++;
      else if (source.slotted) accepted = this.#packet(admission, source, data, now, false);
      else accepted = this.#response(admission, source, data, now);
    }
    if (accepted) this.counters.accepted++;
    if (trace.on && (!accepted || data[0] === 0)) this.#refusals.tell(this.counters, now, { address, port });
    return accepted;
  }

  /**
   * As {@link receive}, for a datagram that came from elsewhere but seems to be this client's. True means that it is:
   * authentic and no replay. It is read, but the client does not count as heard: nothing proves that it is at that address,
   * and its own may have fallen silent. A layer that follows moving clients has the address proven, by what it sends there
   * with {@link sendTo}, and then {@link rebind}s.
   */
  receiveAs(client: NetcodeServerClient, data: Uint8Array): boolean {
    this.counters.received++;
    const slot = this.#slotOf(client);
    if (!this.#admission || !slot || !this.#packet(this.#admission, slot, data, 0, true)) return false;
    this.counters.accepted++;
    return true;
  }

  /** Sends keep alives, frees the slots of the silent. Calls that come early do nothing. */
  update(now: number): void {
    if (!this.#admission) return;
    this.#lastUpdate = now;
    if (trace.on) this.#refusals.tell(this.counters, now);
    this.#sources.dropLate(now);
    this.#nextUpdate = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
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
    // A clock that jumped back makes all deadlines wrong: update sets them right.
    if (now < this.#lastUpdate) return now;
    return Math.max(Math.min(this.#nextUpdate, this.#sources.nextDeadline + 1), now);
  }

  /** Sends 1 to 1200 bytes. False if the client is gone or the size is wrong: then nothing was sent. */
  send(client: NetcodeServerClient | number, payload: Uint8Array, now: number): boolean {
    const slot = typeof client === "number" ? this.#slots[client] : this.#slotOf(client);
    if (!slot || payload.length < 1 || payload.length > this.#options.maxPayloadBytes) return false;
    // Whoever missed its keep alive does not know that it is connected, and discards payloads.
    if (!slot.confirmed) this.#sendKeepAlive(slot, now);
    const admission = this.#admission;
    if (!admission || !slot.connected) return false;
    const sequence = slot.sequence++;
    const bytes = admission.codec.sealPayload(payload, sequence >>> 0, Math.floor(sequence / TWO_32), slot.sendKey);
    this.#transmit(slot, bytes, now);
    return true;
  }

  /**
   * Sends 1 to 1200 bytes to where the client may be, as the layer above wants to know: the client stays where it is, and no
   * keep alive is put off.
   * @returns bytes of the datagram; 0 if the client is gone or the size is wrong: then nothing was sent
   */
  sendTo(client: NetcodeServerClient, payload: Uint8Array, address: string, port: number): number {
    const slot = this.#slotOf(client);
    const admission = this.#admission;
    if (!slot || !admission || payload.length < 1 || payload.length > this.#options.maxPayloadBytes) return 0;
    const sequence = slot.sequence++;
    const bytes = admission.codec.sealPayload(payload, sequence >>> 0, Math.floor(sequence / TWO_32), slot.sendKey);
    this.#handler.send(this.#slab.wireOutView(bytes), address, port);
    return bytes;
  }

  /** Tells the client, ten times, and frees its slot. */
  disconnect(client: NetcodeServerClient, now: number): void {
    const slot = this.#slotOf(client);
    if (!slot) return;
    for (let packet = 0; packet < DISCONNECT_PACKETS; packet++) {
      // The handler may have stopped us meanwhile.
      const admission = this.#admission;
      if (!admission || !slot.connected) return;
      const sequence = slot.sequence++;
      const high = Math.floor(sequence / TWO_32);
      this.#transmit(slot, admission.codec.seal(PACKET_DISCONNECT, sequence >>> 0, high, slot.sendKey, 0), now);
    }
    this.#free(slot, "server");
  }

  /** Frees a client's slot without a word, as after silence: the layer above has found that it is not where it seems to be. */
  giveUp(client: NetcodeServerClient): void {
    const slot = this.#slotOf(client);
    if (slot) this.#free(slot, "timeout");
  }

  /**
   * Moves a client to another address, which the layer above has proven to be the client's: it was heard there just now. False
   * if the client is gone or another one is there. A handshake under way from there is dropped.
   */
  rebind(client: NetcodeServerClient, address: string, port: number, now: number): boolean {
    const slot = this.#slotOf(client);
    if (!slot || !this.#sources.move(slot, address, port)) return false;
    slot.strayed = false;
    slot.lastReceiveTime = now;
    slot.bytesIn = 0;
    slot.bytesOut = 0;
    return true;
  }

  #slotOf(client: NetcodeServerClient): ServerClient | null {
    const slot = this.#slots[client.index];
    return slot && slot === client ? slot : null;
  }

  /** A packet from where a handshake is under way: the right response gets the lowest free slot. */
  #response(admission: Admission, handshake: Handshake, data: Uint8Array, now: number): boolean {
    const challenge = admission.response(handshake, data, now);
    if (!challenge) return false;
    const index = this.#slots.indexOf(null);
    if (index < 0) {
      admission.deny(handshake);
      return true;
    }
    if (handshake.entry) handshake.entry.consumed = true;
    const client = new ServerClient(index, challenge.userData, handshake, now);
    this.#slots[index] = client;
    client.position = this.#clients.push(client) - 1;
    this.#byId.set(client.clientId, client);
    this.#sources.install(handshake, client);
    this.counters.connected++;
    if (trace.on) trace.event("connected", { from: client, handshakeMs: client.handshakeMs, slot: index });
    this.#nextUpdate = Math.min(this.#nextUpdate, now + SEND_INTERVAL_MS);
    this.#sendKeepAlive(client, now);
    if (client.connected) this.#handler.clientConnected(client);
    return true;
  }

  /** A packet from a connected client; `elsewhere`: not from its address. */
  #packet(admission: Admission, client: ServerClient, data: Uint8Array, now: number, elsewhere: boolean): boolean {
    const type = admission.codec.open(data, client.receiveKey, client.window, SERVER_READS);
    if (type < 0) {
      countRefused(this.counters, type);
      return false;
    }
    if (type === PACKET_RESPONSE) {
      this.counters.responseConnected++;
      return false;
    }
    client.newest = admission.codec.newest;
    if (client.newest) client.strayed = elsewhere;
    if (type === PACKET_DISCONNECT) {
      this.#free(client, "client");
      return true;
    }
    client.confirmed = true;
    if (!elsewhere) {
      client.lastReceiveTime = now;
      client.bytesIn += data.length;
    }
    if (type === PACKET_PAYLOAD) this.#handler.payload(client, this.#slab.plainView(admission.codec.length));
    return true;
  }

  #sendKeepAlive(client: ServerClient, now: number): void {
    const sequence = client.sequence++;
    const high = Math.floor(sequence / TWO_32);
    const codec = (this.#admission as Admission).codec;
    this.#transmit(
      client,
      codec.sealKeepAlive(client.index, this.maxClients, sequence >>> 0, high, client.sendKey),
      now,
    );
  }

  #transmit(client: ServerClient, bytes: number, now: number): void {
    client.lastSendTime = now;
    client.bytesOut += bytes;
    this.#handler.send(this.#slab.wireOutView(bytes), client.address, client.port);
  }

  #free(client: ServerClient, reason: NetcodeDisconnectReason): void {
    if (!client.connected) return;
    client.connected = false;
    if (trace.on) trace.event("disconnected", { from: client, reason });
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
