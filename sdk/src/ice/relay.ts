import type { Endpoint } from "../net/endpoint.ts";

/** An allocation on a TURN server, as far as a path goes over it. Whoever uses it for ICE owns its handlers. */
export interface RelayPath {
  /** Tells the relays of one socket apart; never `socket`. */
  readonly id: string;
  /** Where peers send to. */
  readonly relayed: Endpoint;
  /** Sees what peers sent to the relay: their address and port as the relay saw them. `data` is the receiver's to keep. */
  onData: ((data: Buffer, address: string, port: number) => void) | null;
  /** The allocation is gone. */
  onLost: ((error: never) => void) | null;
  /** Has the relay send. `data` may be reused at once. @returns `false` when it cannot leave now */
  send(data: Uint8Array, address: string, port: number): boolean;
  /** Lets this address send to the relay, and keeps it so (RFC 8656 section 9). Harmless when repeated. */
  permit(address: string): void;
}
