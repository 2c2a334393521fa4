/** A TURN client that does as it is told, for attacks: each request is sent once, and its answer given back as it came. */
import { UDPSocket } from "../../../sdk/src/net/udp-socket.ts";
import { StunBuilder } from "../../../sdk/src/stun/builder.ts";
import { StunAttribute as A, StunMethod } from "../../../sdk/src/stun/constants.ts";
import { longTermKey } from "../../../sdk/src/stun/integrity.ts";
import { StunMessage } from "../../../sdk/src/stun/message.ts";
import type { TurnCredentials } from "../../../sdk/src/turn/credentials.ts";

const REALM = "sallyport";
/** What is not answered by then never is, ms. */
const PATIENCE_MS = 500;
const UDP_TRANSPORT = Uint8Array.of(17, 0, 0, 0);

export class RawTurnClient implements AsyncDisposable {
  readonly socket: UDPSocket;
  credentials: TurnCredentials;
  nonce = "";
  /** Of the last request that was signed, for replays. */
  lastRequest: Buffer = Buffer.alloc(0);
  readonly #port: number;
  readonly #waiting = new Map<string, (answer: StunMessage) => void>();

  constructor(port: number, credentials: TurnCredentials, address = "127.0.0.1") {
    this.#port = port;
    this.credentials = credentials;
    this.socket = UDPSocket.open({ address });
    this.socket.onDatagram = (data) => {
      const message = StunMessage.decode(data);
      if (message !== null) this.#waiting.get(message.transactionKey)?.(message);
    };
  }

  raw(data: Uint8Array): void {
    this.socket.send(data, this.#port, "127.0.0.1");
  }

  /** Undefined when there is no answer. */
  async exchange(request: Buffer): Promise<StunMessage | undefined> {
    const key = StunMessage.decode(request)?.transactionKey ?? "";
    return await new Promise((resolve) => {
      const timer = setTimeout(() => done(undefined), PATIENCE_MS);
      const done = (answer: StunMessage | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(key);
        resolve(answer);
      };
      this.#waiting.set(key, done);
      this.raw(request);
    });
  }

  async challenge(): Promise<void> {
    const request = new StunBuilder(StunMethod.ALLOCATE, "request").add(A.REQUESTED_TRANSPORT, UDP_TRANSPORT);
    this.nonce = (await this.exchange(request.build()))?.text(A.NONCE) ?? "";
  }

  async ask(method: number, fill: (builder: StunBuilder) => void): Promise<StunMessage | undefined> {
    const builder = new StunBuilder(method, "request");
    fill(builder);
    const { username, credential } = this.credentials;
    builder.text(A.USERNAME, username).text(A.REALM, REALM).text(A.NONCE, this.nonce);
    this.lastRequest = builder.integrity(longTermKey(username, REALM, credential)).build();
    return await this.exchange(this.lastRequest);
  }

  async allocate(): Promise<StunMessage | undefined> {
    if (this.nonce === "") await this.challenge();
    return await this.ask(StunMethod.ALLOCATE, (builder) => builder.add(A.REQUESTED_TRANSPORT, UDP_TRANSPORT));
  }

  async permit(address: string): Promise<StunMessage | undefined> {
    return await this.ask(StunMethod.CREATE_PERMISSION, (builder) =>
      builder.xorAddress(A.XOR_PEER_ADDRESS, { address, port: 0 }),
    );
  }

  async bind(channel: number, address: string, port: number): Promise<StunMessage | undefined> {
    return await this.ask(StunMethod.CHANNEL_BIND, (builder) =>
      builder.uint32(A.CHANNEL_NUMBER, channel * 0x1_0000).xorAddress(A.XOR_PEER_ADDRESS, { address, port }),
    );
  }

  indicate(address: string, port: number, data: Uint8Array): void {
    const builder = new StunBuilder(StunMethod.SEND, "indication");
    this.raw(builder.xorAddress(A.XOR_PEER_ADDRESS, { address, port }).add(A.DATA, data).build());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.socket.close();
  }
}
