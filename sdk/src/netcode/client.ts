import type { Endpoint } from "../net/endpoint.ts";
import { readConnectToken } from "./connect-token.ts";
import {
  DISCONNECT_PACKETS,
  MAX_PAYLOAD_BYTES,
  PACKET_CHALLENGE,
  PACKET_DENIED,
  PACKET_DISCONNECT,
  PACKET_KEEP_ALIVE,
  PACKET_PAYLOAD,
  PACKET_RESPONSE,
  SEND_INTERVAL_MS,
  TAG_BYTES,
} from "./constants.ts";
import { CHALLENGE_BODY_BYTES, CLIENT_READS, PacketCodec } from "./packet.ts";
import { ReplayWindow } from "./replay.ts";
import { writeRequest } from "./request.ts";
import { getSlab, type Slab } from "./sodium.ts";
import { type ConnectToken, type ConnectTokenProblem, NetcodeClientState } from "./types.ts";

/** What a {@link NetcodeClient} calls. */
export interface NetcodeClientHandler {
  /** A datagram to send. `data` is valid during the call only: a socket that queues must copy. */
  send(data: Uint8Array, address: string, port: number): void;
  /** Not called when one server's attempt gives way to the next server's in the same state. */
  stateChanged(state: NetcodeClientState, previous: NetcodeClientState): void;
  /** 1 to 1200 bytes, authentic and never twice; perhaps late or out of order. `data` is valid during the call only. */
  payload(data: Uint8Array): void;
}

/** Options of a {@link NetcodeClient}. */
export interface NetcodeClientOptions {
  /**
   * True: sends only in `update`, through one 10 Hz limiter, and ends there too, as the reference implementation does.
   * Default false: each stage of the handshake is sent at once, which saves about 100 ms per stage; only repeats wait.
   */
  paced?: boolean;
  /** The longest payload, 1200-1427 bytes; see `NetcodeServerOptions`. Default 1200. */
  maxPayloadBytes?: number | undefined;
}

/** What exists while a token is in use. Keys are cells. */
interface Link {
  readonly token: ConnectToken;
  readonly codec: PacketCodec;
  readonly receiveKey: number;
  readonly sendKey: number;
  readonly request: Uint8Array;
  /** ms; Infinity: none. */
  readonly timeout: number;
  /** ms. */
  readonly lifetime: number;
}

const TWO_32 = 0x1_0000_0000;
const NEVER = Number.NEGATIVE_INFINITY;

/** The client's side of netcode 1.02: one connection at a time, tried at each server of its token in turn. */
export class NetcodeClient {
  readonly #handler: NetcodeClientHandler;
  readonly #paced: boolean;
  readonly #maxPayloadBytes: number;
  readonly #slab: Slab = getSlab();
  readonly #window: ReplayWindow = new ReplayWindow();
  /** Challenge sequence and challenge token, as they came. */
  readonly #challenge: Uint8Array = new Uint8Array(CHALLENGE_BODY_BYTES);
  #state: NetcodeClientState = NetcodeClientState.disconnected;
  #link: Link | null = null;
  #server: Endpoint | null = null;
  #serverIndex = 0;
  #clientIndex = 0;
  #maxClients = 0;
  /** Of the next packet, requests counted. It goes on over all servers of a token: they share the key. */
  #sequence = 0;
  #sequenceTag = "";
  #connectTime = 0;
  #lastSendTime: number = NEVER;
  #lastReceiveTime = 0;
  /** What a packet asked for, until it is acted on. */
  #ending: "denied" | "disconnect" | null = null;

  /** @throws {NetcodeError} `not-ready` */
  constructor(handler: NetcodeClientHandler, options: NetcodeClientOptions = {}) {
    this.#handler = handler;
    this.#paced = options.paced ?? false;
    this.#maxPayloadBytes = options.maxPayloadBytes ?? MAX_PAYLOAD_BYTES;
  }

  /** How far the connection is. */
  get state(): NetcodeClientState {
    return this.#state;
  }

  /** The server that is being tried, or is connected, or was the last; null before the first `connect`. */
  get serverAddress(): Endpoint | null {
    return this.#server;
  }

  /** Slot at the server, once connected. */
  get clientIndex(): number {
    return this.#clientIndex;
  }

  /** Slots of the server, once connected. */
  get maxClients(): number {
    return this.#maxClients;
  }

  /** Time of the last packet that counted, ms. */
  get lastReceiveTime(): number {
    return this.#lastReceiveTime;
  }

  /**
   * Begins to connect; a connection under way is left first. Bytes that are no token lead to the state `invalidToken`, and
   * the answer says why; null: it is under way. A token connects once: afterwards servers ignore it in silence.
   */
  connect(connectToken: Uint8Array, now: number): ConnectTokenProblem | null {
    this.disconnect(now);
    const token = readConnectToken(connectToken);
    if (typeof token === "string") {
      this.#setState(NetcodeClientState.invalidToken);
      return token;
    }
    // The same token again must not begin anew with sequences that its key has already seen.
    const tag = String.fromCharCode(...token.privateData.subarray(-TAG_BYTES));
    if (tag !== this.#sequenceTag) this.#sequence = 0;
    this.#sequenceTag = tag;
    this.#link = {
      token,
      codec: new PacketCodec(token.protocolId, this.#maxPayloadBytes),
      receiveKey: this.#slab.storeCell(token.serverToClientKey),
      sendKey: this.#slab.storeCell(token.clientToServerKey),
      request: writeRequest(token),
      timeout: token.timeoutSeconds > 0 ? token.timeoutSeconds * 1000 : Number.POSITIVE_INFINITY,
      lifetime: Number(token.expireTimestamp - token.createTimestamp) * 1000,
    };
    token.serverToClientKey.fill(0);
    token.clientToServerKey.fill(0);
    this.#connectTime = now;
    this.#attempt(0, now);
    return null;
  }

  /** Takes one datagram. True if it came from the current server and counted. */
  receive(data: Uint8Array, address: string, port: number, now: number): boolean {
    const link = this.#link;
    if (!link || port !== this.#server?.port || address !== this.#server.address) return false;
    const type = link.codec.open(data, link.receiveKey, this.#window, CLIENT_READS);
    const state = this.#state;
    if (type === PACKET_PAYLOAD && state === NetcodeClientState.connected) {
      this.#lastReceiveTime = now;
      this.#handler.payload(this.#slab.plainView(link.codec.length));
      return true;
    }
    if (type === PACKET_KEEP_ALIVE && state === NetcodeClientState.connected) {
      this.#lastReceiveTime = now;
      return true;
    }
    if (type === PACKET_KEEP_ALIVE && state === NetcodeClientState.sendingResponse) {
      const word = this.#slab.plain >> 2;
      this.#clientIndex = this.#slab.u32[word] as number;
      this.#maxClients = this.#slab.u32[word + 1] as number;
      this.#advance(NetcodeClientState.connected, now);
      return true;
    }
    if (type === PACKET_CHALLENGE && state === NetcodeClientState.sendingRequest) {
      this.#challenge.set(this.#slab.plainView(CHALLENGE_BODY_BYTES));
      this.#advance(NetcodeClientState.sendingResponse, now);
      return true;
    }
    const connecting = state === NetcodeClientState.sendingRequest || state === NetcodeClientState.sendingResponse;
    if (type === PACKET_DENIED && connecting) this.#ending = "denied";
    else if (type === PACKET_DISCONNECT && state === NetcodeClientState.connected) this.#ending = "disconnect";
    else return false;
    this.#lastReceiveTime = now;
    if (!this.#paced) this.#settle(now);
    return true;
  }

  /** Repeats what is unanswered, keeps alive, gives up in time. Calls that come early do nothing. */
  update(now: number): void {
    if (!this.#link) return;
    // A clock that jumped back must not silence us until it has caught up.
    if (this.#lastSendTime > now) this.#lastSendTime = now;
    if (this.#lastReceiveTime > now) this.#lastReceiveTime = now;
    if (this.#connectTime > now) this.#connectTime = now;
    if (this.#lastSendTime + SEND_INTERVAL_MS <= now) this.#sendStage(now);
    this.#settle(now);
  }

  /** When {@link update} has something to do, ms, not before `now`; Infinity in a final state. */
  nextUpdate(now: number): number {
    const link = this.#link;
    if (!link) return Number.POSITIVE_INFINITY;
    // Silence must exceed the timeout.
    let next = Math.min(this.#lastSendTime + SEND_INTERVAL_MS, this.#lastReceiveTime + link.timeout + 1);
    if (this.#state !== NetcodeClientState.connected) next = Math.min(next, this.#connectTime + link.lifetime);
    // A clock that jumped back makes all deadlines wrong: update sets them right.
    const jumped = this.#lastSendTime > now || this.#lastReceiveTime > now;
    return this.#ending || jumped ? now : Math.max(next, now);
  }

  /** Sends 1 to 1200 bytes. False unless connected and of that size: then nothing was sent. */
  send(payload: Uint8Array, now: number): boolean {
    const link = this.#link;
    if (!link || this.#state !== NetcodeClientState.connected) return false;
    if (payload.length < 1 || payload.length > this.#maxPayloadBytes) return false;
    const sequence = this.#sequence++;
    const high = Math.floor(sequence / TWO_32);
    this.#transmit(link.codec.sealPayload(payload, sequence >>> 0, high, link.sendKey), now);
    return true;
  }

  /** Tells the server, ten times, and ends in the state `disconnected`. In a final state it does nothing. */
  disconnect(now: number): void {
    for (let packet = 0; this.#link && packet < DISCONNECT_PACKETS; packet++)
      this.#sealAndSend(PACKET_DISCONNECT, 0, now);
    if (this.#link) this.#end(NetcodeClientState.disconnected);
  }

  /** Follows the server to another address, which the layer above has proven to be the server's. */
  rebind(address: string, port: number): void {
    if (this.#server) this.#server = { address, port };
  }

  /** A server of the token, from the beginning. Sequence and token lifetime go on. */
  #attempt(index: number, now: number): void {
    const link = this.#link as Link;
    this.#serverIndex = index;
    this.#server = link.token.serverAddresses[index] as Endpoint;
    this.#window.reset();
    this.#ending = null;
    this.#lastSendTime = NEVER;
    this.#advance(NetcodeClientState.sendingRequest, now);
  }

  #advance(state: NetcodeClientState, now: number): void {
    const link = this.#link;
    this.#lastReceiveTime = now;
    this.#setState(state);
    if (!this.#paced && this.#link === link) this.#sendStage(now);
  }

  /** Acts on expiry, on what the server said, and on silence, in this order. */
  #settle(now: number): void {
    const link = this.#link;
    if (!link) return;
    const state = this.#state;
    const connected = state === NetcodeClientState.connected;
    const ending = this.#ending;
    if (!connected && now - this.#connectTime >= link.lifetime) this.#end(NetcodeClientState.tokenExpired);
    else if (ending === "disconnect") this.#end(NetcodeClientState.disconnected);
    else if (ending === "denied") this.#tryNext(NetcodeClientState.denied, now);
    else if (this.#lastReceiveTime + link.timeout >= now) return;
    else if (connected) this.#end(NetcodeClientState.connectionTimedOut);
    else if (state === NetcodeClientState.sendingResponse) this.#tryNext(NetcodeClientState.responseTimedOut, now);
    else this.#tryNext(NetcodeClientState.requestTimedOut, now);
  }

  #tryNext(failure: NetcodeClientState, now: number): void {
    const next = this.#serverIndex + 1;
    if (next < (this.#link as Link).token.serverAddresses.length) this.#attempt(next, now);
    else this.#end(failure);
  }

  #end(state: NetcodeClientState): void {
    const link = this.#link as Link;
    this.#link = null;
    this.#ending = null;
    this.#slab.releaseCell(link.receiveKey);
    this.#slab.releaseCell(link.sendKey);
    link.codec.release();
    this.#setState(state);
  }

  #setState(state: NetcodeClientState): void {
    const previous = this.#state;
    this.#state = state;
    if (state !== previous) this.#handler.stateChanged(state, previous);
  }

  /** The packet that the state repeats. */
  #sendStage(now: number): void {
    const link = this.#link as Link;
    if (this.#state === NetcodeClientState.sendingRequest) {
      // Requests carry no sequence, but the reference counts them.
      this.#sequence++;
      this.#lastSendTime = now;
      const server = this.#server as Endpoint;
      this.#handler.send(link.request, server.address, server.port);
    } else if (this.#state === NetcodeClientState.sendingResponse) {
      this.#slab.u8.set(this.#challenge, this.#slab.body);
      this.#sealAndSend(PACKET_RESPONSE, CHALLENGE_BODY_BYTES, now);
    } else {
      const sequence = this.#sequence++;
      const high = Math.floor(sequence / TWO_32);
      this.#transmit(link.codec.sealKeepAlive(0, 0, sequence >>> 0, high, link.sendKey), now);
    }
  }

  #sealAndSend(type: number, length: number, now: number): void {
    const link = this.#link as Link;
    const sequence = this.#sequence++;
    this.#transmit(link.codec.seal(type, sequence >>> 0, Math.floor(sequence / TWO_32), link.sendKey, length), now);
  }

  #transmit(bytes: number, now: number): void {
    this.#lastSendTime = now;
    const server = this.#server as Endpoint;
    this.#handler.send(this.#slab.wireOutView(bytes), server.address, server.port);
  }
}
