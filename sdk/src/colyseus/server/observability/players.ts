import type { EventEmitter } from "node:events";
import { formatEndpoint } from "../../../net/endpoint.ts";
import type { Session, SessionStats } from "../../../session/types.ts";
import { MovingSession } from "../../websocket/moving-session.ts";
import { diagnose, type InspectedConnection, type PlayerConnection, type PlayerPair } from "./diagnostics.ts";

/** The connection behind a client of Colyseus. Emits `close` with code and reason. */
type PlayerSocket = EventEmitter & { close(code: number): void };

interface Player {
  roomId: string;
  sessionId: string;
  remote: () => string;
  /** None over WebSocket. */
  session: Session | undefined;
  since: number;
  /** The same moment, by the clock that nobody sets. */
  openedAt: number;
}

/** The traffic of sessions that have ended; what is counted does not fall when somebody leaves. */
export type Traffic = Pick<SessionStats, "bytesIn" | "bytesOut" | "packetsIn" | "packetsOut" | "packetsLost">;

const noTraffic = (): Traffic => ({ bytesIn: 0, bytesOut: 0, packetsIn: 0, packetsOut: 0, packetsLost: 0 });

/** Who is connected, and how. */
export class Players {
  readonly #byConnection = new Map<PlayerSocket, Player>();
  readonly #ended = noTraffic();
  #opened = 0;

  /** @param ref the connection: what emits `close` with code and reason */
  add(
    ref: PlayerSocket,
    player:
      | { roomId: string; sessionId: string; remote: string }
      | (Pick<Player, "roomId" | "sessionId"> & { session: Session }),
  ): void {
    const { roomId, sessionId } = player;
    const session = "session" in player ? player.session : undefined;
    const remote = "session" in player ? () => formatEndpoint(player.session.remote) : () => player.remote;
    const added: Player = { roomId, sessionId, session, remote, since: Date.now(), openedAt: performance.now() };
    this.#byConnection.set(ref, added);
    this.#opened++;
    if (session) {
      let from = remote();
      session.onPath = () => {
        diagnose("sallyport:player:moved", () => ({ ...describe(added), from }));
        from = remote();
      };
    }
    diagnose("sallyport:player:opened", () => describe(added));
    ref.once("close", (code: number, reason: string | Buffer = "") => {
      this.#byConnection.delete(ref);
      if (session) addTraffic(this.#ended, session.stats);
      diagnose("sallyport:player:closed", () => {
        const durationMs = Math.round(performance.now() - added.openedAt);
        return { ...describe(added), code, reason: reason.toString(), durationMs };
      });
    });
  }

  /** Says goodbye to all, as by `WebSocket.close(code)`. */
  closeAll(code: number): void {
    for (const connection of this.#byConnection.keys()) connection.close(code);
  }

  /** Connections since the start. */
  get opened(): number {
    return this.#opened;
  }

  get size(): number {
    return this.#byConnection.size;
  }

  list(): PlayerConnection[] {
    return [...this.#byConnection.values()].map(describe);
  }

  of(ref: object): InspectedConnection | undefined {
    const player = this.#byConnection.get(ref as PlayerSocket);
    return player && { ...describe(player), pairs: pairsOf(player) };
  }

  /** Over UDP, since the start. */
  traffic(): Traffic {
    const sum = { ...this.#ended };
    for (const { session } of this.#byConnection.values()) if (session) addTraffic(sum, session.stats);
    return sum;
  }
}

function describe({ roomId, sessionId, session, remote, since }: Player): PlayerConnection {
  const measured = offWebSocket(session);
  const base = {
    roomId,
    sessionId,
    path: measured?.pathKind ?? ("websocket" as const),
    remote: remote(),
    since,
  };
  if (!measured) return { ...base, rttMs: null, jitterMs: null, loss: null };
  const { rttMs, jitterMs, loss } = measured.stats;
  return { ...base, rttMs: rttMs === 0 ? null : rttMs, jitterMs: rttMs === 0 ? null : jitterMs, loss };
}

/** Nothing is measured on a WebSocket. */
function offWebSocket(session: Session | undefined): Session | undefined {
  return session instanceof MovingSession && session.isWebSocket ? undefined : session;
}

function pairsOf({ session }: Player): PlayerPair[] {
  return (session?.pairs?.() ?? []).map(
    ({ via, localType: local, remote, remoteType, state, rttMs, selected, why }) => ({
      via,
      local,
      remote: formatEndpoint(remote),
      remoteType,
      state,
      rttMs: rttMs === 0 ? null : Math.round(rttMs * 10) / 10,
      why: selected ? (why ?? "") : null,
    }),
  );
}

function addTraffic(sum: Traffic, stats: Traffic): void {
  for (const key of Object.keys(sum) as (keyof Traffic)[]) sum[key] += stats[key];
}
