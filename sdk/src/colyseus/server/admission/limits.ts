import {
  type SharedLimits,
  serverSessionLimits,
  serverTraffic,
  type TrafficLimits,
} from "../../wire/traffic-limits.ts";
import type { AdmissionLimits } from "./admission-limits.ts";
import { checkLimits } from "./check-limits.ts";
import type { ConnectionLimits } from "./connection-limits.ts";

/**
 * What strangers and players may take of a server: the option `limits` of {@link SallyportTransport}. Every limit has a default and
 * holds at every door alike, UDP, WebRTC and WebSocket, unless it names one.
 */
export interface TransportLimits extends AdmissionLimits, ConnectionLimits, TrafficLimits {
  /** Most players over UDP at once, 1-65536. Who comes later plays over WebSocket. Default 1024. */
  udpSessions?: number;
}

/** What every door of a server is handed. */
export interface DoorLimits extends SharedLimits {
  /** Most sessions over UDP. */
  maxClients: number;
}

const UDP_SESSIONS = 1024;
/** netcode's slots. */
const MOST_UDP_SESSIONS = 65_536;

/**
 * Fills in the defaults of what messages may take.
 * @param maxPayload Colyseus' option
 * @throws RangeError for a limit out of its range
 */
export function doorLimits(maxPayload: number | undefined, limits: TransportLimits = {}): DoorLimits {
  checkLimits(limits);
  const { udpSessions: maxClients = UDP_SESSIONS } = limits;
  if (!Number.isInteger(maxClients) || maxClients > MOST_UDP_SESSIONS) {
    throw new RangeError(`limits.udpSessions must be an integer from 1 to ${MOST_UDP_SESSIONS}, not ${maxClients}`);
  }
  return { ...serverSessionLimits(serverTraffic(maxPayload, limits)), maxClients };
}
