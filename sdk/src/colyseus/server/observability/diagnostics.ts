import { channel } from "node:diagnostics_channel";
import type { Reachability } from "../../../connectivity/reachability.ts";
import type { LanNetworkState } from "../../../lan/network.ts";
import { type TraceInput, traceOf } from "../../../net/trace.ts";
import { TraceLimiter } from "../../../net/trace-limiter.ts";
import type { SessionPathKind } from "../../../session/path.ts";

/** `share`: its address holds as many as it may. `full`: the server does. `no-seat`: a WebSocket that took no seat in time. */
export type ConnectionRefusal = "share" | "full" | "no-seat";

/** How a player is connected, for dashboards and `sallyport:player:*`. */
export interface PlayerConnection {
  /** The room that the player is in. */
  roomId: string;
  /** The player's `client.sessionId`. */
  sessionId: string;
  /** Over UDP, browsers' WebRTC among it, straight, through punched NATs, or by a relay; or by WebSocket. */
  path: SessionPathKind | "websocket";
  /** `address:port` of the player, as the process sees it. */
  remote: string;
  /** Since when, ms since the epoch. */
  since: number;
  /** Smoothed round-trip time, ms; null where nothing measures it (WebSocket), and before the first sample. */
  rttMs: number | null;
  /** Mean deviation of the round-trip time, ms; null where `rttMs` is. */
  jitterMs: number | null;
  /** Share of the packets to the player that were lost, 0-1. */
  loss: number | null;
}

/** One of the ways that ICE tried to a player who came by invite. */
export interface PlayerPair {
  /** Our socket, or the id of our relay. */
  via: string;
  /** What the player sees us as: `host`, `mapped`, `reflexive`, `peer-reflexive`, `relayed`. */
  local: string;
  /** `address:port` of the player there. */
  remote: string;
  /** What the player's end is, in the words of `local`. */
  remoteType: string;
  /** `waiting`, `in-progress`, `succeeded`, `failed`. */
  state: string;
  /** Null before the first answer. */
  rttMs: number | null;
  /** Of the one in use, why it is: `first-answer`, `nominated`, `more-direct`, …; null of the others. */
  why: string | null;
}

/** The same for somebody who looks closely, as Colyseus' monitor does. */
export interface InspectedConnection extends PlayerConnection {
  /** Best first; empty where the player dialed an address. */
  pairs: PlayerPair[];
}

/**
 * What a transport tells by `node:diagnostics_channel`. It costs nothing while nobody subscribes:
 *
 *     import { subscribe } from "node:diagnostics_channel";
 *     subscribe("sallyport:player:closed", ({ sessionId, code }) => …);
 */
export interface DiagnosticsChannels {
  /** A player's connection stands; whether the room takes it is decided after this. */
  "sallyport:player:opened": PlayerConnection;
  /** A player's connection ended, with the code that the room sees. */
  "sallyport:player:closed": PlayerConnection & { code: number; reason: string; durationMs: number };
  /** A player's address changed in mid-game. */
  "sallyport:player:moved": PlayerConnection & { from: string };
  /** A connect token was given to whoever holds a seat. */
  "sallyport:connect:granted": { roomId: string; sessionId: string; address: string };
  /** No connect token was given. */
  "sallyport:connect:refused": { address: string; status: number; reason: string };
  /** A request did not get as far as Colyseus (see guardRequests). */
  "sallyport:request:refused": { address: string; status: number; url: string };
  /** A TCP connection was closed to keep within limits (see limitConnections). */
  "sallyport:connection:refused": { address: string; reason: ConnectionRefusal };
  /** The way in changed: a port was mapped, lost, or another one is better now. */
  "sallyport:reachability": Reachability;
  /** Where on the local network the game is announced has changed, or what stands in the way. */
  "sallyport:lan": LanNetworkState;
  /** Rooms are disposed, or given up; goodbyes are said and ports unmapped. */
  "sallyport:shutdown": { players: number };
}

const channels = {
  "sallyport:player:opened": channel("sallyport:player:opened"),
  "sallyport:player:closed": channel("sallyport:player:closed"),
  "sallyport:player:moved": channel("sallyport:player:moved"),
  "sallyport:connect:granted": channel("sallyport:connect:granted"),
  "sallyport:connect:refused": channel("sallyport:connect:refused"),
  "sallyport:request:refused": channel("sallyport:request:refused"),
  "sallyport:connection:refused": channel("sallyport:connection:refused"),
  "sallyport:reachability": channel("sallyport:reachability"),
  "sallyport:lan": channel("sallyport:lan"),
  "sallyport:shutdown": channel("sallyport:shutdown"),
};

type Traced<Message> = readonly [event: string, fields: (message: Message) => TraceInput];

/**
 * The same as lines of a trace; other rooms trace what is missing. Without `sessionId`, by which a seat can be taken until its
 * player has come.
 */
const TRACED: { readonly [Name in keyof DiagnosticsChannels]?: Traced<DiagnosticsChannels[Name]> } = {
  "sallyport:player:opened": ["player-opened", playerFields],
  "sallyport:player:moved": ["player-moved", (moved) => ({ ...playerFields(moved), from: moved.from })],
  "sallyport:player:closed": [
    "player-closed",
    ({ code, reason, durationMs, ...player }) => ({ ...playerFields(player), code, reason, durationMs }),
  ],
  "sallyport:connect:granted": ["connect-granted", ({ roomId, address }) => ({ roomId, address })],
  "sallyport:connect:refused": [
    "connect-refused",
    // An introduced player has a key for a name.
    ({ address, status, reason }) => ({ address: address.split(" ", 1)[0], status, reason }),
  ],
  "sallyport:request:refused": [
    "request-refused",
    ({ address, status, url }) => ({ address, status, path: url.split("?", 1)[0] }),
  ],
  "sallyport:shutdown": ["shutdown", ({ players }) => ({ players })],
};

function playerFields({ roomId, path, remote, rttMs, loss }: PlayerConnection): TraceInput {
  return { roomId, path, remote, rttMs, loss };
}

const trace = traceOf("colyseus");
const limiter = new TraceLimiter();

/** @param message makes the message, if somebody listens */
export function diagnose<Name extends keyof DiagnosticsChannels>(
  name: Name,
  message: () => DiagnosticsChannels[Name],
): void {
  const target = channels[name];
  const traced = trace.on ? TRACED[name] : undefined;
  if (!target.hasSubscribers && traced === undefined) return;
  const made = message();
  if (target.hasSubscribers) target.publish(made);
  if (traced === undefined) return;
  const [event, fields] = traced;
  // Whoever wants may be refused, as often as it likes.
  const count = event.endsWith("refused") ? limiter.take(event, performance.now()) : 1;
  if (count > 0) trace.event(event, { ...fields(made), count: count > 1 ? count : undefined });
}
