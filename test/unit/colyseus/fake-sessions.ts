import { randomBytes } from "node:crypto";
import type { ConnectEndpoint } from "../../../sdk/src/session/exchange.ts";
import type {
  CloseReason,
  Session,
  SessionMode,
  SessionServer,
  SessionStats,
  SessionTokenOptions,
} from "../../../sdk/src/session/types.ts";
import type { Endpoint } from "../../../sdk/src/udp/endpoint.ts";

/** One end of a conversation within the process: reliable, in order, a tick late. */
export class FakeSession implements Session {
  readonly clientId: bigint;
  readonly userData: Uint8Array;
  remote: Endpoint = { address: "127.0.0.1", port: 1 };
  open = true;
  onMessage: Session["onMessage"] = null;
  onClose: Session["onClose"] = null;
  peer: FakeSession | undefined;
  /** False loses every unreliable message on its way out. */
  unreliableGetsThrough = true;
  /** What `send` answers to reliable messages. */
  hasRoom = true;
  readonly sent: { data: Buffer; mode: SessionMode }[] = [];

  constructor(clientId: bigint, userData: Uint8Array) {
    this.clientId = clientId;
    this.userData = userData;
  }

  get stats(): SessionStats {
    return { rttMs: 1, jitterMs: 0, loss: 0, bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0, bufferedBytes: 0 };
  }

  send(data: Uint8Array, mode: SessionMode): boolean {
    if (!this.open || (mode === "reliable" && !this.hasRoom)) return false;
    const copy = Buffer.from(data);
    this.sent.push({ data: copy, mode });
    if (mode === "reliable" || this.unreliableGetsThrough) setImmediate(() => this.peer?.receive(Buffer.from(copy), mode));
    return true;
  }

  receive(data: Buffer, mode: SessionMode): void {
    if (!this.open) return;
    this.onMessage?.(data, mode);
    // Valid only during the call.
    data.fill(0xee);
  }

  flush(): void {}

  close(code = 1000, reason = ""): void {
    const peer = this.peer;
    this.end("local", code, reason);
    setImmediate(() => peer?.end("remote", code, reason));
  }

  /** Silence on the line. */
  lose(): void {
    this.end("timeout", 1006, "");
  }

  end(why: CloseReason, code: number, text: string): void {
    if (!this.open) return;
    this.open = false;
    this.onClose?.(why, code, text);
  }
}

const servers = new Map<string, { server: FakeSessionServer; options: SessionTokenOptions }>();

export class FakeSessionServer implements SessionServer {
  onSession: ((session: Session) => void) | null = null;
  readonly sessions: Set<Session> = new Set();
  /** The client's ends, newest last. */
  readonly clients: FakeSession[] = [];
  lastToken: SessionTokenOptions | undefined;

  createToken(options: SessionTokenOptions): Uint8Array {
    const token = randomBytes(2048);
    servers.set(token.toString("base64"), { server: this, options });
    this.lastToken = options;
    return token;
  }

  accept({ clientId, userData }: SessionTokenOptions): FakeSession {
    const here = new FakeSession(clientId, userData);
    const there = new FakeSession(0n, new Uint8Array(0));
    here.peer = there;
    there.peer = here;
    this.sessions.add(here);
    this.clients.push(there);
    setImmediate(() => this.onSession?.(here));
    return there;
  }

  async close(): Promise<void> {
    for (const session of this.sessions) session.close(1001);
    this.sessions.clear();
  }
}

export class FakeSessionHost {
  readonly sessions: FakeSessionServer = new FakeSessionServer();
  closed = false;

  async open(): Promise<SessionServer> {
    return this.sessions;
  }

  endpoints(): ConnectEndpoint[] {
    return [{ kind: "host", address: "192.0.2.1", port: 7777 }];
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}

export async function fakeConnectSession(token: Uint8Array, { signal }: { signal: AbortSignal }): Promise<Session> {
  const known = servers.get(Buffer.from(token).toString("base64"));
  servers.delete(Buffer.from(token).toString("base64"));
  if (!known) throw new Error("unknown token");
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
  return known.server.accept(known.options);
}

/** A server that never answers. */
export function silentConnectSession(_token: Uint8Array, { signal }: { signal: AbortSignal }): Promise<Session> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });
}
