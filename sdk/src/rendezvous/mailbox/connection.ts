/** One connection to one relay: its time-outs and the questions whether it is still there. */
import type { Clock } from "../../net/clock.ts";
import type { RelayProtocol, RelayProtocolEvents, RelaySender, Topic } from "../wire/relay.ts";
import { parseRelayUrl } from "../wire/relay-url.ts";
import { MqttProtocol } from "./mqtt/protocol.ts";
import { NostrProtocol } from "./nostr/protocol.ts";
import type { OpenRelaySocket, RelaySocket } from "./socket.ts";

/** Until it listens for us, ms: a relay that hangs must not be waited for. */
export const CONNECT_TIMEOUT_MS = 3000;
/** After so much silence a relay is asked, and given so long, ms. NATs forget a silent TCP connection after minutes. */
const SILENCE_MS = 45_000;
const ANSWER_MS = 10_000;

export interface RelayConnectionOptions {
  url: string;
  topics: readonly Topic[];
  openSocket: OpenRelaySocket;
  clock: Clock;
  random: (bytes: number) => Uint8Array;
  /** It listens; from now on it can be published to. */
  onReady: () => void;
  onMessage: (topic: Topic, content: Uint8Array) => void;
  onRefused: (reason: string) => void;
  /** Once; not after close(). */
  onClosed: (reason: string, lasting: boolean) => void;
}

export class RelayConnection {
  readonly #options: RelayConnectionOptions;
  readonly #protocol: RelayProtocol;
  /** None while it opens: a socket may end before its constructor returns. */
  #socket: RelaySocket | undefined;
  #cancel: () => void = () => undefined;
  #isOpen = false;
  #isReady = false;
  #isClosed = false;
  #topics: readonly Topic[];
  #heardAt = 0;

  /** Begins to connect. Throws what `openSocket` throws, and leaves no timer behind. */
  constructor(options: RelayConnectionOptions) {
    this.#options = options;
    this.#topics = options.topics;
    this.#protocol = protocolFor(options, this.#events());
    const socket = options.openSocket(options.url, {
      onOpen: () => {
        this.#isOpen = true;
        this.#protocol.start(this.#topics);
      },
      onData: (data) => this.#onData(data),
      onClose: (reason) => this.#lose(reason),
    });
    this.#socket = socket;
    if (this.#isClosed) socket.close();
    else this.#cancel = options.clock.after(CONNECT_TIMEOUT_MS, () => this.#lose("it does not answer"));
  }

  get isReady(): boolean {
    return this.#isReady && !this.#isClosed;
  }

  subscribe(topics: readonly Topic[]): void {
    this.#topics = topics;
    if (this.#isOpen) this.#protocol.subscribe(topics);
  }

  publish(topic: Topic, content: Uint8Array, sender: RelaySender): void {
    if (this.isReady) this.#protocol.publish(topic, content, sender);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancel();
    this.#socket?.close();
  }

  #events(): RelayProtocolEvents {
    return {
      send: (data) => this.#socket?.send(data),
      onSubscribed: () => {
        if (this.#isReady) return;
        this.#isReady = true;
        this.#watch();
        this.#options.onReady();
      },
      onMessage: (topic, content) => this.#options.onMessage(topic, content),
      onAlive: () => undefined,
      onRefused: (reason) => this.#options.onRefused(reason),
      onFailed: (reason, lasting) => this.#lose(reason, lasting),
    };
  }

  #onData(data: string | Uint8Array): void {
    if (this.#isClosed) return;
    this.#heardAt = this.#options.clock.unixNow();
    this.#protocol.receive(data);
  }

  /** By the clock on the wall: after a sleep the connection is asked at once. */
  #watch(): void {
    const { clock } = this.#options;
    this.#cancel();
    this.#cancel = clock.after(SILENCE_MS, () => {
      if (clock.unixNow() - this.#heardAt < SILENCE_MS / 2) return this.#watch();
      const askedAt = clock.unixNow();
      this.#protocol.ping();
      this.#cancel = clock.after(ANSWER_MS, () => {
        if (this.#heardAt >= askedAt) this.#watch();
        else this.#lose("it no longer answers");
      });
    });
  }

  #lose(reason: string, lasting: boolean = false): void {
    if (this.#isClosed) return;
    this.close();
    this.#options.onClosed(reason, lasting);
  }
}

function protocolFor({ url, clock, random }: RelayConnectionOptions, events: RelayProtocolEvents): RelayProtocol {
  if (parseRelayUrl(url)?.kind !== "mqtt") return new NostrProtocol(events, { unixNow: () => clock.unixNow(), random });
  const { username, password } = new URL(url);
  const credentials =
    username === "" ? {} : { username: decodeURIComponent(username), password: decodeURIComponent(password) };
  return new MqttProtocol(events, { random, ...credentials });
}
