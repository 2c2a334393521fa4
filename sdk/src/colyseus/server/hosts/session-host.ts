import type { Endpoint } from "../../../net/endpoint.ts";
import type { SessionServer } from "../../../session/types.ts";
import type { ConnectEndpoint } from "../../wire/connect-request.ts";

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
  /** The addresses that the person who hosts announces; they are among `endpoints()` too. */
  announced(): readonly string[];
  /** Where a stranger can dial it over TCP and UDP alike, best first: neither what only hole punching nor what only UDP reaches. */
  dialable(): Endpoint[];
  /**
   * Has routers forward another UDP port of this machine too, until `close()`, for a part of the game with a socket of its own. Call
   * it after `open()`.
   * @returns where that port is reached from outside at the moment; undefined while it is not
   */
  mapExtraPort?(port: number): () => Endpoint | undefined;
  /** Called when what `endpoints()` or `dialable()` say has changed. */
  onChange: (() => void) | null;
  /** Gives back whatever `open()` took, also when that is still under way. */
  close(): Promise<void>;
}
