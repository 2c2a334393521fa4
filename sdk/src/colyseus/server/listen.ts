import type { Server } from "node:http";
import type { Server as SecureServer } from "node:https";
import { logger } from "@colyseus/core";
import { UDPSocketError } from "../../net/udp-error.ts";
import type { SessionServer } from "../../session/types.ts";
import { closeTCP, listenTCP } from "./entrances/http.ts";
import type { SessionHost } from "./hosts/session-host.ts";
import type { WebRTCEndpoint } from "./webrtc/endpoint.ts";

/** A free TCP port may be taken over UDP; when the system chooses, another will do. */
const PORT_ATTEMPTS = 16;

export interface Listeners {
  server: Server | SecureServer;
  host: SessionHost;
  webRTC: WebRTCEndpoint;
}

/**
 * Binds one port over TCP and UDP, and WebRTC's port beside it. Whatever fails, nothing stays bound. Where the runtime has no UDP of use,
 * that is said, and TCP serves alone.
 * @param port 0-65535; 0 = one that the system chooses
 * @throws RangeError for a port out of range, or what the system says: `EADDRINUSE`, `EACCES`…
 */
export async function listenOnPort(
  { server, host, webRTC }: Listeners,
  port: number | string,
  hostname: string | undefined,
  backlog: number | undefined,
): Promise<SessionServer | undefined> {
  const wanted = parsePort(port);
  for (let attempt = 1; ; attempt++) {
    const bound = await listenTCP(server, wanted, hostname, backlog);
    const address = bound.address === "::" ? "*" : bound.address;
    try {
      const sessions = await host.open(bound.port, address).catch(withoutUDP);
      try {
        await webRTC.open(bound.port, address);
        return sessions;
      } catch (error) {
        await sessions?.close();
        await host.close();
        throw error;
      }
    } catch (error) {
      await closeTCP(server);
      if (wanted !== 0 || attempt === PORT_ATTEMPTS || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") {
        throw error;
      }
    }
  }
}

/** @throws what the system says of the port, which another port may help */
function withoutUDP(error: unknown): undefined {
  if (!(error instanceof UDPSocketError) || error.code !== "ENOSYS") throw error;
  logger.warn(`Sallyport: ${error.message} Players come in over WebSocket.`);
}

function parsePort(port: number | string): number {
  const wanted = Number(port);
  if (Number.isInteger(wanted) && wanted >= 0 && wanted <= 65535) return wanted;
  throw new RangeError(
    `Cannot listen on ${JSON.stringify(port)}: a game over UDP needs a port number from 0 to 65535.`,
  );
}
