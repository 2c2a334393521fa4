/** A TURN server by RFC 8656 without I/O, as strict as the specification allows, that can be told to misbehave. */

import type { Endpoint } from "../../../sdk/src/net/endpoint.ts";
import { readAddress } from "../../../sdk/src/stun/address.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunErrorCode as Code, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { type IntegrityAlgorithm, longTermKey, userHash } from "../../../sdk/src/stun/integrity.ts";
import { StunMessage } from "../../../sdk/src/stun/message.ts";

export const SERVER: Endpoint = { address: "192.0.2.1", port: 3478 };
export const MAPPED: Endpoint = { address: "203.0.113.9", port: 40_000 };
export const CREDENTIALS = { username: "me", credential: "word" };
const REALM = "example.org";

export interface ScriptedOptions {
  /** PASSWORD-ALGORITHMS that are offered; none by default. */
  algorithms?: ("md5" | "sha256")[];
  anonymous?: boolean;
  nonceMs?: number;
  allocationMs?: number;
  permissionMs?: number;
  channelMs?: number;
  relayed?: Endpoint;
}

export interface Fault {
  code: number;
  /** Adds to the error. */
  with?: (builder: StunBuilder) => void;
  /** Default: as the request. */
  unsigned?: boolean;
}

export class ScriptedTurnServer {
  /** Asked of each authenticated request; what it returns is the answer. */
  fault: (message: StunMessage, now: number) => Fault | null = () => null;
  /** What was asked successfully, e.g. "allocate", with the time. */
  readonly granted: string[] = [];
  /** Of datagrams for peers. */
  readonly toPeers: { data: string; address: string; port: number; by: "channel" | "indication" }[] = [];
  /** What was dropped since no permission, channel or allocation stood. */
  dropped = 0;
  readonly #options: Required<ScriptedOptions>;
  readonly #answers: Map<string, Buffer> = new Map();
  #nonce = "";
  #nonceUntil = -1;
  #nonces = 0;
  #allocatedUntil = -1;
  readonly #permissions: Map<string, number> = new Map();
  readonly #channels: Map<number, { peer: string; until: number; endpoint: Endpoint }> = new Map();

  constructor(options: ScriptedOptions = {}) {
    this.#options = {
      algorithms: [],
      anonymous: false,
      nonceMs: 600_000,
      allocationMs: 600_000,
      permissionMs: 300_000,
      channelMs: 600_000,
      relayed: { address: "198.51.100.7", port: 50_000 },
      ...options,
    };
  }

  /** It has lost all it knew. */
  restart(): void {
    this.#allocatedUntil = -1;
    this.#nonceUntil = -1;
    this.#permissions.clear();
    this.#channels.clear();
    this.#answers.clear();
  }

  expireNonce(): void {
    this.#nonceUntil = -1;
  }

  allocated(now: number): boolean {
    return now < this.#allocatedUntil;
  }

  /** A datagram from a peer to the relayed address; `null` where it is dropped. */
  fromPeer(data: Uint8Array, from: Endpoint, now: number): Buffer | null {
    if (!this.allocated(now) || !((this.#permissions.get(from.address) ?? -1) > now)) return null;
    for (const [channel, { peer, until }] of this.#channels) {
      if (peer !== `${from.address} ${from.port}` || until <= now) continue;
      const header = Buffer.alloc(4);
      header.writeUInt16BE(channel, 0);
      header.writeUInt16BE(data.length, 2);
      return Buffer.concat([header, data]);
    }
    return new StunBuilder(StunMethod.DATA, "indication")
      .xorAddress(A.XOR_PEER_ADDRESS, from)
      .add(A.DATA, data)
      .build();
  }

  receive(data: Uint8Array, now: number): Buffer | null {
    const first = data[0] ?? 0;
    if ((first & 0xc0) === 0x40) {
      this.#channelData(Buffer.from(data), now);
      return null;
    }
    const message = StunMessage.decode(Buffer.from(data));
    if (message === null) throw new Error("the client sent what is no STUN");
    if (message.class === "indication") {
      this.#indication(message, now);
      return null;
    }
    const known = this.#answers.get(message.transactionKey);
    if (known !== undefined) return known;
    const answer = this.#answer(message, now);
    this.#answers.set(message.transactionKey, answer);
    return answer;
  }

  #channelData(data: Buffer, now: number): void {
    const channel = this.#channels.get(data.readUInt16BE(0));
    const allowed = channel !== undefined && channel.until > now && this.allocated(now);
    if (!allowed) this.dropped++;
    else {
      const { address, port } = channel.endpoint;
      const length = data.readUInt16BE(2);
      this.toPeers.push({ data: data.toString("utf8", 4, 4 + length), address, port, by: "channel" });
    }
  }

  #indication(message: StunMessage, now: number): void {
    const peer = message.xorAddress(A.XOR_PEER_ADDRESS);
    const data = message.get(A.DATA);
    if (message.method !== StunMethod.SEND || peer === null || data === undefined) throw new Error("a bad indication");
    if (!this.allocated(now) || !((this.#permissions.get(peer.address) ?? -1) > now)) this.dropped++;
    else this.toPeers.push({ data: data.toString(), ...peer, by: "indication" });
  }

  #key(): { key: Buffer; integrity: IntegrityAlgorithm } {
    const { algorithms } = this.#options;
    const key = longTermKey(CREDENTIALS.username, REALM, CREDENTIALS.credential, algorithms[0] ?? "md5");
    return { key, integrity: algorithms.length > 0 ? "sha256" : "sha1" };
  }

  #challenge(message: StunMessage, code: number, now: number): Buffer {
    const { algorithms, anonymous, nonceMs } = this.#options;
    if (now >= this.#nonceUntil) {
      const bits = (algorithms.length > 0 ? 0x800000 : 0) | (anonymous ? 0x400000 : 0);
      const cookie = Buffer.alloc(3);
      cookie.writeUIntBE(bits, 0, 3);
      this.#nonce = `${bits === 0 ? "" : `obMatJos2${cookie.toString("base64")}`}nonce${this.#nonces++}`;
      this.#nonceUntil = now + nonceMs;
    }
    const builder = error(message, code).text(A.REALM, REALM).text(A.NONCE, this.#nonce);
    if (algorithms.length > 0) builder.add(A.PASSWORD_ALGORITHMS, this.#offer());
    return builder.fingerprint().build();
  }

  /** One that nobody knows comes first, with parameters. */
  #offer(): Buffer {
    const known = this.#options.algorithms.map((algorithm) => Buffer.of(0, algorithm === "md5" ? 1 : 2, 0, 0));
    return Buffer.concat([Buffer.of(0x7f, 0xff, 0, 3, 1, 2, 3, 0), ...known]);
  }

  #answer(message: StunMessage, now: number): Buffer {
    const { key, integrity } = this.#key();
    const signed = message.integrityMatches(key, integrity);
    const { algorithms, anonymous } = this.#options;
    const user = anonymous
      ? message.get(A.USERHASH)?.equals(userHash(CREDENTIALS.username, REALM)) === true && !message.has(A.USERNAME)
      : message.text(A.USERNAME) === CREDENTIALS.username;
    if (signed === undefined) return this.#challenge(message, Code.UNAUTHENTICATED, now);
    if (message.text(A.NONCE) !== this.#nonce || now >= this.#nonceUntil) {
      return this.#challenge(message, Code.STALE_NONCE, now);
    }
    if (!signed || !user) return this.#challenge(message, Code.UNAUTHENTICATED, now);
    if (algorithms.length > 0 && message.get(A.PASSWORD_ALGORITHMS)?.equals(this.#offer()) !== true) {
      throw new Error("the client did not repeat our algorithms");
    }
    const fault = this.fault(message, now);
    if (fault !== null) {
      const builder = error(message, fault.code);
      fault.with?.(builder);
      return fault.unsigned === true ? builder.build() : builder.integrity(key, integrity).fingerprint().build();
    }
    const { code, attributes } = this.#serve(message, now);
    const builder =
      code === 0 ? new StunBuilder(message.method, "success", message.transactionId) : error(message, code);
    attributes(builder);
    return builder.integrity(key, integrity).fingerprint().build();
  }

  #serve(message: StunMessage, now: number): { code: number; attributes: (builder: StunBuilder) => void } {
    const { allocationMs, permissionMs, channelMs, relayed } = this.#options;
    const say = (code: number, what = "", attributes: (builder: StunBuilder) => void = () => {}) => {
      if (code === 0) this.granted.push(what);
      return { code, attributes };
    };
    const lifetime = (builder: StunBuilder): StunBuilder => builder.uint32(A.LIFETIME, allocationMs / 1000);
    if (message.method === StunMethod.ALLOCATE) {
      if (this.allocated(now)) return say(Code.ALLOCATION_MISMATCH);
      if (message.get(A.REQUESTED_TRANSPORT)?.[0] !== 17) return say(Code.BAD_REQUEST);
      this.#allocatedUntil = now + allocationMs;
      return say(0, "allocate", (builder) =>
        lifetime(builder).xorAddress(A.XOR_RELAYED_ADDRESS, relayed).xorAddress(A.XOR_MAPPED_ADDRESS, MAPPED),
      );
    }
    if (!this.allocated(now)) return say(Code.ALLOCATION_MISMATCH);
    if (message.method === StunMethod.REFRESH) {
      if (message.uint32(A.LIFETIME) === 0) {
        this.#allocatedUntil = -1;
        return say(0, "release", (builder) => builder.uint32(A.LIFETIME, 0));
      }
      this.#allocatedUntil = now + allocationMs;
      return say(0, "refresh", lifetime);
    }
    const value = message.get(A.XOR_PEER_ADDRESS);
    const peer = value === undefined ? null : readAddress(value, message.transactionId);
    if (peer === null) return say(Code.BAD_REQUEST);
    if (message.method === StunMethod.CREATE_PERMISSION) {
      this.#permissions.set(peer.address, now + permissionMs);
      return say(0, `permission ${peer.address}`);
    }
    const number = message.get(A.CHANNEL_NUMBER)?.readUInt16BE(0) ?? 0;
    const name = `${peer.address} ${peer.port}`;
    const holder = this.#channels.get(number);
    const taken = holder !== undefined && holder.peer !== name;
    const twice = [...this.#channels].some(([n, other]) => other.peer === name && n !== number && other.until > now);
    if (number < 0x4000 || number > 0x4fff || taken || twice) return say(Code.BAD_REQUEST);
    this.#channels.set(number, { peer: name, until: now + channelMs, endpoint: peer });
    this.#permissions.set(peer.address, now + permissionMs);
    return say(0, `channel ${name}`);
  }
}

function error(message: StunMessage, code: number): StunBuilder {
  return new StunBuilder(message.method, "error", message.transactionId).errorCode(code, "so it is");
}
