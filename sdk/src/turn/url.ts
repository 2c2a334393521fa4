import { parseStunServer } from "../stun/server-url.ts";

/** How a client speaks to a TURN server. */
export type TurnTransport = "udp" | "tcp" | "tls";

/** A TURN server's URL, in parts. */
export interface TurnServerUrl {
  /** A name or an address, IPv6 without brackets. */
  host: string;
  /** The port, 1-65535. */
  port: number;
  /** How the client speaks to the server; the relayed address is always UDP. */
  transport: TurnTransport;
}

/** RFC 7065 section 3.2: TURN shares STUN's ports. */
const TURNS_PORT = 5349;

/**
 * Reads `turn:host:port?transport=udp|tcp` and `turns:host:port` (RFC 7065). Ports default to 3478 and 5349. `null` for
 * anything else, and for `turns:` over UDP, which is DTLS.
 */
export function parseTurnUrl(text: string): TurnServerUrl | null {
  const match = /^(turns?):(?:\/\/)?([^?]+)(?:\?transport=(udp|tcp))?$/i.exec(text.trim());
  if (match === null) return null;
  const [, scheme = "", authority = "", given] = match;
  const secure = scheme.toLowerCase() === "turns";
  const transport = given?.toLowerCase();
  if (secure && transport === "udp") return null;
  const address = /^stun:/i.test(authority) ? null : parseStunServer(authority);
  if (address === null) return null;
  const port = secure && !hasPort(authority) ? TURNS_PORT : address.port;
  return { host: address.host, port, transport: secure ? "tls" : transport === "tcp" ? "tcp" : "udp" };
}

function hasPort(authority: string): boolean {
  const name = authority.replace(/^\[.*\]/, "");
  return name.split(":").length === 2;
}
