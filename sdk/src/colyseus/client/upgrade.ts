import { messageOf } from "../../net/message-of.ts";
import { traceOf } from "../../net/trace.ts";
import { sleep } from "../../net/wait.ts";
import type { Session } from "../../session/types.ts";
import { ProtocolMismatchError } from "../../session/versions.ts";
import type { MovingSession } from "../websocket/moving-session.ts";
import { CONTROL_PARAMETER, CONTROL_PROTOCOL } from "../wire/websocket-control.ts";
import { UPGRADE_PARAMETER } from "./seat-request.ts";
import { type Dialed, type SessionWay, WayUnavailableError } from "./session-way.ts";

const trace = traceOf("colyseus");

/** What has just failed is not tried again at once. */
const FIRST_MS = 1000;
/** Between the end of a try and the next one, at least. */
const REST_MS = 500;
/** The pace slows down after so many tries, by this factor for each. */
const PATIENT_TRIES = 8;
const SLOWING = 1.5;
/** A new session shows for so long that it stays, ms: keep-alives of WebRTC come within it. */
const PROBATION_MS = 1250;
const PROBATION_SILENCE_MS = 500;
const PATIENCE_MS = 2000;
const LOOK_MS = 50;

export interface UpgradeOptions {
  way: SessionWay;
  /** The room's, with the server's key. */
  roomURL: URL;
  headers: Readonly<Record<string, string>>;
  session: MovingSession;
  /** The conversation is over. */
  signal: AbortSignal;
  /** A session stands, and may be moved to. */
  onDialed: (dialed: Dialed) => void;
}

/**
 * The room's URL for a WebSocket that may be left for a session, and with the key for such a session.
 * @param key the server's
 */
export function upgradeURL(roomURL: string, key?: string): string {
  const url = new URL(roomURL);
  if (key === undefined) url.searchParams.set(CONTROL_PARAMETER, CONTROL_PROTOCOL);
  else {
    url.searchParams.set(UPGRADE_PARAMETER, key);
    // The seat is taken: by the WebSocket.
    url.searchParams.delete("reconnectionToken");
  }
  return url.href;
}

/**
 * Tries a way that has failed again and again beside the WebSocket that is played over meanwhile, and moves there when a session
 * stands and stays.
 * @returns what it has moved to; undefined where it never will: the conversation is over, or the server has no such way
 */
export async function upgrade(options: UpgradeOptions): Promise<Dialed | undefined> {
  const { way, session, signal } = options;
  let { everyMs } = way.pace;
  await sleep(FIRST_MS, signal);
  for (let tries = 1; !signal.aborted && session.open; tries++) {
    const begun = performance.now();
    try {
      const dialed = await dial(options);
      if (dialed) return dialed;
    } catch (error) {
      if (trace.on) trace.event("upgrade-failed", { way: way.name, tries, reason: messageOf(error) });
      if (error instanceof WayUnavailableError || error instanceof ProtocolMismatchError) return undefined;
    }
    if (tries >= PATIENT_TRIES) everyMs = Math.min(everyMs * SLOWING, way.pace.maxEveryMs);
    await sleep(Math.max(REST_MS, begun + everyMs - performance.now()), signal);
  }
  return undefined;
}

async function dial({ way, roomURL, headers, session, signal, onDialed }: UpgradeOptions): Promise<Dialed | undefined> {
  const dialed = await way.dial(roomURL, { headers, signal, onProgress: () => {}, isPatient: true });
  if (signal.aborted || !session.open) {
    dialed.session.close();
    return undefined;
  }
  session.offer(dialed.session);
  onDialed(dialed);
  if ((await stays(dialed.session, signal)) && session.move()) return dialed;
  dialed.session.close();
  return undefined;
}

/** Long enough to be more than a moment's luck; and heard of late, which on a busy machine may take a ping more. */
async function stays(session: Session, signal: AbortSignal): Promise<boolean> {
  await sleep(PROBATION_MS, signal);
  for (let waited = 0; waited < PATIENCE_MS && isAlive(); waited += LOOK_MS) {
    if (session.silentMs <= PROBATION_SILENCE_MS) return true;
    await sleep(LOOK_MS, signal);
  }
  return false;

  function isAlive(): boolean {
    return !signal.aborted && session.open;
  }
}
