import type { TrafficLimits } from "../../wire/traffic-limits.ts";
import type { AdmissionLimits } from "./admission-limits.ts";
import type { ConnectionLimits } from "./connection-limits.ts";

/**
 * What strangers and players may take of a server: the option `limits` of {@link SallyportTransport}. Every limit has a default and
 * holds at every door alike, UDP, WebRTC and WebSocket, unless it names one.
 */
export interface TransportLimits extends AdmissionLimits, ConnectionLimits, TrafficLimits {
  /** Most players over UDP at once, 1-65536. Who comes later plays over WebSocket. Default 1024. */
  udpSessions?: number;
}
