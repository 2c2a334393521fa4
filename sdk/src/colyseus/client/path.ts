/**
 * How a room is reached: straight over UDP (a browser: over WebRTC, which is UDP too), over UDP through punched NATs, by a relay, or by WebSocket. `none` only before it is
 * joined.
 */
export type PathKind = "direct" | "punched" | "relayed" | "websocket" | "none";

/** One path that a room has used. */
export interface PathRecord {
  /** How the room is reached by it. */
  kind: PathKind;
  /** `address:port` of the far end (`unknown:port` where a browser hides it); the host of the URL for WebSocket. */
  remote: string;
  /** Since when, ms since the epoch. */
  since: number;
  /** Why this path, in plain words. */
  reason: string;
}

/** What `room.path` says. Rates are those of now; null where nothing measures them (WebSocket). */
export interface RoomPath extends PathRecord {
  /** Smoothed round-trip time, ms. */
  rttMs: number | null;
  /** Its mean deviation, ms. */
  jitterMs: number | null;
  /** Share of our packets lost, 0-1. */
  loss: number | null;
  /** Paths that were used before this one, oldest first; at most 16. */
  history: readonly PathRecord[];
}

/** How far a join has come. */
export interface JoinProgress {
  /** `matchmaking`: asking for a seat; `token`: asking for the way in over UDP or WebRTC; `udp`, `webrtc`, `websocket`: dialing; `joined`. */
  stage: "matchmaking" | "token" | "udp" | "webrtc" | "websocket" | "joined";
  /** Ms since the join began. */
  ms: number;
  /** The address that is being dialed, why UDP or WebRTC was given up, or why the server has us wait. */
  detail?: string;
}
