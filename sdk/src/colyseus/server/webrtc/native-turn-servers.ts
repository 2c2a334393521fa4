import type { TurnServer } from "../../../turn/open.ts";
import { parseTurnUrl } from "../../../turn/url.ts";
import type { NativeIceServer } from "./library.ts";

/** Of more servers each browser would cost as many allocations. */
const MAX_SERVERS = 2;

/** TURN servers as libdatachannel takes them: those over UDP, since libjuice speaks no other. */
export function nativeTurnServers(servers: readonly TurnServer[]): NativeIceServer[] {
  const native: NativeIceServer[] = [];
  for (const { urls, username, credential: password } of servers) {
    if (username === undefined || password === undefined) continue;
    for (const text of typeof urls === "string" ? [urls] : urls) {
      const url = parseTurnUrl(text);
      if (url?.transport !== "udp") continue;
      native.push({ hostname: url.host, port: url.port, username, password, relayType: "TurnUdp" });
    }
  }
  return native.slice(0, MAX_SERVERS);
}
