import type { Endpoint } from "../net/endpoint.ts";
import type { SessionPathKind, SessionPathPair } from "./path.ts";

/** The secure path below a session: netcode's client, one of its server's slots, or a data channel. */
export interface SessionLink {
  readonly remote: Endpoint;
  readonly kind?: SessionPathKind;
  pairs?(): readonly SessionPathPair[];
  /** When the last packet came that counted, keep-alives too: ms on the pump's clock. */
  readonly heardAt: number;
  /** What was sent waits in a queue of the link's own: nothing more is made. Whoever owns it calls `flush()` once it has emptied. */
  readonly isFull?: boolean;
  /** Seals and sends one payload of 1-1200 bytes; `payload` is read during the call. */
  send(payload: Uint8Array, now: number): boolean;
  /** Says goodbye (netcode's redundant disconnect packets) and forgets the peer. */
  disconnect(now: number): void;
}
