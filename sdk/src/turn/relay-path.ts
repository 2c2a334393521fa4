import type { Endpoint } from "../net/endpoint.ts";
import type { TurnError } from "./errors.ts";

/** An address on a relay, through which datagrams go to peers and come from them. */
export interface RelayPath {
  /** Unique in this process. */
  readonly id: string;
  /** Where peers send to. */
  readonly relayed: Endpoint;
  /** The relay itself. */
  readonly server: Endpoint;
  /** A datagram that came from a peer, or from another whose address is permitted. `data` is the receiver's to keep. */
  onData: ((data: Buffer, address: string, port: number) => void) | null;
  /** Called once when the relay is gone, unless {@link close} was called. */
  onLost: ((error: TurnError) => void) | null;
  /**
   * Sends a datagram to a peer, from {@link relayed}. `data` may be reused at once. Never throws; `true` means only that
   * it is on its way to the relay.
   */
  send(data: Uint8Array, address: string, port: number): boolean;
  /** Lets datagrams from this address in, whatever their port. {@link send} does so too. */
  permit(address: string): void;
  /** Gives the relayed address back. */
  close(): Promise<void>;
}
