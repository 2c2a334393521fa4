import type { Endpoint } from "../../../../sdk/src/net/endpoint.ts";
import type { CloseReason, Session, SessionMode, SessionStats } from "../../../../sdk/src/session/types.ts";

/** One end of a conversation within the process: reliable, in order, a tick late. */
export class FakeSession implements Session {
  readonly clientId: bigint;
  readonly userData: Uint8Array;
  remote: Endpoint = { address: "127.0.0.1", port: 1 };
  open = true;
  silentMs = 0;
  conditions: Session["conditions"] = null;
  readonly pathKind = "direct" as const;
  onPath: Session["onPath"] = null;
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
    return {
      rttMs: 1,
      jitterMs: 0,
      loss: 0,
      bytesIn: 0,
      bytesOut: 0,
      packetsIn: 0,
      packetsOut: 0,
      packetsLost: 0,
      bufferedBytes: 0,
      congestionWindow: 0,
      bytesInFlight: 0,
      maxPacketBytes: 1200,
    };
  }

  send(data: Uint8Array, mode: SessionMode): boolean {
    if (!this.open || (mode === "reliable" && !this.hasRoom)) return false;
    const copy = Buffer.from(data);
    this.sent.push({ data: copy, mode });
    if (mode === "reliable" || this.unreliableGetsThrough)
      setImmediate(() => this.peer?.receive(Buffer.from(copy), mode));
    return true;
  }

  receive(data: Buffer, mode: SessionMode): void {
    if (!this.open) return;
    this.onMessage?.(data, mode, 0);
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
