// Players: each sends 60 times a second, spread over the tick, and hears the server's state. Some ask for an echo.
import { connectSession } from "../../../sdk/src/session/connect.ts";
import { type Session } from "../../../sdk/src/session/types.ts";
import { serve, Ticker } from "./part.ts";

interface Start {
  hz: number;
  bytes: number;
  /** Sent reliably with the time in it, to be echoed; else unreliably. */
  echo: boolean;
}
export interface PlayersReport {
  sent: number;
  received: number;
  /** ms, sorted. */
  roundTrips: number[];
}

const sessions: Session[] = [];
let roundTrips: number[] = [];
let sent = 0;
let received = 0;
/** A tick of the players is this many parts, a share of them in each. */
const PARTS = 8;
let ticker: Ticker | undefined;

serve({
  join: async (tokens: string[]) => {
    for (const token of tokens) sessions.push(await connectSession(Buffer.from(token, "base64")));
    for (const session of sessions) {
      session.onMessage = (data, mode) => {
        received++;
        if (mode === "reliable") {
          const sentAt = new DataView(data.buffer, data.byteOffset).getFloat64(0);
          roundTrips.push(performance.now() - sentAt);
        }
      };
    }
  },
  start: ({ hz, bytes, echo }: Start) => {
    const data = new Uint8Array(bytes).fill(7);
    const view = new DataView(data.buffer);
    let part = 0;
    ticker?.stop();
    ticker = new Ticker(hz * PARTS, () => {
      for (let n = part; n < sessions.length; n += PARTS) {
        if (echo) view.setFloat64(0, performance.now());
        sessions[n]?.send(data, echo ? "reliable" : "unreliable");
        sent++;
      }
      part = (part + 1) % PARTS;
    });
  },
  begin: () => {
    roundTrips = [];
    sent = 0;
    received = 0;
  },
  end: (): PlayersReport => ({ sent, received, roundTrips: roundTrips.toSorted((a, b) => a - b) }),
});
