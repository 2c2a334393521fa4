import type { ConnectEndpoint } from "../session/exchange.ts";
import type { SessionServer } from "../session/types.ts";

/** Where a transport's sessions come from: the game's UDP socket, and what keeps it reachable. */
export interface SessionHost {
  /**
   * Binds UDP `port` (0-65535) on `address` (`*` = all) and accepts sessions from then on. Does not wait until the world can
   * reach it.
   * @throws UDPSocketError when the port cannot be bound.
   */
  open(port: number, address: string): Promise<SessionServer>;
  /** Where it can be reached as far as is known now, best first. */
  endpoints(): ConnectEndpoint[];
  /** Gives back whatever `open()` took, also when that is still under way. */
  close(): Promise<void>;
}
