/** A TURN server's core with a clock and relays of the test's own. */
import type { Endpoint } from "../../../../sdk/src/net/endpoint.ts";
import { StunBuilder } from "../../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../../../../sdk/src/stun/constants.ts";
import { longTermKey } from "../../../../sdk/src/stun/integrity.ts";
import { StunMessage } from "../../../../sdk/src/stun/message.ts";
import { mintTurnCredentials, type TurnCredentials } from "../../../../sdk/src/turn/credentials.ts";
import type { RelaySocket, TurnClient } from "../../../../sdk/src/turn/server/allocation.ts";
import { type RelaySockets, TurnServerCore } from "../../../../sdk/src/turn/server/core.ts";
import type { TurnServerCoreOptions } from "../../../../sdk/src/turn/server/options.ts";

export const SECRET = "s3cret";
export const OWN = "198.51.100.7";
const REALM = "sallyport";

export interface ToPeer {
  readonly from: Endpoint;
  readonly to: string;
  readonly data: string;
}

/** A client that signs as the specification says, and keeps what it hears. */
export class Client implements TurnClient {
  readonly endpoint: Endpoint;
  readonly transport: "udp" | "tcp";
  readonly heard: Buffer[] = [];
  sentBytes = 0;
  credentials: TurnCredentials;
  nonce = "";
  readonly #core: TurnServerCore;

  constructor(
    core: TurnServerCore,
    endpoint: Endpoint,
    credentials: TurnCredentials,
    transport: "udp" | "tcp" = "udp",
  ) {
    this.#core = core;
    this.endpoint = endpoint;
    this.credentials = credentials;
    this.transport = transport;
  }

  send(data: Uint8Array): boolean {
    this.heard.push(Buffer.from(data));
    return true;
  }

  get heardBytes(): number {
    return this.heard.reduce((sum, { length }) => sum + length, 0);
  }

  raw(data: Uint8Array): StunMessage | undefined {
    const before = this.heard.length;
    this.sentBytes += data.length;
    this.#core.receive(Buffer.from(data), this.#core.clientAt(this.endpoint.address, this.endpoint.port) ?? this);
    const answer = this.heard[before];
    return answer === undefined ? undefined : (StunMessage.decode(answer) ?? undefined);
  }

  /** Signed with what the server has asked for. */
  ask(method: number, fill: (builder: StunBuilder) => void = () => {}, transactionId?: Uint8Array): StunMessage {
    const builder = new StunBuilder(method, "request", transactionId);
    fill(builder);
    const { username, credential } = this.credentials;
    builder.text(A.USERNAME, username).text(A.REALM, REALM).text(A.NONCE, this.nonce);
    const answer = this.raw(builder.integrity(longTermKey(username, REALM, credential)).build());
    if (answer === undefined) throw new Error("no answer");
    return answer;
  }

  challenge(): void {
    const request = new StunBuilder(StunMethod.ALLOCATE, "request").add(
      A.REQUESTED_TRANSPORT,
      Uint8Array.of(17, 0, 0, 0),
    );
    this.nonce = this.raw(request.build())?.text(A.NONCE) ?? "";
  }

  allocate(fill: (builder: StunBuilder) => void = () => {}, transactionId?: Uint8Array): StunMessage {
    if (this.nonce === "") this.challenge();
    return this.ask(
      StunMethod.ALLOCATE,
      (builder) => {
        builder.add(A.REQUESTED_TRANSPORT, Uint8Array.of(17, 0, 0, 0));
        fill(builder);
      },
      transactionId,
    );
  }

  permit(...addresses: string[]): StunMessage {
    return this.ask(StunMethod.CREATE_PERMISSION, (builder) => {
      for (const address of addresses) builder.xorAddress(A.XOR_PEER_ADDRESS, { address, port: 0 });
    });
  }

  bind(channel: number, peer: Endpoint): StunMessage {
    return this.ask(StunMethod.CHANNEL_BIND, (builder) => {
      builder.uint32(A.CHANNEL_NUMBER, channel * 0x1_0000).xorAddress(A.XOR_PEER_ADDRESS, peer);
    });
  }

  indicate(peer: Endpoint, text: string): void {
    this.raw(
      new StunBuilder(StunMethod.SEND, "indication")
        .xorAddress(A.XOR_PEER_ADDRESS, peer)
        .add(A.DATA, Buffer.from(text))
        .build(),
    );
  }
}

export class World implements RelaySockets {
  now = 1_000_000;
  unix = 1_800_000_000;
  readonly core: TurnServerCore;
  readonly toPeers: ToPeer[] = [];
  /** By port. */
  readonly open_ = new Map<number, (data: Uint8Array, address: string, port: number) => void>();
  #nextPort = 50_000;
  #clients = 0;

  constructor(options: Partial<TurnServerCoreOptions> = {}) {
    this.core = new TurnServerCore(
      {
        secret: SECRET,
        clock: { now: () => this.now, unixNow: () => this.unix * 1000 },
        mayReach: (address) => address.startsWith("203.0.113."),
        ...options,
      },
      this,
    );
  }

  client(options: { label?: string; address?: string; transport?: "udp" | "tcp"; ttlSeconds?: number } = {}): Client {
    const { label = "ada", address = "192.0.2.9", transport = "udp", ttlSeconds = 600 } = options;
    const credentials = mintTurnCredentials(SECRET, { label, ttlSeconds, unixSeconds: this.unix });
    return new Client(this.core, { address, port: 40_000 + this.#clients++ }, credentials, transport);
  }

  /** A peer's datagram to a relayed port. */
  peerSends(port: number, text: string, from: Endpoint): void {
    this.open_.get(port)?.(Buffer.from(text), from.address, from.port);
  }

  has(family: 4 | 6): boolean {
    return family === 4;
  }

  isOwn(address: string): boolean {
    return address === OWN || address === "127.0.0.1";
  }

  open(
    _family: 4 | 6,
    even: boolean,
    receive: (data: Uint8Array, address: string, port: number) => void,
  ): RelaySocket | null {
    const port = even ? this.#nextPort + (this.#nextPort % 2) : this.#nextPort;
    this.#nextPort = port + 1;
    this.open_.set(port, receive);
    const relayed = { address: OWN, port };
    return {
      relayed,
      send: (data, to, address) => {
        this.toPeers.push({ from: relayed, to: `${address}:${to}`, data: Buffer.from(data).toString() });
        return true;
      },
      close: () => this.open_.delete(port),
    };
  }
}
