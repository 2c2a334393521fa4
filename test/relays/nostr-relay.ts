/**
 * A Nostr relay in memory, as strict as the big ones (strfry's defaults) with what it passes on; or one of those that a host must live
 * with. It remembers all that it saw.
 */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { sha256 } from "@noble/hashes/sha2.js";
import { schnorr } from "@noble/secp256k1";
import { type WebSocket, WebSocketServer } from "ws";
import "../../sdk/src/rendezvous/mailbox/nostr/event.ts";

/**
 * - `liar`: says OK, and passes nothing on.
 * - `hang`: takes the connection, and says nothing.
 * - `auth`, `pow`: wants an account, or work.
 * - `full`: takes subscriptions, and refuses what is published.
 * - `deaf`: takes nothing of what it was told to listen to.
 * - `echo`: passes everything on to everybody, thrice, in another order, and what it heard before.
 */
export type Behaviour = "honest" | "liar" | "hang" | "auth" | "pow" | "full" | "deaf" | "echo";

export interface NostrRelayOptions {
  port?: number;
  host?: string;
  /** Each message waits so long in either direction, ms. */
  delayMs?: number;
  behaviour?: Behaviour;
  /** The relay's clock is ahead by so much, ms. */
  clockMs?: number;
  /** Speaks wss. */
  tls?: { key: string; cert: string };
  /** Called with each message as it came. */
  onText?: (text: string) => void;
}

export interface SeenEvent {
  id: string;
  pubkey: string;
  created_at: number;
  kind: number;
  tags: string[][];
  content: string;
  sig: string;
}

type Filter = Record<string, unknown>;

/** strfry.conf: ephemeral events older or newer than this are refused, s, and kept for so long. */
const BEHIND_S = 60;
const AHEAD_S = 900;
const KEPT_S = 300;

export class NostrRelay implements AsyncDisposable {
  /** Everything that was published. */
  readonly events: SeenEvent[] = [];
  /** Everything that anybody said, as text. */
  readonly texts: string[] = [];
  /** Topics that were subscribed to. */
  readonly subscribed: string[][] = [];
  behaviour: Behaviour;
  readonly #options: NostrRelayOptions;
  readonly #server: WebSocketServer;
  readonly #http: Server;
  readonly #clients = new Map<WebSocket, Map<string, Filter[]>>();

  private constructor(options: NostrRelayOptions) {
    this.#options = options;
    this.behaviour = options.behaviour ?? "honest";
    const { port = 0, host = "127.0.0.1", tls } = options;
    this.#http = tls ? createSecureServer(tls) : createServer();
    this.#server = new WebSocketServer({ server: this.#http, maxPayload: 131_072 });
    this.#http.listen(port, host);
    this.#server.on("connection", (socket) => this.#onConnection(socket));
  }

  static async start(options: NostrRelayOptions = {}): Promise<NostrRelay> {
    const relay = new NostrRelay(options);
    await once(relay.#http, "listening");
    return relay;
  }

  get url(): string {
    return `${this.#options.tls ? "wss" : "ws"}://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  get connections(): number {
    return this.#clients.size;
  }

  /** To all who are there, whatever they asked for. */
  shout(text: string): void {
    for (const socket of this.#clients.keys()) socket.send(text);
  }

  /** Passes an event on as if it had been published. */
  deliver(event: SeenEvent): void {
    for (const [socket, subscriptions] of this.#clients) {
      for (const [id, filters] of subscriptions) {
        if (filters.some((filter) => matches(event, filter))) this.#say(socket, "EVENT", id, event);
      }
    }
  }

  dropAll(): void {
    for (const socket of this.#clients.keys()) socket.terminate();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropAll();
    this.#server.close();
    this.#http.close();
    await once(this.#http, "close");
  }

  #onConnection(socket: WebSocket): void {
    this.#clients.set(socket, new Map());
    socket.on("close", () => this.#clients.delete(socket));
    socket.on("error", () => undefined);
    socket.on("message", (data: Buffer) => {
      const text = data.toString();
      void this.#later(() => this.#onText(socket, text));
    });
  }

  #onText(socket: WebSocket, text: string): void {
    this.texts.push(text);
    this.#options.onText?.(text);
    if (this.behaviour === "hang") return;
    const [verb, first, ...rest] = JSON.parse(text) as [string, unknown, ...unknown[]];
    if (verb === "REQ") this.#onRequest(socket, first as string, rest as Filter[]);
    else if (verb === "CLOSE") this.#clients.get(socket)?.delete(first as string);
    else if (verb === "EVENT") this.#onEvent(socket, first as SeenEvent);
  }

  #onRequest(socket: WebSocket, id: string, filters: Filter[]): void {
    if (this.behaviour === "auth") return this.#say(socket, "CLOSED", id, "auth-required: who are you?");
    if (this.behaviour !== "deaf") this.#clients.get(socket)?.set(id, filters);
    this.subscribed.push(filters.flatMap((filter) => (filter["#x"] as string[] | undefined) ?? []));
    const now = this.#now();
    const kept = this.events.filter(({ created_at }) => created_at > now - KEPT_S);
    if (this.behaviour === "honest") {
      for (const event of kept) {
        if (filters.some((filter) => matches(event, filter))) this.#say(socket, "EVENT", id, event);
      }
    }
    // Somebody's newest note, for who asks what time it is.
    if (filters.some(({ kinds }) => (kinds as number[] | undefined)?.includes(1))) {
      this.#say(socket, "EVENT", id, { kind: 1, created_at: now - 2, tags: [], content: "hello" });
    }
    this.#say(socket, "EOSE", id);
  }

  #onEvent(socket: WebSocket, event: SeenEvent): void {
    const refusal = this.#refusalOf(event);
    if (refusal !== undefined) return this.#say(socket, "OK", event.id, false, refusal);
    this.events.push(event);
    this.#say(socket, "OK", event.id, true, "");
    if (this.behaviour === "liar") return;
    if (this.behaviour !== "echo") return this.deliver(event);
    for (const each of [...this.events].toReversed().slice(0, 20)) {
      for (const [other, subscriptions] of this.#clients) {
        for (const id of subscriptions.keys()) {
          for (let n = 0; n < 3; n++) this.#say(other, "EVENT", id, each);
        }
      }
    }
  }

  #refusalOf(event: SeenEvent): string | undefined {
    if (this.behaviour === "full") return "rate-limited: slow down";
    if (this.behaviour === "pow") return "pow: 28 bits needed";
    const { pubkey, created_at, kind, tags, content } = event;
    const digest = sha256(new TextEncoder().encode(JSON.stringify([0, pubkey, created_at, kind, tags, content])));
    if (Buffer.from(digest).toString("hex") !== event.id) return "invalid: event id is wrong";
    if (!schnorr.verify(Buffer.from(event.sig, "hex"), digest, Buffer.from(pubkey, "hex"))) {
      return "invalid: bad signature";
    }
    if (kind < 20_000 || kind >= 30_000) return "blocked: ephemeral events only";
    const now = this.#now();
    if (created_at < now - BEHIND_S) return "invalid: ephemeral event expired";
    if (created_at > now + AHEAD_S) return "invalid: created_at too late";
    return undefined;
  }

  #now(): number {
    return Math.floor((Date.now() + (this.#options.clockMs ?? 0)) / 1000);
  }

  #say(socket: WebSocket, ...message: unknown[]): void {
    void this.#later(() => socket.send(JSON.stringify(message)));
  }

  async #later(work: () => void): Promise<void> {
    const { delayMs = 0 } = this.#options;
    if (delayMs > 0) await sleep(delayMs);
    try {
      work();
    } catch {
      // Nonsense, or a socket that has gone.
    }
  }
}

function matches(event: SeenEvent, filter: Filter): boolean {
  return Object.entries(filter).every(([key, value]) => {
    if (key === "kinds") return (value as number[]).includes(event.kind);
    if (key === "since") return event.created_at >= (value as number);
    if (key.startsWith("#")) {
      return event.tags.some(([name, first]) => name === key.slice(1) && (value as string[]).includes(first ?? ""));
    }
    return true;
  });
}
